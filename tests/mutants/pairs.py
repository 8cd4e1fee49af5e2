"""Two models of a user's own: what is compared, what is called a cause, what a verdict is."""

from tests.mutants.table import Mutant, in_file

CLIMB, SEARCH = "tests/pairs/test_climb.py::test_", "tests/pairs/test_search.py::test_"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/pairs/climb.py",
        {
            f"{CLIMB}a_change_that_is_tried_does_not_widen_its_own_floor": [
                (
                    "pairs: a floor is measured from the run that was changed",
                    "base = self.unchanged.get(key)",
                    "base = self.arrays.get(key)",
                ),
            ],
            f"{CLIMB}a_number_that_is_not_finite_on_one_side_agrees_with_nothing": [
                (
                    "pairs: what is not finite is no difference",
                    "return largest if np.isfinite(largest) else np.inf",
                    "return largest if np.isfinite(largest) else 0.0",
                ),
            ],
            f"{CLIMB}a_gradient_that_one_side_lacks_is_a_difference": [
                (
                    "pairs: a gradient that one side lacks is passed over",
                    "if (name in expected) != (name in theirs):",
                    "if False:",
                ),
            ],
            f"{CLIMB}a_bias_that_keras_alone_trains_is_a_difference": [
                (
                    "pairs: a bias of Keras's alone is passed over",
                    "if name in self.sides.more_in_keras and name in theirs",
                    "if False and name in theirs",
                ),
            ],
            f"{CLIMB}images_are_laid_out_by_what_the_calls_say_and_not_by_the_smallest_difference": [
                (
                    "pairs: an image is laid out as its shape allows",
                    "if ours_call.channels_last is False and theirs_call.channels_last and ours.ndim == theirs.ndim:",
                    "if False:",
                ),
            ],
            f"{CLIMB}a_floor_is_what_rounding_moves_on_either_side_and_no_less_than_an_epsilon_of_the_largest": [
                (
                    "pairs: the floor of PyTorch's side is left out",
                    "floor = max(self.torch.moves(keys[0]), self.keras.moves(keys[1]), eps * largest)",
                    "floor = max(self.keras.moves(keys[1]), eps * largest)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/pairs/diagnosis.py",
        {
            f"{SEARCH}three_faults_are_three_causes_and_what_brings_nothing_is_none": [
                (
                    "pairs: what brings nothing is a cause",
                    "if first is None or self._rank(checks) >= self._rank(now):",
                    "if False:",
                ),
            ],
            f"{SEARCH}a_factor_that_explains_one_number_is_no_cause": [
                (
                    "pairs: a factor of one number is a cause",
                    "if better and (after is None or after.stage > candidate.beyond):",
                    "if better:",
                ),
            ],
            f"{SEARCH}a_setting_whose_change_does_harm_is_left_out": [
                (
                    "pairs: a change that does harm stays",
                    "return kept if self._first(now) is None else self._without_harm(kept, self._rank(now))",
                    "return kept",
                ),
            ],
            f"{SEARCH}a_change_that_can_not_be_made_is_no_cause_and_no_match": [
                (
                    "pairs: a change that can't be made is as good as any",
                    "        if not checks:\n            return -1\n",
                    "        if not checks:\n            return np.inf\n",
                ),
            ],
            "tests/pairs/test_pair_report.py::test_a_framework_default_beside_what_is_unexplained_does_not_excuse_it": [
                (
                    "pairs: what is left unexplained is no difference",
                    "if self.unexplained or self.read_only or",
                    "if self.read_only or",
                ),
            ],
            "tests/pairs/test_pair_report.py::test_the_verdict_is_the_first_line_everywhere": [
                (
                    "pairs: what was only read is no difference",
                    "if self.unexplained or self.read_only or",
                    "if self.unexplained or",
                ),
            ],
        },
    ),
]
