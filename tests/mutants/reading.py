"""How the logs of other programs are read: which columns, which steps, which damage is told."""

from tests.mutants.table import Mutant, in_file

FORMATS, TEXTS = "tests/logs/test_formats.py::test_", "tests/logs/test_text_logs.py::test_"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/logs/loss_logs.py",
        {
            f"{FORMATS}rows_of_a_validation_may_lack_the_loss_and_no_others": [
                ("logs: any row may lack its loss", "return int(missing[0]) if len(missing) else None", "return None"),
            ],
            f"{FORMATS}steps_that_start_again_in_each_epoch_are_counted_on": [
                ("logs: an epoch is one step too short", "* (steps.min() <= 0))", "* (steps.min() < 0))"),
            ],
            f"{FORMATS}the_parts_of_ultralytics_losses_are_added_and_that_is_said": [
                (
                    "logs: a sum is as precise as its first part",
                    "np.sum([resolution for _, resolution, _ in found], axis=0) if len(found) > 1",
                    "found[0][1] if len(found) > 1",
                ),
            ],
            f"{TEXTS}the_lines_of_usual_loops_are_read_and_their_pattern_told": [
                ("logs: the length of an epoch is not that of the log", "table.epoch_length or shown", "shown"),
            ],
        },
    ),
    *in_file(
        "shared/logs/sources.py",
        {
            f"{FORMATS}a_file_with_a_colon_in_its_name_is_that_file": [
                (
                    "logs: a name with a colon is always split",
                    "if not places or os.path.lexists(path):",
                    "if not places:",
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/event_files.py",
        {
            f"{FORMATS}a_damaged_event_is_told_and_a_cut_one_is_said": [
                ("logs: a damaged event is read", "if checksum != made and", "if False and"),
            ],
            f"{FORMATS}a_tensor_of_an_event_that_claims_to_be_large_takes_no_memory": [
                ("logs: any tensor is a scalar", "dimension.size != 1", "dimension.size < 1"),
            ],
            f"{FORMATS}a_run_that_was_started_again_is_refused_with_both_files": [
                ("logs: a run that was started again is read on", "and last[name] != path:", "and False:"),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/csv_table.py",
        {
            f"{FORMATS}decimal_commas_are_read_as_such_where_commas_separate_nothing": [
                ("logs: a comma is decimal beside points", "bool(fractions) and not any(", "bool(fractions) or any("),
            ],
        },
    ),
    *in_file(
        "shared/logs/onnx_file.py",
        {
            "tests/logs/test_weights_files.py::"
            "test_an_onnx_tensor_is_read_in_every_type_that_the_package_writes_and_in_both_forms": [
                (
                    "ONNX: bits are taken for whole numbers",
                    '10: ("float16", "int32_data", "bits")',
                    '10: ("float16", "int32_data", "int32")',
                ),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/wandb.py",
        {
            f"{FORMATS}a_chart_of_two_runs_is_refused_with_both_names": [
                ("logs: the first of two runs is taken", "if run is None and len(runs) == 1:", "if run is None:"),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/names.py",
        {
            f"{FORMATS}what_depends_on_the_machine_is_no_measure": [
                ("logs: seconds are compared", "_OF_THE_MACHINE.split()}", "[]}"),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/text_lines.py",
        {
            f"{FORMATS}what_a_program_wrote_is_read_as_it_is[tqdm.txt]": [
                (
                    "logs: tqdm's loss is of the step after",
                    "self._ahead = self._ahead or (pattern.has_loss",
                    "self._ahead = self._ahead and (pattern.has_loss",
                ),
            ],
            f"{TEXTS}lines_that_are_read_at_once_are_read_as_one_by_one": [
                ("logs: an epoch that was named before is forgotten", "found[EPOCH] = [self._epoch] * count", "pass"),
                (
                    "logs: many lines at once are counted once",
                    "self._lines.extend(range(number, number + count))",
                    "pass",
                ),
            ],
            f"{TEXTS}no_loss_is_passed_over_however_many_other_lines_come_first": [
                ("logs: losses after many other lines are passed over", "and not _MATTERS.search(line):", "and line:"),
            ],
            f"{TEXTS}only_whole_epochs_of_keras_are_read_and_running_means_where_there_is_none": [
                ("logs: a running mean is taken for an epoch's", "if step != total:", "if False:"),
            ],
        },
    ),
    *in_file(
        "shared/logs/formats/cells.py",
        {
            "tests/logs/test_loss_logs.py::test_resolution_is_half_a_unit_of_the_last_digit_that_the_file_writes": [
                ("logs: a zero before the point is a digit", "(characters > _ZERO) &", "(characters >= _ZERO) &"),
            ],
        },
    ),
]
