import os
import shutil
import stat
from pathlib import Path

import pytest

from shared.errors import InputError
from shared.output import fresh_folder

MARKER = "run.json"


def contents(folder):
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def produce(out, text="new", failure=None):
    with fresh_folder(out, MARKER) as folder:
        (folder / MARKER).write_text(text, encoding="utf-8")
        if failure:
            raise failure


@pytest.fixture
def earlier(tmp_path: Path):
    """A folder with an earlier result, alone in its parent."""
    out = tmp_path / "out"
    out.mkdir()
    (out / MARKER).write_text("earlier", encoding="utf-8")
    (out / "stale").write_text("stale", encoding="utf-8")
    return out


def nothing_beside(out):
    return [path.name for path in out.parent.iterdir()] == [out.name]


def test_folder_and_its_parents_are_made(tmp_path: Path):
    out = tmp_path / "a" / "b" / "out"
    produce(out)
    assert contents(out) == {MARKER: "new"}
    assert nothing_beside(out)


def test_empty_folder_is_used(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    produce(out)
    assert contents(out) == {MARKER: "new"}


def test_earlier_result_is_replaced_whole(earlier):
    produce(earlier)
    assert contents(earlier) == {MARKER: "new"}
    assert nothing_beside(earlier)


def test_nothing_is_at_out_until_the_end(tmp_path: Path, earlier):
    for out, before in ((tmp_path / "new", None), (earlier, {MARKER: "earlier", "stale": "stale"})):
        with fresh_folder(out, MARKER) as folder:
            assert contents(folder) == {}
            # On the same file system, where a rename is all or nothing.
            assert folder.parent.samefile(out.parent)
            (folder / MARKER).write_text("new", encoding="utf-8")
            assert (contents(out) if out.exists() else None) == before


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_earlier_result_and_no_litter(earlier, failure):
    with pytest.raises(failure):
        produce(earlier, failure=failure)
    assert contents(earlier) == {MARKER: "earlier", "stale": "stale"}
    assert nothing_beside(earlier)


def test_failure_leaves_nothing_where_nothing_was(tmp_path: Path):
    with pytest.raises(RuntimeError):
        produce(tmp_path / "out", failure=RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_failure_to_put_the_result_in_place_leaves_the_earlier_one(earlier):
    with pytest.raises(FileNotFoundError), fresh_folder(earlier, MARKER) as folder:
        shutil.rmtree(folder)
    assert contents(earlier) == {MARKER: "earlier", "stale": "stale"}


def test_result_is_as_readable_as_any_folder(tmp_path: Path):
    produce(tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


@pytest.mark.parametrize("target", ["earlier result", "nothing yet"])
def test_link_to_a_folder_stays_a_link(tmp_path: Path, target):
    real, link = tmp_path / "disk" / "real", tmp_path / "out"
    real.parent.mkdir()
    if target == "earlier result":
        produce(real, "earlier")
    link.symlink_to(real)
    produce(link)
    assert link.is_symlink()
    assert contents(real) == {MARKER: "new"}
    assert nothing_beside(real)


def test_current_folder_is_used_or_refused_before_the_work(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worked = False
    try:
        with fresh_folder(Path(), MARKER) as folder:
            worked = True
            (folder / MARKER).write_text("new", encoding="utf-8")
    except InputError:
        assert not worked
    else:
        assert contents(tmp_path) == {MARKER: "new"}


def refused(out):
    """The message of the InputError that `out` raises before any work is done."""
    with pytest.raises(InputError) as error, fresh_folder(out, MARKER):
        pytest.fail("the work began")
    message = str(error.value)
    assert message.startswith(f"--out {out}: ")
    assert "; give --out a new folder" in message
    assert "\n" not in message
    return message


def test_file_is_refused_and_kept(tmp_path: Path):
    out = tmp_path / "out"
    out.write_text("mine", encoding="utf-8")
    assert "it is a file" in refused(out)
    assert out.read_text(encoding="utf-8") == "mine"
    assert nothing_beside(out)


def test_folder_that_is_not_ours_is_refused_and_kept(tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "it holds other files than an earlier result" in refused(out)
    assert contents(out) == {"thesis.txt": "mine"}
    assert nothing_beside(out)


def test_file_in_the_way_of_a_parent_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused(tmp_path / "file" / "out")
    refused(tmp_path / "file" / "deeper" / "out")
    assert contents(tmp_path) == {"file": "mine"}


def test_name_too_long_for_the_file_system_is_refused(tmp_path: Path):
    assert "File name too long" in refused(tmp_path / ("x" * 300))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_parent_that_may_not_be_written_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in refused(tmp_path / "out")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which even root cannot write")
def test_parent_in_which_nobody_can_write_is_refused():
    refused(Path("/proc/parity/out"))
