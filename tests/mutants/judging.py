"""What two runs are judged by, and studies of many: verdict, first divergence, what is kept, how cost grows."""

from tests.mutants.table import Mutant, in_file

EQUIVALENCE, SEEDS = "tests/studies/test_equivalence.py::test_", "tests/studies/test_seeds.py::test_"
VERIFICATION = "tests/comparing/test_verification.py::test_"
SQUARE = "tests/logs/test_tensor_pairs.py::test_"
FILES = "tests/logs/test_weights_files.py::test_"
WORKERS = "tests/test_programs.py::test_compare_starts_workers_verifies_every_step_and_says_what_they_cost"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/studies/attribution.py",
        {
            "tests/studies/test_attribution.py::test_an_interaction_is_shared_between_put_in_and_taken_out": [
                (
                    "what was taken out is counted as put in",
                    'removed = stock - over_seeds(f"stock without {factor.default}")',
                    "removed = added",
                ),
            ],
            "tests/studies/test_attribution.py::test_interval_is_students": [
                ("an interval for twice the seeds", "/ np.sqrt(count)", "/ np.sqrt(2 * count)"),
            ],
        },
    ),
    *in_file(
        "shared/studies/equivalence.py",
        {
            f"{EQUIVALENCE}where_the_two_tests_differ_nothing_is_shown": [
                ("seeds: the flipped signs have no say", "self.flip_p_value < self.margin.alpha and ", ""),
                ("seeds: Student's t has no say", " and (by_t is None or by_t < self.margin.alpha)", ""),
            ],
            f"{EQUIVALENCE}both_sides_are_tested_by_flips_too": [
                (
                    "seeds: signs are flipped on one side alone",
                    "max(sign_flip(margin + self.differences), sign_flip(margin - self.differences))",
                    "sign_flip(margin - self.differences)",
                ),
            ],
            f"{EQUIVALENCE}a_margin_from_the_same_runs_is_seldom_wider_than_the_truth": [
                (
                    "seeds: a margin from the same runs is taken for known",
                    "SHARE * spread(samples).low",
                    "SHARE * spread(samples).value",
                ),
            ],
            f"{EQUIVALENCE}too_few_pairs_show_nothing_however_close": [
                (
                    "seeds: a margin from the same runs costs nothing",
                    "return ALPHA / 2 if self",
                    "return ALPHA if self",
                ),
            ],
            f"{EQUIVALENCE}from_differences_that_are_all_the_same_students_t_claims_nothing": [
                ("seeds: rounding is taken for variation", "> ROUNDING)", "> 0)"),
            ],
        },
    ),
    *in_file(
        "shared/studies/seeds.py",
        {
            f"{SEEDS}the_margin_is_named_or_measured_for_the_default_run_or_else_of_these_runs": [
                (
                    "seeds: the default run's margin for any number of epochs",
                    " and self.training.epochs == Training().epochs",
                    "",
                ),
                ("seeds: a margin that was named is forgotten", "if figure in self.named_margins:", "if False:"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/seeds_report.py",
        {
            f"{SEEDS}the_report_of_two_seeds_says_that_they_can_not_show_it": [
                ("seeds: too few, and not a word", "if count >= fewest:", "if count >= 0:"),
            ],
        },
    ),
    *in_file(
        "shared/comparing/comparison.py",
        {
            "tests/reporting/test_report.py::test_a_network_that_has_learned_nothing_is_said": [
                ("that nothing was learned is not said", "and predicted[0] >= 0)", "and predicted[0] < 0)"),
            ],
            f"{WORKERS}[3-float64]": [
                (
                    "one process is compared with itself, and not with workers",
                    "check.compare(made[Variant(variant.framework, dtype)], made[variant])",
                    "check.compare(made[variant], made[variant])",
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/runs.py",
        {
            f"{WORKERS}[3-float64]": [
                (
                    "what workers are compared with has workers",
                    '{"engine": "eager", "workers": 1} if variant.alone',
                    "{} if variant.alone",
                ),
            ],
            "tests/comparing/test_runs.py::test_a_perturbed_run_starts_one_unit_from_where_its_framework_does": [
                (
                    "perturbed from where the frameworks start without Keras's defaults",
                    "initial_weights(own.training, own.training.defaults_of(variant.framework))",
                    "initial_weights(own.training)",
                ),
            ],
            "tests/comparing/test_store.py::test_a_repeat_is_always_made": [
                (
                    "a repeat is fetched, not made",
                    "for variant in references if not variant.repeated",
                    "for variant in references",
                ),
            ],
            "tests/comparing/test_runs.py::test_a_stale_record_is_refused": [
                (
                    "a stale record is read",
                    "told = run.record.framework, run.record.configuration, run.record",
                    "told = run.record.framework, configuration, run.record",
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/store.py",
        {
            "tests/comparing/test_store.py::test_keys_differ_with_all_that_a_run_depends_on": [
                ("a kept run is of any spec", 'configuration.model_dump(mode="json")', "{}"),
                (
                    "outer: a kept run is found whatever the settings",
                    "json.dumps(environment() if settings is None else settings)",
                    '""',
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/checks.py",
        {
            "tests/comparing/test_checks.py::test_difference_by_hand": [
                ("mean difference, not the largest", "b.astype(np.float64)).max())", "b.astype(np.float64)).mean())"),
            ],
            "tests/comparing/test_checks.py::test_a_number_that_is_not_one_is_never_a_match": [
                (
                    "a NaN on one side or both is forgiven",
                    "reasons = [reason for run in everyone for reason in not_finite(run)]",
                    "reasons = []",
                ),
            ],
            "tests/comparing/test_checks.py::test_a_wrong_framework_cannot_widen_the_floor": [
                (
                    "the floor measured on the frameworks",
                    "floors = noise_floors(reference, rounding)",
                    "floors = noise_floors(reference, [*rounding, *runs])",
                ),
            ],
            "tests/comparing/test_checks.py::test_a_run_that_was_not_verified_is_no_match": [
                ("a run that was not verified matches", "else [missing]", "else []"),
            ],
            "tests/comparing/test_checks.py::test_each_tensor_has_its_own_floor": [
                (
                    "one floor for all tensors",
                    "return max(self.tensors, key=self._floors_apart)",
                    "return largest(self.tensors)",
                ),
            ],
            "tests/comparing/test_checks.py::test_unequal_inputs_are_named_before_anything_is_compared": [
                ("different specs compared", "if field not in but and", "if False and"),
            ],
            "tests/comparing/test_checks.py::test_runs_that_differ_by_rounding_match": [
                ("the hidden layers are no checks", "for layer in hidden_layers(training)]", "for layer in ()]"),
            ],
            "tests/comparing/test_checks.py::test_what_was_found_wrong_of_a_run_is_said_and_whose_it_is": [
                (
                    "what was found wrong of a run is forgotten",
                    "reasons += verified[name].reasons if",
                    "reasons += [] if",
                ),
                ("any of several is the odd one", "if len(wrong) == 1 else", "if wrong else"),
            ],
            "tests/comparing/test_checks.py::test_a_missing_step_is_named": [
                ("a missing step goes unnoticed", "if x != y:", "if False:"),
            ],
            "tests/comparing/test_checks.py::test_in_float64_noise_that_grew_is_no_divergence": [
                ("float64 runs have diverged by noise that grew", ".max().astype(np.float32)))", ".max()))"),
            ],
            "tests/comparing/test_checks.py::test_what_lies_around_a_run_and_differs_is_said": [
                ("outer: what differs around two runs is not said", "if x != y", "if False"),
            ],
        },
    ),
    *in_file(
        "shared/running/record.py",
        {
            "tests/running/test_record.py": [
                ("a truncated or altered record is read", "if files.sha256(folder / name) != expected:", "if False:"),
            ],
        },
    ),
    *in_file(
        "shared/comparing/first_divergence.py",
        {
            "tests/comparing/test_first_divergence.py::test_an_input_on_either_side_of_zero_is_found": [
                (
                    "a crossing is told of the other framework",
                    "first.passes[0] else names[::-1]",
                    "first.passes[1] else names[::-1]",
                ),
            ],
            "tests/comparing/test_first_divergence.py::test_an_update_of_one_tensor_is_no_other_rate": [
                ("one tensor's update is another rate", "if not deviation(seen.", "if False and not deviation(seen."),
            ],
        },
    ),
    *in_file(
        "shared/comparing/deviations.py",
        {
            "tests/comparing/test_deviations.py::test_all_values_together_count_by_their_mean_square": [
                ("only the furthest value counts", "rms(far) / allowed_rms if far.size", "0.0 if far.size"),
            ],
            "tests/comparing/test_deviations.py::test_what_is_no_number_is_infinitely_far": [
                (
                    "a NaN lies within rounding",
                    "return Deviation(np.inf, np.inf, 0.0, np.inf)",
                    "return Deviation(0, 0, 0.0, 0)",
                ),
            ],
            "tests/comparing/test_deviations.py::test_rounding_that_is_no_number_allows_nothing": [
                ("rounding that is no number allows anything", " if np.isfinite(other).all()]", "]"),
            ],
        },
    ),
    *in_file(
        "shared/comparing/segments.py",
        {
            "tests/comparing/test_segments.py::"
            "test_steps_that_only_the_rounding_of_saturated_slopes_explains_are_found_sound": [
                ("rounding is drawn once, however it falls", "MANY_DRAWS = 12", "MANY_DRAWS = 0"),
            ],
            "tests/comparing/test_segments.py::test_a_relu_on_the_other_side_of_zero_is_found": [
                ("a crossing is on the reference's side", "not value > 0, value / unit", "value > 0, value / unit"),
            ],
            "tests/comparing/test_segments.py::test_a_relu_that_is_far_from_zero_has_no_other_side": [
                ("any ReLU may take either side", "<= near_zero * unit_in_the_last_place", "< np.inf"),
            ],
            f"{VERIFICATION}one_number_altered_by_some_units_is_named": [
                (
                    "buffers are not compared",
                    "for name, values in end.kept.items():",
                    "for name, values in {}.items():",
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/verification.py",
        {
            f"{VERIFICATION}what_is_too_small_for_any_step_is_seen_over_all": [
                (
                    "what leans is taken for noise",
                    "STANDARD_ERRORS = 2.0, 0.1, 6.0",
                    "STANDARD_ERRORS = 2000.0, 100.0, 6.0",
                ),
                ("what is left may point where it likes", "CORRELATION = 0.03", "CORRELATION = 3.0"),
            ],
            f"{VERIFICATION}losses_that_lie_off_by_little_but_always_are_seen_over_all": [
                ("losses may lean", "LOSSES_ULPS = 0.3", "LOSSES_ULPS = 30.0"),
            ],
            f"{VERIFICATION}one_number_altered_by_some_units_is_named[test_logits-test logits]": [
                (
                    "the logits of earlier epochs are believed",
                    'in enumerate(self._run.arrays["test_logits"], start=1):',
                    'in list(enumerate(self._run.arrays["test_logits"], start=1))[-1:]:',
                ),
            ],
            f"{VERIFICATION}initial_buffers_must_be_the_very_same": [
                (
                    "initial buffers are believed",
                    "buffer, np.array_equal(kept[buffer], values), told)",
                    "buffer, True, told)",
                ),
            ],
            f"{VERIFICATION}what_was_taken_of_other_numbers_than_the_record_holds_does_not_count": [
                (
                    "what was taken while the run was made is believed",
                    "begun if begun and begun.is_of(run) else",
                    "begun or",
                ),
            ],
            f"{VERIFICATION}a_run_that_has_failed_is_not_taken_further": [
                ("a run that has failed is taken further", "[] if self.has_failed else ", ""),
            ],
            f"{VERIFICATION}a_figure_that_the_record_does_not_make_is_named": [
                (
                    "an epoch's figures are believed",
                    "same = abs(given - value) <=",
                    "same = True or abs(given - value) <=",
                ),
            ],
            f"{VERIFICATION}initial_weights_must_be_the_very_same": [
                (
                    "initial weights are believed",
                    "tensor, np.array_equal(recorded[tensor], values), told)",
                    "tensor, True, told)",
                ),
            ],
            f"{VERIFICATION}other_data_and_another_order_are_named": [
                (
                    "the order is believed",
                    "same = found == batches.checksum(",
                    "same = True or found == batches.checksum(",
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/verifying.py",
        {
            f"{VERIFICATION}what_must_be_seen_closer_is_run_again_and_must_repeat": [
                ("a run that does not repeat is verified", ".repeats(run, made[closer])", ""),
            ],
            f"{VERIFICATION}an_epoch_is_verified_while_the_run_goes_on_and_its_file_is_removed": [
                ("nothing is verified before a run has ended", "if self._core_to_spare and", "if False and"),
                ("an epoch's file stays behind", "path.unlink(missing_ok=True)", "pass"),
            ],
        },
    ),
    *in_file(
        "shared/logs/log_pair.py",
        {
            "tests/logs/test_log_pair.py::test_what_is_not_finite_is_a_divergence_on_either_side_or_both": [
                (
                    "own pair: a NaN on both sides agrees",
                    "finite = np.isfinite(values).all(axis=0)",
                    "finite = ~np.isnan(values).all(axis=0)",
                ),
            ],
            "tests/logs/test_log_pair.py::test_one_printed_unit_is_hidden_and_two_are_not": [
                ("own pair: a tolerance picked by hand", "resolution_a[in_a] + resolution_b[in_b], 0.0)", "1e-3, 0.0)"),
            ],
            "tests/logs/test_log_pair.py::test_steps_that_one_alone_has_are_no_agreement": [
                (
                    "own pair: steps matched by position",
                    "in_a, in_b = common(steps_a, steps_b)",
                    "in_a, in_b = (np.arange(len(s)) < min(len(steps_a), len(steps_b)) for s in (steps_a, steps_b))",
                ),
                (
                    "own pair: steps of one alone go unnoticed",
                    "not self.apart and not any(len(steps) for steps in self.only)",
                    "not self.apart",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/tensor_pairs.py",
        {
            "tests/logs/test_tensor_pairs.py::test_names_that_one_alone_has_are_no_agreement": [
                ("own pair: missing tensors go unnoticed", " and not any(self.only)\n", "\n"),
            ],
            f"{SQUARE}a_square_kernel_that_was_not_transposed_as_the_others_were_is_a_difference": [
                (
                    "own pair: a square kernel is taken as it fits best",
                    "m.expected or expected or nearest",
                    "(_nearer(m) if len(m.views) > 1 else None) or AS_IT_IS",
                ),
            ],
            f"{SQUARE}sound_square_kernels_that_were_trained_apart_are_compared_as_the_others_lie": [
                (
                    "own pair: trained square kernels are taken as they are",
                    "m.expected or expected or nearest",
                    "m.expected or AS_IT_IS",
                ),
            ],
            f"{SQUARE}kernels_that_have_nothing_to_do_with_each_other_are_never_said_to_lie_the_wrong_way": [
                (
                    "own pair: whichever way is nearer by chance is clear",
                    "return way if near < limit * far else None",
                    "return way",
                ),
            ],
            f"{SQUARE}a_tied_weight_that_one_side_writes_twice_is_no_difference": [
                ("own pair: any second tensor counts as tied", "np.array_equal(weights[n], values))", "True)"),
            ],
            f"{SQUARE}square_kernels_alone_are_taken_as_they_are_nearer_and_that_is_said": [
                ("own pair: which way was taken is not said", "    if not unknown:\n", "    if unknown:\n"),
            ],
        },
    ),
    *in_file(
        "shared/logs/tensor_layers.py",
        {
            f"{SQUARE}layers_that_a_user_gave_one_name_meet_in_any_order": [
                ("own pair: layers of one name meet by order", "named = _of_one_name(ours, theirs)", "named = []"),
            ],
            f"{SQUARE}layers_of_a_kind_meet_in_their_order_whatever_stands_between_them": [
                (
                    "own pair: the order of all layers decides",
                    "for find in (_of_one_kind, align):",
                    "for find in (align,):",
                ),
                (
                    "own pair: layers that Keras numbered meet by their place",
                    "_as_created(described(KERAS, keras))",
                    "described(KERAS, keras)",
                ),
            ],
            f"{SQUARE}layers_of_other_names_meet_in_their_order": [
                (
                    "own pair: a layer's kernel may lie either way",
                    "expected = TRANSPOSED if kernel else AS_IT_IS",
                    "expected = None",
                ),
            ],
            f"{FILES}the_same_weights_agree_between_the_frameworks_in_every_format": [
                ("own pair: rows behind a flattened image as they are", "flat if by_place else value,", "value,"),
            ],
        },
    ),
    *in_file(
        "pytorch_impl/weights_file.py",
        {
            f"{FILES}nothing_that_a_pickle_holds_is_run": [
                ("own pair: what a pickle holds is run", "weights_only=True", "weights_only=False"),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/weights_file.py",
        {
            f"{FILES}an_hdf5_file_that_keras_never_writes_is_refused": [
                (
                    "own pair: numbers of another file are read",
                    "if dataset.external or dataset.is_virtual:",
                    "if False:",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/keras_names.py",
        {
            f"{FILES}an_hdf5_file_that_keras_never_writes_is_refused": [
                ("own pair: links out of a file are followed", '!= "HardLink":', '== "None":'),
                (
                    "own pair: a circle of groups is walked for ever",
                    "if (own := address(group)) in above:",
                    "own = 0\n    if False:",
                ),
            ],
            f"{FILES}the_layers_of_a_keras_file_have_their_names_and_its_variables_their_roles": [
                (
                    "own pair: layers in the order of the alphabet",
                    "key=lambda item: (order.get(item[0], len(order)), item[1].last)",
                    "key=lambda item: item[0]",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/weights_process.py",
        {
            f"{FILES}what_is_no_plain_set_of_weights_is_refused_with_the_cure": [
                ("own pair: sizes that a file claims are believed", "if needed > most:", "if False:"),
            ],
        },
    ),
    *in_file(
        "shared/logs/meetings.py",
        {
            f"{SQUARE}a_table_lies_alike_in_both_frameworks_and_says_nothing_of_kernels": [
                ("own pair: an embedding is transposed as kernels are", "views, AS_IT_IS, why)", "views, None, why)"),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/precision.py",
        {
            "tests/logs/test_loss_logs.py::test_resolution_is_half_a_unit_of_the_last_digit_that_the_file_writes": [
                (
                    "own pair: the precision of the finest value only",
                    "resolution[finite] += printed",
                    "resolution[finite] += printed.min()",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/loss_logs.py",
        {
            "tests/logs/test_loss_logs.py::test_a_bad_file_is_named_with_its_place_value_and_cure": [
                (
                    "own pair: a step twice is read",
                    "back = np.flatnonzero(np.diff(steps) <= 0)",
                    "back = np.flatnonzero(np.diff(steps) < 0)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/log_report.py",
        {
            "tests/logs/test_log_report.py::test_a_report_never_replaces_what_it_is_about": [
                (
                    "own pair: the report replaces its own input",
                    "if Path(os.path.realpath(path)).is_relative_to(os.path.realpath(out)):",
                    "if False:",
                ),
            ],
            "tests/system/test_escaping.py::test_a_tensors_name_and_a_files_reach_neither_report_nor_terminal_raw": [
                ("names: the terminal is told them raw", "map(escaping.one_line, lines)", "lines"),
            ],
        },
    ),
    *in_file(
        "benchmarks/speed.py",
        {
            "tests/benchmarks/test_benchmarks.py::test_what_is_held_against_the_cpus_floor_runs_on_the_cpu": [
                ("speed: a GPU's time against the CPU's floor", ', "--device", "cpu"]', "]"),
            ],
        },
    ),
    *in_file(
        "shared/studies/sweep.py",
        {
            "tests/studies/test_sweep.py::test_what_is_kept_is_found_by_every_library_and_gpu": [
                (
                    "outer: kept figures are found whatever the libraries",
                    "versions(pythons[name], entry.packages))",
                    "{})",
                ),
            ],
            "tests/studies/test_sweep.py::test_as_many_runs_at_once_as_there_are_cores_and_one_to_a_gpu": [
                ("outer: as many runs on a GPU as there are cores", "and machine.gpus():", "and False:"),
            ],
        },
    ),
    *in_file(
        "shared/studies/sweep.py",
        {
            "tests/studies/test_cluster.py::test_a_record_that_was_altered_on_its_way_is_not_taken": [
                (
                    "cluster: a record is taken whatever its checksum",
                    'if hashlib.sha256(record).hexdigest() != answer["sha256"]:',
                    "if False:",
                ),
            ],
            "tests/studies/test_cluster.py::test_a_machine_of_another_kind_is_known_by_its_key_and_said": [
                ("cluster: another kind of machine is not said", "if maker.machine != asked.machine:", "if False:"),
                (
                    "cluster: its runs are kept as this one's",
                    "_keep(_key(job, maker), made)",
                    "_keep(_key(job, asked), made)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/studies/worker.py",
        {
            "tests/studies/test_cluster.py::test_another_version_of_the_program_is_refused_by_the_worker": [
                ("cluster: a worker of another version makes runs", "if here.code != asked.code:", "if False:"),
            ],
            "tests/studies/test_cluster.py::test_a_worker_under_dasks_nanny_is_no_other_kind_and_listens_where_told": [
                ("cluster: the nanny's settings are the machine's", " if value != str(made.get(name))}", "}"),
            ],
        },
    ),
    *in_file(
        "shared/system/progress.py",
        {
            "tests/system/test_progress.py::test_what_takes_long_says_so": [
                ("progress: a silence is not broken", "        if wait <= 0:", "        if False:"),
            ],
        },
    ),
    *in_file(
        "shared/studies/turns.py",
        {
            "tests/studies/test_turns.py": [
                ("sweep: a slot changes its process", "        if fitting:\n", "        if False:\n"),
                ("sweep: what is compiled is not taken again", "self._needs[number] == slot.need", "False"),
                ("sweep: another process is always started", "> median(starts) +", "> 0 * median(starts) +"),
                ("sweep: what is left is not divided by the slots", " / len(self._slots) if", " if"),
            ],
        },
    ),
    *in_file(
        "shared/studies/pool.py",
        {
            "tests/studies/test_pool.py": [
                ("sweep: a process that died is taken again", " and not child.has_ended:", ":"),
                ("sweep: more processes than there may be", "0 if child else max(0,", "0 * max(0,"),
            ],
        },
    ),
    *in_file(
        "shared/running/runner.py",
        {
            "tests/studies/test_sweep.py::test_one_process_makes_all_and_the_bits_are_those_of_runs_made_alone": [
                (
                    "sweep: the next seed starts from the last's weights",
                    "        implementation.model.set_weights",
                    "        str",
                ),
                (
                    "sweep: an optimizer that remembers goes on",
                    'if UPDATE_RULES[training.optimizer].buffers or training.schedule != "constant":',
                    "if False:",
                ),
            ],
        },
    ),
    *in_file(
        "shared/studies/cluster.py",
        {
            "tests/studies/test_cluster.py::test_the_cluster_of_this_process_has_its_slots_and_listens_on_loopback": [
                ("cluster: it listens everywhere", 'LOOPBACK = f"{HOST}:0"', 'LOOPBACK = ":0"'),
                ("cluster: one run at a time", "threads_per_worker=at_once", "threads_per_worker=1"),
            ],
            "tests/studies/test_cluster.py::test_dask_is_imported_for_a_sweep_only": [
                ("cluster: Dask is imported for every run", "if TYPE_CHECKING:", "if True:"),
            ],
        },
    ),
    *in_file(
        "shared/running/footprint.py",
        {
            "tests/running/test_footprint.py::test_what_does_not_fit_is_refused_by_the_option_that_makes_it_large": [
                ("footprint: what can't fit starts", "if bytes_needed <= available:", "if True:"),
            ],
        },
    ),
    *in_file(
        "benchmarks/scaling.py",
        {
            "tests/benchmarks/test_benchmarks.py::test_times_a_part_of_a_long_epoch_and_multiplies_by_examples": [
                (
                    "scaling: a part of an epoch is counted in steps",
                    "sum(map(len, epoch)) / sum(map(len, timed))",
                    "len(epoch) / len(timed)",
                ),
            ],
            "tests/benchmarks/test_benchmarks.py::test_the_floor_of_more_examples_is_so_many_times_that_of_one_set": [
                (
                    "scaling: the floor is the same for more examples",
                    "times = point.examples if point.engine == FLOOR else 1",
                    "times = 1",
                ),
            ],
            "tests/benchmarks/test_benchmarks.py::test_a_second_thread_pays_where_every_repeat_is_faster": [
                ("scaling: a lucky repeat with two threads is enough", "max(two) < min(one)", "min(two) < min(one)"),
            ],
        },
    ),
    *in_file(
        "benchmarks/floor.py",
        {
            "tests/benchmarks/test_benchmarks.py::test_the_floor_is_the_eight_products_of_a_step": [
                ("scaling: a product of the backward pass is left out", "        if depth:", "        if depth > 1:"),
            ],
        },
    ),
]
