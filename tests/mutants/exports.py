"""What other programs open of a run, where a run comes from, and rows of the table of differences."""

from tests.mutants.table import Mutant, in_file

EXPORTS = "tests/running/test_exports.py::test_"
CODE = "tests/library_defaults/test_rows.py::test_the_code_does_what_the_other_framework_does"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/running/exports.py",
        {
            f"{EXPORTS}losses_read_back_as_the_very_numbers[float32]": [
                ("exports: float32 losses with the digits of float64", "{loss!s}", "{float(loss)}"),
                ("exports: epochs count from 0", "enumerate(curves.steps, start=1)", "enumerate(curves.steps)"),
                ("exports: the steps of each epoch count from 0", "        step += len(losses)\n", ""),
            ],
            f"{EXPORTS}losses_read_back_as_the_very_numbers[float64]": [
                ("exports: losses with six digits", "{loss!s}", "{loss:.6g}"),
            ],
            f"{EXPORTS}tensorboard_shows_every_loss_and_the_figures_of_the_epochs": [
                ("exports: an event's step is that of its epoch", "yield LOSS, first + step,", "yield LOSS, step,"),
                ("exports: an event at the time of the first", "curves.ends[epoch]", "curves.ends[0]"),
            ],
            f"{EXPORTS}tensorboard_takes_the_file_for_its_own": [
                ("exports: a name that TensorBoard passes over", '"events.out.tfevents.run"', '"events.out.run"'),
            ],
            f"{EXPORTS}of_a_long_training_the_events_are_one_step_in_so_many": [
                ("exports: each epoch begins anew to leave out steps", "range(-first % apart,", "range(0,"),
                ("exports: events without end", "// MOST_EVENTS)", "// 10**9)"),
                ("exports: what is left out is not said", "if described and", "if not described and"),
            ],
            f"{EXPORTS}without_the_package_a_line_says_so_and_the_run_is_whole": [
                ("exports: without TensorBoard no run", "except Exception as error:", "except ValueError as error:"),
            ],
            f"{EXPORTS}whatever_fails_costs_a_line_and_no_run[error0-_lines]": [
                ("exports: half a file is left", "            (folder / name).unlink(missing_ok=True)\n", ""),
            ],
            f"{EXPORTS}a_disk_without_room_is_told_as_for_any_other_file": [
                ("exports: a full disk is passed over", "        except OSError:\n            raise\n", ""),
            ],
        },
    ),
    *in_file(
        "shared/running/footprint.py",
        {
            f"{EXPORTS}the_files_take_as_much_disk_as_foretold[1.0-float32]": [
                ("footprint: what other programs open takes no room", " + EVENT * events + line * training.steps", ""),
            ],
        },
    ),
    *in_file(
        "shared/running/runner.py",
        {
            f"{EXPORTS}a_command_with_bytes_that_are_no_text_is_recorded": [
                ("provenance: a name that is no text ends the run", '.encode(errors="backslashreplace").decode()', ""),
            ],
            f"{EXPORTS}a_run_says_where_it_comes_from": [
                (
                    "provenance: a run starts when it ends",
                    "started=self.began, ended=ended",
                    "started=ended, ended=self.began",
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/checkout.py",
        {
            f"{EXPORTS}the_commit_is_that_of_the_programs_own_checkout": [
                ("checkout: changed files are not told", ' "--dirty",', ""),
                ("checkout: another repository's commit", '{"GIT_CEILING_DIRECTORIES": str(ROOT.parent)}', "{}"),
                ("checkout: a variable leads to another repository", 'if not name.startswith("GIT_")', ""),
            ],
        },
    ),
    *in_file(
        "shared/running/record.py",
        {
            f"{EXPORTS}a_record_is_read_without_what_lies_beside_it": [
                (
                    "record: older ones are refused",
                    "provenance: Provenance | None = None",
                    "provenance: Provenance | None",
                ),
            ],
        },
    ),
    *in_file(
        "library_defaults/rows.py",
        {
            f"{CODE}[he_normal]": [
                ("rows: he_normal is not widened", " ** 0.5 / 0.87962566)", " ** 0.5)"),
            ],
            f"{CODE}[masked_mean]": [
                ("rows: padding counts in no mean", '=padding, reduction="sum") / labels.numel()', "=padding)"),
            ],
            f"{CODE}[resizing_layer]": [
                ("rows: images are resized with antialias", "antialias=False)(image)", "antialias=True)(image)"),
            ],
            "tests/library_defaults/test_rows.py::test_gates_in_the_order_of_the_other": [
                (
                    "rows: gates in their own order",
                    "chunk(3)[gate] for gate in (1, 0, 2)",
                    "chunk(3)[gate] for gate in (0, 1, 2)",
                ),
            ],
            "tests/library_defaults/test_rows.py::test_biases_that_learn_as_fast_as_the_others": [
                (
                    "rows: both biases learn",
                    "lstm.bias_hh_l0.requires_grad_(False)",
                    "lstm.bias_hh_l0.requires_grad_()",
                ),
            ],
            "tests/library_defaults/test_rows.py::test_gradients_of_several_batches": [
                ("rows: accumulated gradients are a sum", "(loss / accumulation_steps).backward()", "loss.backward()"),
            ],
        },
    ),
]
