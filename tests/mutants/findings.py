"""What is said of two logs: which signature is seen, and which cause is named for it."""

from tests.mutants.table import Mutant, in_file

FINDINGS = "tests/logs/test_findings.py::test_"
PAIR = "tests/logs/test_log_pair.py::test_"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/logs/log_pair.py",
        {
            f"{FINDINGS}other_columns_are_compared_and_what_differs_in_one_alone_is_no_agreement": [
                ("logs: the loss alone is compared", "for name in a.series if name in b.series", "for name in ()"),
            ],
            f"{FINDINGS}columns_that_are_not_compared_are_named": [
                ("logs: what one alone has goes unnamed", "lone=(lone[0], lone[1]),", ""),
            ],
            f"{FINDINGS}what_a_clock_or_the_machine_says_is_not_compared": [
                ("logs: clocks must agree", "and is_measure(name)}", "}"),
            ],
            f"{PAIR}who_counts_from_0_and_who_counts_from_1_are_compared_from_the_first_on": [
                ("logs: who counts from 0 is compared one late", "    b = _numbered_alike(a, b)\n", ""),
            ],
            f"{PAIR}a_log_without_the_first_keeps_its_numbers": [
                (
                    "logs: a first that one lacks moves its numbers",
                    "(in_a.any() and _equal(a, b, int(",
                    "(False and _equal(a, b, int(",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/signatures.py",
        {
            f"{FINDINGS}what_leans_to_one_side_in_the_end_is_no_rounding_however_slowly_it_rose": [
                (
                    "logs: what leans late is rounding",
                    "leans = abs(last.mean()) > LEANS",
                    "leans = not last.size > LEANS",
                ),
                (
                    "logs: what swings late leans",
                    "leans = abs(last.mean()) > LEANS",
                    "leans = np.abs(last).mean() > LEANS",
                ),
            ],
            f"{FINDINGS}a_sound_port_is_called_the_same_or_like_rounding": [
                (
                    "logs: rounding may not grow",
                    "JUMP, WINDOW, JUMP_OF_A_WINDOW, FLOOR = 100, 4, 600, 4",
                    "JUMP, WINDOW, JUMP_OF_A_WINDOW, FLOOR = 2, 4, 2, 1",
                ),
            ],
            f"{FINDINGS}a_finer_log_gets_no_worse_a_hint": [
                ("logs: a jump is taken for rounding", "jump = first_beyond(gap", "jump = None and first_beyond(gap"),
            ],
            f"{FINDINGS}the_ups_and_downs_of_a_training_that_goes_astray_say_nothing_of_the_batches": [
                ("logs: no training goes astray", "ASTRAY = 1.5", "ASTRAY = 1e9"),
            ],
            f"{FINDINGS}what_differs_in_evaluation_is_named_beside_losses_that_rounding_alone_may_have_moved_so_far": [
                (
                    "logs: evaluation may move by any rounding",
                    "AMPLIFIED, SHARE, BY_EPOCH = 36",
                    "AMPLIFIED, SHARE, BY_EPOCH = 1e4",
                ),
            ],
            f"{FINDINGS}a_second_softmax_and_a_penalty_are_told_by_their_shape": [
                (
                    "logs: a penalty must stay the same to the end",
                    "apart, count = _signed(losses)[: 2 * FEWEST]",
                    "apart, count = _signed(losses)",
                ),
            ],
            f"{FINDINGS}a_small_constant_moves_the_loss_to_one_side_and_rounding_does_not": [
                ("logs: the sign of the gap has no say", "if length >= count:", "if False:"),
            ],
            f"{FINDINGS}other_batches_are_told_by_their_ups_and_downs": [
                (
                    "logs: ups and downs have no say",
                    "SAME_BATCHES, OTHER_BATCHES, ENOUGH, MOST = 0.6, 0.3",
                    "SAME_BATCHES, OTHER_BATCHES, ENOUGH, MOST = 0.6, -1",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/other_columns.py",
        {
            f"{FINDINGS}the_metric_alone_points_to_its_definition": [
                (
                    "logs: a metric of its own is taken for rounding",
                    "early, 0.0 if np.isinf(hit) else hit,",
                    "early, np.inf,",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/finding.py",
        {
            f"{FINDINGS}at_the_first_step_the_forward_pass_is_named_and_the_ratio_told": [
                (
                    "logs: a ratio is not told",
                    "if (whole := _whole_factor(losses)) is not None:\n        return whole\n    a, b",
                    "a, b",
                ),
            ],
            f"{FINDINGS}a_first_difference_after_the_second_update_points_to_what_is_carried_over": [
                ("logs: the second update is taken for the first", "if update > 1:", "if update > 2:"),
            ],
            f"{FINDINGS}a_first_difference_after_the_first_update_points_to_rate_or_rule": [
                (
                    "logs: the update is never blamed at the first",
                    "at[index] <= LARGEST_CARRIED",
                    "1 < at[index] <= LARGEST_CARRIED",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/causes.py",
        {
            f"{FINDINGS}every_row_of_differences_that_a_cause_names_exists": [
                (
                    "logs: a row is named that there is not",
                    '("adam_epsilon", "adam_epsilon_place",',
                    '("adam_eps", "adam_epsilon_place",',
                ),
            ],
        },
    ),
]
