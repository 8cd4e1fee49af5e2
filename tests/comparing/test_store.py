"""A run is fetched where, and only where, it is the same run."""

import pytest

from shared.comparing import store
from shared.comparing.runs import Variant, Watcher, make_runs
from shared.configuration import Configuration
from shared.contract import REFERENCE
from shared.running.record import ARRAYS_FILE

CONFIGURATION = Configuration.of(epochs=1, batch_size=6_000, hidden_sizes=(6, 5), device="cpu")
PLAIN, PERTURBED = Variant(REFERENCE, "float32"), Variant(REFERENCE, "float32", perturbed=True)


@pytest.fixture(autouse=True)
def folder(own_cache):
    return own_cache / store.KIND


def made_in(folder, *variants):
    return make_runs(CONFIGURATION, variants, {}, folder, watcher=Watcher())


def test_a_run_that_was_made_is_not_made_again(tmp_path, folder):
    first = made_in(tmp_path / "first", PLAIN)[PLAIN]
    again = made_in(tmp_path / "again", PLAIN)[PLAIN]
    # Its time of making is the earlier one's: no second run takes as long to the nanosecond.
    assert again.record == first.record
    assert len(list(folder.iterdir())) == 1


def test_a_repeat_is_always_made(tmp_path):
    first = made_in(tmp_path / "first", PLAIN)[PLAIN]
    repeat = Variant(REFERENCE, "float32", repeated=True)
    again = made_in(tmp_path / "again", repeat)[repeat]
    assert again.record.files == first.record.files
    assert again.record.timing != first.record.timing


def test_keys_differ_with_all_that_a_run_depends_on(tmp_path, monkeypatch):
    keys = [
        store.key("shared.reference", CONFIGURATION),
        store.key("shared.reference.reordered", CONFIGURATION),
        store.key("shared.reference", CONFIGURATION, "perturbed"),
    ]
    keys.append(store.key("shared.reference", CONFIGURATION.but(seed=1)))
    monkeypatch.setattr(store, "cpu_name", lambda: "another")
    keys.append(store.key("shared.reference", CONFIGURATION))
    monkeypatch.setattr(store, "environment", lambda: {"OPENBLAS_CORETYPE": "Prescott"})
    keys.append(store.key("shared.reference", CONFIGURATION))
    (tmp_path / "shared").mkdir()
    for text in ("a = 1", "a = 2"):
        (tmp_path / "shared" / "x.py").write_text(text, encoding="utf-8")
        monkeypatch.setattr(store, "ROOT", tmp_path)
        keys.append(store.key("shared.reference", CONFIGURATION))
    assert len(set(keys)) == len(keys)


def test_a_kept_run_that_was_damaged_is_made_again(tmp_path, folder):
    first = made_in(tmp_path / "first", PLAIN)[PLAIN]
    (arrays,) = folder.glob(f"*/{ARRAYS_FILE}")
    arrays.write_bytes(arrays.read_bytes()[:-1] + b"?")
    again = made_in(tmp_path / "again", PLAIN)[PLAIN]
    assert again.record.files == first.record.files
    assert again.record.timing != first.record.timing
