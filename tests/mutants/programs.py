"""How programs behave: output folders, the cache, ends, children, options, files and names of users."""

from tests.mutants.table import Mutant, in_file

OUTPUT = "tests/system/test_output.py::test_"
ENDING = "tests/system/test_ending.py::test_"
CACHE = "tests/system/test_cache.py::test_"
LAUNCHER = "tests/running/test_launcher.py::test_"
MAKE = "tests/test_make.py::test_what_is"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/cli.py",
        {
            "tests/shared/test_cli.py::test_help_is_in_the_language_that_is_named_wherever_it_is_else_the_locales": [
                ("language: not where it stands after --help", "of_language.parse_known_args(arguments)", "pass"),
            ],
        },
    ),
    *in_file(
        "shared/help_text.py",
        {
            "tests/shared/test_cli.py::test_in_chinese_every_line_of_help_fits_the_terminal": [
                ("language: a wide character counts as one column", "return sum(2 if", "return sum(1 if"),
            ],
        },
    ),
    *in_file(
        "shared/system/progress.py",
        {
            "tests/system/test_progress.py::test_a_child_tells_its_parent_how_far_it_is_in_the_readers_language": [
                ("language: a child tells English", "language.shown(doing)  # JSON", "doing  # JSON"),
            ],
        },
    ),
    *in_file(
        "shared/system/language.py",
        {
            "tests/test_language.py::test_everything_that_is_said_has_a_translation": [
                (
                    "language: a sentence that is not in the catalogue",
                    "def shown(text: str) -> str:",
                    'UNTOLD = say("a sentence without a translation")\n\n\ndef shown(text: str) -> str:',
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/files.py",
        {
            "tests/logs/test_sources.py::test_arrays_that_are_not_weights_are_refused": [
                (
                    "own pair: objects are read",
                    "np.frombuffer(file.read(), dtype).reshape(",
                    "np.lib.format.read_array(archive.open(member), allow_pickle=True).reshape(",
                ),
            ],
            "tests/test_properties.py::test_what_is_no_file_to_read_is_refused_at_once[a socket]": [
                ("files: a pipe or a device is opened", "if not stat.S_ISREG(found.st_mode):", "if False:"),
            ],
            "tests/test_properties.py::test_what_is_no_file_to_read_is_refused_at_once[too large a log]": [
                ("files: a text of any size is read", "> largest:", "> 2 * largest:"),
            ],
            "tests/test_properties.py::test_what_is_no_file_to_read_is_refused_at_once[too large weights]": [
                ("files: weights of any size are read", "if needed > free:", "if False:"),
            ],
            "tests/test_properties.py::test_a_made_input_that_fell_short_once_does_no_more[6 GiB of 6 MB.npz]": [
                ("files: an archive may become anything", "unpacked > max(", "unpacked > 2 * max("),
            ],
            "tests/test_properties.py::test_an_array_with_any_header_is_refused_or_read": [
                ("files: headers that the tokenizer stumbles over", "tokenize.TokenError, ", ""),
            ],
        },
    ),
    *in_file(
        "compare.py",
        {
            "tests/logs/test_log_report.py::test_status_1_and_a_report_where_the_two_part": [
                (
                    "own pair: a first_divergence is status 0",
                    "ending.OK if log_words.good(pair) else ending.FAILED",
                    "ending.OK",
                ),
            ],
            "tests/test_programs.py::test_bad_input_to_compare_alone[--mode stock --prove]": [
                (
                    "asked in vain: a stock run takes --prove",
                    'if configuration.training.mode == "stock":\n        taken',
                    "if False:\n        taken",
                ),
            ],
        },
    ),
    *in_file(
        "shared/comparing/runs.py",
        {
            "tests/comparing/test_runs.py::test_the_reference_takes_the_spare_core_when_the_next_framework_is_ready": [
                (
                    "beside: the reference takes the core before the next framework is ready",
                    "free.wait()",
                    "pass",
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/beside.py",
        {
            "tests/system/test_beside.py::test_what_is_imported_late_is_missed_early": [
                ("beside: what is imported late is not missed early", "find_spec(package) is None", "package is None"),
            ],
        },
    ),
    *in_file(
        "benchmarks/breakdown.py",
        {
            "tests/benchmarks/test_breakdown.py::test_a_second_counts_for_the_innermost_span_alone": [
                (
                    "breakdown: a second counts for each span around it",
                    "found[span.lane, around[-1].what] -= span.ended - span.began",
                    "pass",
                ),
            ],
        },
    ),
    *in_file(
        "shared/cli.py",
        {
            "tests/shared/test_cli.py::test_help_names_the_program_and_what_it_does": [
                ("help names a package as if it were a file", 'else f"-m {program}"', "else program"),
            ],
            "tests/shared/test_cli.py::test_an_option_that_was_perhaps_meant_is_named": [
                ("no option is recognised by its first letters", "letters.get(given) or", ""),
            ],
            "tests/logs/test_log_report.py::test_status_2_and_one_line_for_bad_input_and_nothing_is_lost": [
                ("own pair: options of a training are ignored", "if name not in taken and", "if False and"),
            ],
            "tests/running/test_runner.py::test_a_number_of_steps_is_plainly_written": [
                (
                    "numbers: the digits of every alphabet",
                    "(options.is_plain(text) and text.isdecimal())",
                    "text.isdecimal()",
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/escaping.py",
        {
            "tests/system/test_escaping.py::test_a_name_is_text_and_nothing_else_wherever_it_stands": [
                ("names: HTML in one is HTML", '.replace("<", "&lt;")', ""),
                ("names: a backtick ends its code", '"`" * (1 + max(', '"`" * min(1, 1 + max('),
            ],
        },
    ),
    *in_file(
        "shared/system/errors.py",
        {
            "tests/system/test_escaping.py::test_every_error_is_one_line": [
                ("names: an error of several lines", "line = one_line(message)", "line = message"),
            ],
        },
    ),
    *in_file(
        "shared/system/output.py",
        {
            f"{OUTPUT}nothing_is_at_out_until_the_end": [
                (
                    "the earlier result goes before the new one is whole",
                    "            yield staging\n",
                    "            shutil.rmtree(out, ignore_errors=True)\n            yield staging\n",
                ),
            ],
            f"{OUTPUT}an_earlier_result_with_something_of_a_users_is_refused_and_kept": [
                ("a file more is no obstacle", "        elif name not in files and", "        elif False and"),
                ("a changed file is no obstacle", "elif name in files and", "elif False and"),
            ],
            f"{OUTPUT}a_manifest_that_leads_out_of_its_folder_removes_nothing": [
                ("a manifest may lead out of its folder", 'and ".." not in Path(name).parts', ""),
            ],
            f"{OUTPUT}what_comes_while_we_work_stays_and_the_result_is_whole_beside_it": [
                (
                    "what comes meanwhile is not looked for",
                    "    try:\n        _refuse_what_is_not_ours(given, out)\n",
                    "    try:\n",
                ),
            ],
            f"{OUTPUT}what_a_living_run_is_writing_is_left_alone": [
                (
                    "a living run's folder is cleared up",
                    "        return False\n    with os.fdopen(descriptor",
                    "        return True\n    with os.fdopen(descriptor",
                ),
            ],
            f"{OUTPUT}a_killed_run_leaves_the_earlier_result_or_a_whole_new_one_and_the_next_run_clears_up": [
                (
                    "nothing of a killed run is cleared up",
                    "            if alone:\n                _clear_up(out)\n",
                    "",
                ),
            ],
            f"{OUTPUT}many_writers_at_once_all_succeed_and_the_last_stays": [
                (
                    "results are put in place at any time",
                    "        with _locked(out.parent):\n            _put(",
                    "        if True:\n            _put(",
                ),
            ],
            f"{OUTPUT}a_mount_point_is_refused_and_a_folder_in_it_is_used": [
                (
                    "a mount point is found out at the end",
                    "                _refuse_what_could_not_be_replaced(given, out, staging)\n",
                    "",
                ),
            ],
            f"{OUTPUT}a_disk_without_the_room_is_refused": [
                ("space is not looked at", "    if free < needed:", "    if False:"),
            ],
            f"{OUTPUT}temporary_files_go_with_the_run": [
                (
                    "temporary files stay",
                    "        shutil.rmtree(folder, ignore_errors=True)\n\n\n@",
                    "        pass\n\n\n@",
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/cache.py",
        {
            f"{CACHE}a_damaged_entry_is_made_again_and_that_is_said": [
                ("a damaged entry is used", " and output.is_whole(entry)", ""),
            ],
            f"{CACHE}many_processes_at_once_make_an_entry_once": [
                ("entries are made by all at once", "            with _alone(base / kind):", "            if True:"),
            ],
            f"{CACHE}what_was_not_used_for_longest_goes_first": [
                ("nothing ever goes", "if number and (number >=", "if False and (number >="),
            ],
            f"{CACHE}what_a_killed_process_left_half_made_goes_and_nobody_waits_for_it": [
                ("half-made entries stay", "        _clear(left)\n", "        pass\n"),
            ],
            f"{CACHE}a_full_disk_keeps_nothing_and_loses_nothing": [
                (
                    "what can't be kept ends the run",
                    "    except (OSError, NotImplementedError) as",
                    "    except KeyError as",
                ),
            ],
        },
    ),
    *in_file(
        "shared/system/own_python.py",
        {
            "tests/system/test_own_python.py::test_a_python_without_libraries_hands_over": [
                ("a module is started as a file", '["-m", module] if module else', "[] if module else"),
            ],
        },
    ),
    *in_file(
        "shared/system/ending.py",
        {
            f"{ENDING}an_interrupt_waits_until_a_failed_run_has_tidied_up": [
                (
                    "an interrupt stops the tidying",
                    "        if not _waits.is_set():\n            raise",
                    "        if True:\n            raise",
                ),
            ],
            f"{ENDING}an_interrupt_does_not_wait_longer_than_the_tidying": [
                (
                    "an interrupt that waited is lost",
                    "        _waits.clear()\n    raise_lost_interrupt()",
                    "        _waits.clear()",
                ),
            ],
            f"{ENDING}an_unforeseen_exception_is_status_70_one_line_and_a_traceback_in_a_file": [
                (
                    "a crash is status 1",
                    "CRASHED, INTERRUPTED = 0, 1, 2, 70, 130",
                    "CRASHED, INTERRUPTED = 0, 1, 2, 1, 130",
                ),
            ],
            f"{ENDING}what_becomes_of_the_screen_changes_nothing": [
                (
                    "a broken pipe ends the program",
                    "except OSError:\n            return len(data)",
                    "except KeyError:\n            return len(data)",
                ),
                ("a character that can't be shown ends the program", 'errors="replace"', 'errors="strict"'),
            ],
            f"{ENDING}a_second_interrupt_does_not_cut_the_tidying_up_short": [
                ("tidying up is cut short", "> SECONDS_OF_TIDYING", "> 0"),
            ],
        },
    ),
    *in_file(
        "shared/system/progress.py",
        {
            "tests/test_faults.py::test_children_end_when_compare_does[PyTorch-start-9]": [
                ("a child outlives its parent", "    os.kill(os.getpid(), signal.SIGTERM)\n", "    return\n"),
            ],
        },
    ),
    *in_file(
        "shared/running/workers.py",
        {
            f"{LAUNCHER}a_worker_that_a_shell_has_started_may_tidy_up_as_well": [
                (
                    "a shell is asked to end, and not what it started",
                    "os.killpg(self._process.pid, number)",
                    "os.kill(self._process.pid, number)",
                ),
            ],
            f"{LAUNCHER}a_worker_that_is_stopped_ends_all": [
                ("a worker that is stopped is waited for", "worker.seconds_stopped() > SECONDS_STOPPED", "False"),
            ],
            f"{LAUNCHER}the_first_may_end_with_1_and_no_other_may": [
                ("any worker may end with 1", " if worker.number == 0 else (None, ending.OK)):", "):"),
            ],
        },
    ),
    *in_file(
        "shared/comparing/processes.py",
        {
            "tests/test_faults.py::test_a_child_that_ends_in_any_way_fails_the_comparison_and_no_more[start-PyTorch]": [
                ("a child's end is not asked of itself", ' and told["status"] == status', ""),
            ],
            "tests/comparing/test_runs.py::test_an_interrupt_while_a_child_starts_leaves_no_child": [
                (
                    "an interrupt forgets the child that it meets",
                    "self._starter.submit(self._start, name, command, on_event, without).result()",
                    "self._start(name, command, on_event, without)",
                ),
            ],
        },
    ),
    *in_file(
        "shared/configuration.py",
        {
            "tests/test_programs.py::test_bad_input_to_compare_alone[--mode stock --engine fast]": [
                (
                    "asked in vain: a stock run takes an engine",
                    'refuse_in_stock(self.training.mode, self.execution, {"workers": 1, "engine": "auto"})',
                    "pass",
                ),
            ],
        },
    ),
    *in_file(
        "shared/options.py",
        {
            "tests/shared/test_training.py::test_bad_value_is_named_in_one_line_with_a_cure": [
                ("numbers: underscores are read over", 'is not None and "_" not in text', "is not None"),
            ],
        },
    ),
    *in_file(
        "Makefile",
        {
            f"{MAKE}_selected_may_be_in_the_first_environment_alone_but_must_be_somewhere[somewhere]": [
                ("make: the second environment must have every test", "|| [ $$? -eq 5 ]", ""),
            ],
        },
    ),
    *in_file(
        "shared/system/machine.py",
        {
            "tests/system/test_machine.py::test_the_cores_are_those_that_affinity_and_quota_leave": [
                ("outer: the quota of a parent's group is overlooked", "(group, *group.parents)", "(group,)"),
            ],
            "tests/system/test_machine.py::test_the_environment_is_that_of_the_start_whatever_is_set_later": [
                ("outer: a variable that is set later counts", "dict(_AT_START)", "settings_of(os.environ)"),
            ],
        },
    ),
    *in_file(
        "shared/running/place.py",
        {
            "tests/running/test_place.py::test_slurm_tells_tensorflow_where_tf_config_does_not": [
                (
                    "place: Slurm goes before TF_CONFIG",
                    "_by_tf_config() or _by_slurm()",
                    "_by_slurm() or _by_tf_config()",
                ),
                ("place: a script of sbatch is taken for a task", "{*told} <=", "{told[0]} <="),
            ],
        },
    ),
    *in_file(
        "tensorflow_impl/workers.py",
        {
            "tests/running/test_several_machines.py::test_a_port_that_another_program_has_is_refused": [
                ("workers: a port that is taken is a fault of ours", '"Could not start gRPC server"', '"Could not"'),
            ],
        },
    ),
]
