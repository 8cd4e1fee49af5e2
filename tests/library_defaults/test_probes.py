"""docs/differences.md against the installed libraries, in the environment of each: `make test` runs this in both."""

import functools
import importlib
import json
import re
import subprocess
import sys

import numpy as np
import pytest

from library_defaults import formulas, probing, table, update_rules
from library_defaults.rows import ROWS
from shared.contract import FRAMEWORKS
from tests.conftest import ROOT

COMMITTED = json.loads(table.JSON_FILE.read_text(encoding="utf-8"))
KEYS = [row.key for row in ROWS]
DIFFERING = [row for row in ROWS if table.differs(row, COMMITTED)]


@pytest.fixture(scope="session")
def measured(name):
    """What the probes measure, in a process where nothing else has set a switch."""
    command = [sys.executable, "-m", table.PROBES[name]]
    return json.loads(
        subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, encoding="utf-8").stdout
    )


@pytest.fixture(scope="session")
def probes(name):
    return probing.probes(importlib.import_module(f"{table.PROBES[name]}.__main__").MODULES)


def assert_as_committed(name, key, value):
    """Both as JSON holds them: a tuple is a list."""
    found, committed = json.loads(json.dumps(value)), COMMITTED[name]["values"][key]
    assert found == committed, (
        f"{key}: {name} now has {found}, docs/differences.json {committed}: "
        f"regenerate with {table.COMMAND} after checking what it means for the twins and the rows"
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_installed_library_does_what_the_table_says(name, measured, key):
    assert key not in measured["unrecognised"], f"{key}: {measured['unrecognised'][key]}"
    assert_as_committed(name, key, measured["values"][key])


def test_the_table_names_the_installed_versions(name, measured):
    assert measured["versions"] == COMMITTED[name]["versions"], f"regenerate with {table.COMMAND}"


def test_every_row_has_a_probe_and_every_probe_a_row_in_the_same_order(name, probes):
    assert list(probes) == KEYS
    assert list(COMMITTED[name]["values"]) == KEYS


def test_the_page_is_made_of_the_rows_and_the_measurements():
    assert table.MARKDOWN_FILE.read_text(encoding="utf-8") == table.markdown(COMMITTED)


def test_the_page_names_every_row_its_values_and_what_to_do():
    page = table.markdown(COMMITTED)
    for row in ROWS:
        assert f"| {row.item} |" in page
        assert row.curve in page
        assert "|" not in row.item + row.curve + row.pytorch + row.keras, "it would end the cell"
    for row in DIFFERING:
        assert f"| `{row.pytorch}` | `{row.keras}` |" in page
    assert f"{len(DIFFERING)} differ, and [{len(ROWS) - len(DIFFERING)} are the same]" in page


def test_the_page_notices_another_value():
    altered = json.loads(json.dumps(COMMITTED))
    altered["PyTorch"]["values"]["adam_learning_rate"] = 0.002
    page = table.markdown(altered)
    assert "| Adam: learning rate | 0.002 | 0.001 |" in page
    assert f"{len(DIFFERING) + 1} differ" in page


def test_code_for_what_differs_and_for_nothing_else():
    assert [row for row in ROWS if row.pytorch] == DIFFERING
    assert [row for row in ROWS if row.keras] == DIFFERING


@pytest.mark.parametrize("damage", ["missing", "extra", "unrecognised"])
def test_an_incomplete_measurement_is_refused(damage):
    altered = json.loads(json.dumps(COMMITTED))
    if damage == "missing":
        del altered["TensorFlow"]["values"]["adam_epsilon"]
    elif damage == "extra":
        altered["TensorFlow"]["values"]["adam_epsilon_of_old"] = 1
    else:
        altered["TensorFlow"]["unrecognised"]["adam_epsilon"] = "7 is neither"
    table.check(COMMITTED)
    with pytest.raises(table.InputError, match=r"^adam_epsilon.*TensorFlow"):
        table.check(altered)


def test_probes_that_die_leave_the_page_as_it_was(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(table, "MARKDOWN_FILE", tmp_path / "page.md")
    monkeypatch.setitem(table.PROBES, "PyTorch", "no_such_package")
    with pytest.raises(table.InputError, match="no_such_package ended with status 1"):
        table.main()
    assert not list(tmp_path.iterdir())


# --- A library that changes: a declared default and some behaviours, in each framework. ---


def defaulting(function, **options):
    """The same function with other defaults."""
    return functools.partial(function, **options)


def altered_sgd_learning_rate(monkeypatch, name):
    library = importlib.import_module({"PyTorch": "torch.optim", "TensorFlow": "keras.optimizers"}[name])
    option = {"PyTorch": "lr", "TensorFlow": "learning_rate"}[name]
    monkeypatch.setattr(library, "SGD", defaulting(library.SGD, **{option: 0.5}))


def altered_leaky_relu_layer(monkeypatch, name):
    library = importlib.import_module({"PyTorch": "torch.nn", "TensorFlow": "keras.layers"}[name])
    monkeypatch.setattr(library, "LeakyReLU", defaulting(library.LeakyReLU, negative_slope=0.5))


def altered_shuffling(monkeypatch, name):
    if name == "PyTorch":
        module = importlib.import_module("library_defaults.pytorch.training")
        monkeypatch.setattr(module, "DataLoader", defaulting(module.DataLoader, shuffle=True))
    else:
        library = importlib.import_module("keras")
        monkeypatch.setattr(library.Model, "fit", functools.partialmethod(library.Model.fit, shuffle=False))


def altered_adam_epsilon_place(monkeypatch, name):
    """Each framework's Adam, made to add ε where the other's does."""
    if name == "PyTorch":
        library = importlib.import_module("torch.optim")

        class OtherAdam(library.Adam):
            def step(self):
                group = self.param_groups[0]
                taken = sum(int(state["step"]) for state in self.state.values())
                group["eps"] = update_rules.EPSILON / (1 - group["betas"][1] ** (taken + 1)) ** 0.5
                super().step()

        monkeypatch.setattr(library, "Adam", OtherAdam)
    else:
        library = importlib.import_module("keras.optimizers")

        class OtherAdam(library.Adam):
            def apply(self, *arguments):
                self.epsilon = update_rules.EPSILON * (1 - self.beta_2 ** (int(self.iterations) + 1)) ** 0.5
                super().apply(*arguments)

        monkeypatch.setattr(library, "Adam", OtherAdam)


@pytest.mark.parametrize(
    "alter", [altered_sgd_learning_rate, altered_leaky_relu_layer, altered_shuffling, altered_adam_epsilon_place]
)
def test_a_library_that_changes_is_noticed_by_row(name, probes, monkeypatch, alter):
    key = alter.__name__.removeprefix("altered_")
    assert_as_committed(name, key, probes[key]())
    alter(monkeypatch, name)
    with pytest.raises(AssertionError, match=f"^{key}: {name} now has .* regenerate with make differences"):
        assert_as_committed(name, key, probes[key]())


def test_with_epsilon_moved_each_framework_is_the_other(name, probes, monkeypatch):
    altered_adam_epsilon_place(monkeypatch, name)
    (other,) = set(FRAMEWORKS) - {name}
    assert_as_committed(other, "adam_epsilon_place", probes["adam_epsilon_place"]())


def test_what_no_formula_describes_is_no_row(name, probes, monkeypatch, capsys):
    library = importlib.import_module({"PyTorch": "torch.optim", "TensorFlow": "keras.optimizers"}[name])
    option = {"PyTorch": "dampening", "TensorFlow": "nesterov"}[name]
    value = {"PyTorch": 0.25, "TensorFlow": True}[name]
    monkeypatch.setattr(library, "SGD", defaulting(library.SGD, **{option: value}))
    with pytest.raises(probing.UnrecognisedError, match=r"is none of outside: .*, inside: "):
        probes["sgd_momentum"]()
    two = {key: probes[key] for key in ("sgd_momentum", "adam_epsilon")}
    monkeypatch.setattr(probing, "probes", lambda _modules: two)
    assert probing.main({"library": "1.2+cu130"}, ()) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["versions"] == {"library": "1.2"}
    assert printed["unrecognised"].keys() == {"sgd_momentum"}
    assert printed["values"].keys() == {"adam_epsilon"}


# --- What probes are made with. ---


def test_recognises_one_candidate_or_none():
    candidates = {"one": [1.0, 2.0], "other": [1.0, 2.5], "twin": [1.0, 2.5 + 1e-9], "zero": [0.0, 0.0]}
    assert probing.recognise([1.0, 2.0 + 1e-9], candidates) == "one"
    assert probing.recognise([0.0, 0.0], candidates) == "zero"
    for measured, message in {(1.0, 2.1): "none of one, other", (1.0, 2.5): "other and twin", (1.0,): "none"}.items():
        with pytest.raises(probing.UnrecognisedError, match=message):
            probing.recognise(measured, candidates)
    for not_a_number in (np.nan, np.inf):
        with pytest.raises(probing.UnrecognisedError, match="none of"):
            probing.recognise([1.0, not_a_number], candidates)


def test_a_default_must_exist():
    assert probing.default(lambda rate=0.5: rate, "rate") == 0.5
    for parameter in ("needed", "unknown"):
        with pytest.raises(probing.UnrecognisedError, match=parameter):
            probing.default(lambda needed: needed, parameter)


@pytest.mark.parametrize("draw", ["wider", "normal", "shifted"])
def test_a_distribution_is_more_than_its_bounds(draw):
    rng = np.random.default_rng(0)
    shape, bound = (formulas.FAN_IN, formulas.FAN_OUT), formulas.FAN_IN**-0.5
    uniform = rng.uniform(-bound, bound, shape)
    assert formulas.distribution(uniform, *shape) == "U(±1/√fan_in)"
    another = {"wider": 1.05 * uniform, "normal": rng.normal(0, bound / 3**0.5, shape), "shifted": uniform + bound / 20}
    with pytest.raises(probing.UnrecognisedError):
        formulas.distribution(another[draw], *shape)


def test_an_order_with_an_example_missing_is_no_shuffle():
    assert formulas.shuffled([2, 0, 1])
    assert not formulas.shuffled([0, 1, 2])
    with pytest.raises(probing.UnrecognisedError, match="2 different examples"):
        formulas.shuffled([0, 1, 1])


def test_a_shuffle_that_reaches_neither_within_the_buffer_nor_everywhere_is_neither():
    order = np.arange(formulas.EXAMPLES)
    assert formulas.shuffle_reach(order[::-1].tolist()) == "the whole data set"
    swapped = order.copy()
    swapped[[0, formulas.BUFFER - 1]] = swapped[[formulas.BUFFER - 1, 0]]
    assert formulas.shuffle_reach(swapped.tolist()) == "the buffer"
    for reach, message in {0: "did not shuffle", 3 * formulas.BUFFER: "30 places ahead"}.items():
        swapped = order.copy()
        swapped[[0, reach]] = swapped[[reach, 0]]
        with pytest.raises(probing.UnrecognisedError, match=message):
            formulas.shuffle_reach(swapped.tolist())


def test_the_readmes_count_the_differences():
    assert f"[{len(DIFFERING)} defaults in which the frameworks differ]" in (ROOT / "README.md").read_text(
        encoding="utf-8"
    )
    assert f" {len(DIFFERING)} 条差别" in (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")


def test_every_key_is_a_name_that_explains_itself():
    assert len(set(KEYS)) == len(KEYS)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]{5,}", key) for key in KEYS)
