"""What is shown: the page, the pictures, the tables, the terminal."""

from tests.mutants.table import Mutant, in_file

PAGE, REPORT = "tests/reporting/test_page.py::test_", "tests/reporting/test_report.py::test_"

MUTANTS: list[Mutant] = [
    *in_file(
        "shared/reporting/charts.py",
        {
            "tests/reporting/test_parts.py::test_a_third_framework_appears_everywhere": [
                (
                    "of three frameworks two are compared",
                    "np.max(values, axis=0) - np.min(values, axis=0)",
                    "abs(values[0] - values[1])",
                ),
            ],
            "tests/reporting/test_report.py::test_the_last_step_is_drawn_and_told_however_many_there_are": [
                (
                    "the last step is not drawn",
                    "np.union1d(np.arange(0, count, every), count - 1)",
                    "np.arange(0, count, every)",
                ),
            ],
            f"{REPORT}every_segment_is_drawn_where_it_ends": [
                ("a segment is drawn where it begins", "segment.until - 1 for", "segment.first for"),
            ],
            f"{REPORT}segments_that_end_at_other_steps_stand_each_at_its_own": [
                (
                    "segments are drawn one after the other",
                    "np.searchsorted(x, ends[name])",
                    "np.arange(len(run.segments))",
                ),
            ],
            f"{PAGE}more_steps_than_a_screen_can_show_are_thinned_and_the_axis_says_so": [
                ("page: every step of a run of any length", "np.arange(0, count, every)", "np.arange(count)"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/results.py",
        {
            f"{REPORT}what_a_verification_would_have_seen_and_its_crossings_are_told": [
                ("the crossings are not in results.json", "for segment in found.segments", "for segment in ()"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/findings.py",
        {
            f"{REPORT}the_report_opens_with_the_verdict_and_ends_with_the_command": [
                (
                    "the headline has the step that lies least off",
                    "return max(findings, key=lambda finding: finding.share)",
                    "return min(findings, key=lambda finding: finding.share)",
                ),
            ],
            f"{REPORT}a_wrong_step_is_told_with_whose_it_is_and_where": [
                (
                    "the table has what lies least off",
                    "worst = max(findings, key=",
                    "worst = min(findings, key=",
                ),
            ],
            f"{PAGE}axe_finds_nothing_that_bars_a_reader[proven-light-desk]": [
                ("page: two tables under one title", "What was derived again{where}", "What was derived again"),
            ],
            f"{REPORT}what_was_looked_for_in_one_run_alone_is_a_row_all_the_same": [
                (
                    "what one run alone was looked for ends the report",
                    "found.checks.get(check, [])",
                    "found.checks[check]",
                ),
            ],
        },
    ),
    *in_file(
        "shared/reporting/parts.py",
        {
            f"{PAGE}every_curve_is_drawn_or_said_not_to_be[diverged]": [
                ("a curve that can't be drawn, and not a word", "if not undrawn:", "if True:"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/report.py",
        {
            f"{PAGE}a_page_opens_in_the_language_of_who_made_it[with script]": [
                ("page: opens in English in any locale", ", language=of_environment()", ""),
            ],
            "tests/reporting/test_languages.py::test_a_file_of_markdown_lies_there_for_each_language": [
                ("report.zh-CN.md is English", "markdown.document(report, language)", "markdown.document(report)"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/markdown.py",
        {
            "tests/system/test_escaping.py::test_a_name_is_text_and_nothing_else_wherever_it_stands": [
                ("names: a cell is raw", "            return escaped(text)", "            return text"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/glossary.py",
        {
            "tests/reporting/test_glossary.py::test_a_term_is_marked_once_in_any_form_and_never_within_a_word": [
                ("report: a term is marked each time", "            self._unseen.remove(term)\n", ""),
                ("report: a term within a word", r"(?<![\w-])(?:", "(?:"),
            ],
            "tests/reporting/test_glossary.py::test_a_term_is_marked_in_chinese_and_never_within_a_longer_word": [
                ("report: no term is found beside a Chinese character", " | re.ASCII", ""),
                ("report: a Chinese term within a longer word", "步(?![骤伐调入]|一步)", "步"),
            ],
            "tests/reporting/test_glossary.py::test_after_the_glossary_nothing_is_marked": [
                ("report: marks that lead nowhere", "        self._closed = True\n", ""),
            ],
        },
    ),
    *in_file(
        "shared/reporting/origin.py",
        {
            "tests/reporting/test_glossary.py::test_a_report_tells_when_it_was_made_and_from_which_commits": [
                ("report: a changed checkout passes for a commit", '{name[:SHORT]}{dirty}"', '{name[:SHORT]}"'),
            ],
        },
    ),
    *in_file(
        "shared/reporting/assets/page.css",
        {
            f"{PAGE}a_table_that_scrolls_shows_a_shadow_where_more_is_and_none_elsewhere": [
                ("page: a shadow where nothing more is", " right / 2.5rem 100% local", " right / 2.5rem 100%"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/drawing.py",
        {
            "tests/reporting/test_drawing.py::test_no_matplotlibrc_changes_a_picture_or_stops_it": [
                (
                    "pictures: a user's matplotlibrc is read",
                    'contextlib.chdir(Path(__file__).resolve().parent / "assets")',
                    "contextlib.nullcontext()",
                ),
            ],
            "tests/reporting/test_drawing.py::test_no_variable_stops_a_picture": [
                ("pictures: a user's backend is used", '"MPLBACKEND": "agg", ', ""),
            ],
        },
    ),
    *in_file(
        "shared/reporting/page.py",
        {
            f"{PAGE}a_label_with_a_script_in_it_stays_text": [
                ("page: words from outside are code", "else escape(one) for i", "else Markup(one) for i"),
            ],
            f"{PAGE}a_page_opens_in_the_language_of_who_made_it[without]": [
                ("page: attributes are English at first", "translated(text, opening)", "translated(text, ENGLISH)"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/assets/page.html.jinja",
        {
            f"{PAGE}the_browser_refuses_the_page_anything_that_was_slipped_in": [
                (
                    "page: any script runs, anything is asked for",
                    'http-equiv="Content-Security-Policy"',
                    'name="policy"',
                ),
            ],
        },
    ),
    *in_file(
        "shared/reporting/assets/page.js",
        {
            f"{PAGE}a_chart_tells_the_runs_own_values": [
                (
                    "page: the first framework's values under both names",
                    "textContent = value)",
                    "textContent = values[0])",
                ),
            ],
            f"{PAGE}the_keyboard_reaches_every_control_and_works_it": [
                ("page: a chart out of the keyboard's reach", 'tabindex: "0", role', "role"),
            ],
            f"{PAGE}a_band_is_drawn_and_goes_with_its_curve": [
                ("page: bands that nobody sees", "bands: this.bands()", "bands: []"),
            ],
            f"{PAGE}single_seeds_are_points_that_no_line_joins": [
                ("page: seeds joined by a line", "width: curve.joined && !edge ?", "width: !edge ?"),
            ],
            f"{PAGE}the_choice_of_colours_is_remembered": [
                (
                    "page: the choice of colours forgotten",
                    "remembered((storage) => storage.setItem(COLOURS, theme));",
                    "",
                ),
            ],
            f"{PAGE}the_language_that_was_chosen_is_remembered": [
                ("page: the language forgotten", "remembered((storage) => storage.setItem(LANGUAGE, one.value));", ""),
            ],
            f"{PAGE}a_reader_chooses_the_language_and_sees_that_one_alone[diverged-with script]": [
                ("page: a chart goes on in the language before", "      redraw();\n    });\n  }", "    });\n  }"),
                ("page: attributes stay", "one.setAttribute(name, one.getAttribute(wanted));", ""),
            ],
        },
    ),
    *in_file(
        "shared/reporting/assets/page.css",
        {
            f"{PAGE}without_script_every_picture_and_table_is_there_and_no_dead_control[plain]": [
                ("page: no pictures without its script", ".drawn .still {", ".still {"),
            ],
            f"{PAGE}a_reader_chooses_the_language_and_sees_that_one_alone[diverged-without]": [
                ("page: both languages at once", "{ display: none; }\n/* Chinese", "{ }\n/* Chinese"),
            ],
            f"{PAGE}paper_shows_the_pictures_and_unfolds_what_is_folded[plain]": [
                ("page: dark on paper", ":root, :root[data-theme] { color-scheme: light; }", ""),
            ],
            f"{PAGE}two_fingers_zoom_and_what_is_under_them_stays_there": [
                ("page: the browser takes the fingers' moves", "touch-action: pan-y; ", ""),
            ],
        },
    ),
    *in_file(
        "shared/reporting/mistakes.py",
        {
            "tests/reporting/test_mistakes.py": [
                ("a confusion matrix transposed", "(labels[made], predicted[made])", "(predicted[made], labels[made])"),
            ],
            "tests/reporting/test_mistakes.py::test_confidently_wrong_is_what_both_are_sure_of": [
                ("confidently wrong by the surer of the two", ".min(axis=0)\n    return", ".max(axis=0)\n    return"),
            ],
        },
    ),
    *in_file(
        "shared/reporting/terminal.py",
        {
            "tests/reporting/test_terminal.py::test_the_live_table_holds_the_compared_runs_alone": [
                (
                    "terminal: any run counts for the pair",
                    "variant == Variant(variant.framework, self._training.dtype)",
                    "True",
                ),
            ],
            "tests/reporting/test_terminal.py::test_no_number_is_cut_and_what_is_left_out_is_named": [
                ("terminal: columns are cut to fit", "<= console.width", "<= console.width + 5"),
            ],
            "tests/reporting/test_terminal.py::test_colours_are_on_a_terminal_that_wants_them_and_nowhere_else": [
                ("terminal: colours in a pipe", ", color_system=None, force_terminal=False", ""),
            ],
        },
    ),
    *in_file(
        "shared/system/progress.py",
        {
            "tests/reporting/test_terminal.py::test_colours_are_on_a_terminal_that_wants_them_and_nowhere_else": [
                ("terminal: bars in a pipe", "sys.stderr.isatty() and", ""),
            ],
            "tests/reporting/test_terminal.py::test_what_a_child_tells_arrives_in_order_and_not_of_every_step": [
                ("terminal: every step is told", "if done == total or", "if True or"),
            ],
        },
    ),
]
