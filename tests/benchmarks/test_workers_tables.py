"""benchmarks/workers.py and workers_trials.py: what they write, and what they call a good end."""

import re

import pytest

from benchmarks import workers, workers_trials
from benchmarks.workers import DOCUMENT, NUMBERS, TABLES, with_table
from benchmarks.workers_steps import MISTAKES
from benchmarks.workers_trials import COMPARE, LAUNCHER, TORCHRUN, Ended, Trial
from shared.reporting.parts import Table
from shared.system.errors import InputError
from shared.update_rules import UPDATE_RULES


def written(name):
    """The rows of a table of the document, each a list of its cells."""
    text = DOCUMENT.read_text(encoding="utf-8")
    (table,) = re.findall(rf"<!-- {name}: .* -->\n(.*?)<!-- end of {name} -->", text, re.DOTALL)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]


def test_every_mistake_is_in_the_document_with_its_figures():
    rows = {name.replace("\\", ""): cells for name, *cells in written("mistakes")}
    assert rows.keys() == MISTAKES.keys()
    for name, moved in rows.items():
        figures = [float(cell) for cell in moved if cell != "–"]
        assert len(figures) == len(MISTAKES[name])
        assert all(figure > 1e-3 for figure in figures)


def test_workers_lie_a_few_units_in_the_last_place_from_one_process():
    epoch = {name: cells for name, *cells in written("exact")}
    assert epoch.keys() == {*(f"float64, {number}" for number in NUMBERS), "float32, 2"}
    assert {cells[-1] for cells in epoch.values()} == {"MATCH"}
    steps = {name: [float(cell) for cell in cells] for name, *cells in written("optimizers")}
    assert steps.keys() == UPDATE_RULES.keys()
    assert max(float(cells[column]) for name, cells in epoch.items() if "64" in name for column in (0, 3)) <= 2e-15
    for *losses, _weights, _logits, one_unit in steps.values():
        assert max(losses) <= max(2e-15, one_unit)  # RMSprop's first steps enlarge any rounding
    assert len(written("cost")) == 2 * len(workers.NETWORKS) * len(workers.WAYS)


def test_a_table_takes_its_own_place_and_needs_one():
    marks = [f"<!-- {name}: python -m benchmarks.workers {name} -->\n<!-- end of {name} -->" for name in TABLES]
    text = with_table("\n".join(["a", *marks, "b"]), "exact", Table(["x"], [["1"]]))
    assert with_table(text, "exact", Table(["x"], [["2"]])) == text.replace("| 1 |", "| 2 |")
    assert text.startswith("a\n")
    assert text.endswith("b")
    assert all(mark in text for mark in marks[1:])
    with pytest.raises(InputError, match="it has no place for cost"):
        with_table("a", "cost", Table(["x"], []))


ONE = Trial("PyTorch", LAUNCHER, "worker 1", "epoch", "kill")
LINE = "error: worker 1 was killed"


@pytest.mark.parametrize(
    ("trial", "ended", "good"),
    [
        (ONE, Ended(1.0, 2, LINE, 0, False), True),
        (ONE, Ended(100.0, 2, LINE, 0, False), False),
        (ONE, Ended(1.0, 1, LINE, 0, False), False),
        (ONE, Ended(1.0, 2, "error: worker 0 was killed", 0, False), False),
        (ONE, Ended(1.0, 2, f"a\n{LINE}", 0, False), False),
        (ONE, Ended(1.0, 2, LINE, 1, False), False),
        (ONE, Ended(1.0, 2, LINE, 0, True), False),
        (ONE._replace(launcher=COMPARE), Ended(1.0, 1, LINE, 0, False), False),
        (
            ONE._replace(launcher=COMPARE, what="worker 0", how="raise"),
            Ended(1.0, 70, "something is wrong", 0, False),
            True,
        ),
        (ONE._replace(launcher=TORCHRUN), Ended(1.0, 1, "a\nb", 0, False), True),
        (ONE._replace(launcher=TORCHRUN), Ended(1.0, 1, "a\nb", 1, False), False),
    ],
)
def test_what_a_good_end_is(trial, ended, good):
    assert ended.good(trial) == good


def test_a_trial_that_is_made_again_takes_its_own_row():
    ended = [Ended(1.0, 2, f"error: {LINE}", 0, False), Ended(2.0, 2, f"error: {LINE}", 0, False)]
    other = ONE._replace(what="worker 0")
    page = workers_trials.table([workers_trials.row(trial, ended[0]) for trial in (ONE, other)]) + "\n"
    assert workers_trials.merged(page, [workers_trials.row(other, ended[1])]) == "| 2.0 |".join(
        page.rsplit("| 1.0 |", 1)
    )


def test_the_record_of_the_trials_has_all_and_all_ended_well():
    text = (workers_trials.HERE / "workers_trials.md").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.startswith("|")][2:]
    assert len(lines) == len(list(workers_trials.trials())) >= 40
    assert all(line.endswith("| yes |") for line in lines)
