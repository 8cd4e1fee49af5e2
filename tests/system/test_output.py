"""An output folder appears whole or not at all, and nothing that is a user's is ever removed."""

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from shared.system import output
from shared.system.errors import InputError
from shared.system.output import MANIFEST, fresh_folder, is_whole, read_manifest, remove, renewed_folder
from tests.conftest import ROOT

RESULT, PICTURE = "run.json", "deeper/picture.png"


def contents(folder):
    """Every file by its path, but the manifest."""
    files = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    return {name: path.read_text(encoding="utf-8") for name, path in files.items() if name != MANIFEST}


def produce(out, text="new", failure=None):
    with fresh_folder(out) as folder:
        (folder / RESULT).write_text(text, encoding="utf-8")
        (folder / PICTURE).parent.mkdir()
        (folder / PICTURE).write_text(text, encoding="utf-8")
        if failure:
            raise failure


def of(text):
    return {RESULT: text, PICTURE: text}


@pytest.fixture
def earlier(tmp_path: Path):
    """A folder with an earlier result, alone in its parent."""
    out = tmp_path / "parent" / "out"
    produce(out, "earlier")
    return out


def nothing_beside(out):
    return [path.name for path in out.parent.iterdir()] == [out.name]


def test_folder_and_its_parents_are_made(tmp_path: Path):
    out = tmp_path / "a" / "b" / "out"
    produce(out)
    assert contents(out) == of("new")
    assert nothing_beside(out)


def test_empty_folder_is_used(tmp_path: Path):
    out = tmp_path / "parent" / "out"
    out.mkdir(parents=True)
    (out / ".DS_Store").write_bytes(b"of the desktop")
    produce(out)
    assert contents(out) == of("new")
    assert nothing_beside(out)


def test_earlier_result_is_replaced_whole(earlier):
    (earlier / PICTURE).unlink()
    (earlier / ".DS_Store").write_bytes(b"of the desktop")
    produce(earlier)
    assert contents(earlier) == of("new")
    assert nothing_beside(earlier)


def test_manifest_lists_every_file_with_its_sha256(earlier):
    files = read_manifest(earlier)
    assert files.keys() == of("").keys()
    for name, digest in files.items():
        assert digest == hashlib.sha256((earlier / name).read_bytes()).hexdigest()
    assert is_whole(earlier)


def test_nothing_is_at_out_until_the_end(tmp_path: Path, earlier):
    for out, before in ((tmp_path / "new", None), (earlier, of("earlier"))):
        with fresh_folder(out) as folder:
            assert contents(folder) == {}
            # On the same file system, where a rename is all or nothing.
            assert folder.parent.samefile(out.parent)
            (folder / RESULT).write_text("new", encoding="utf-8")
            assert (contents(out) if out.exists() else None) == before


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_the_earlier_result_and_no_litter(earlier, failure):
    with pytest.raises(failure):
        produce(earlier, failure=failure)
    assert contents(earlier) == of("earlier")
    assert nothing_beside(earlier)


def test_failure_leaves_nothing_where_nothing_was(tmp_path: Path):
    with pytest.raises(RuntimeError):
        produce(tmp_path / "out", failure=RuntimeError)
    assert list(tmp_path.iterdir()) == []


def test_failure_to_put_the_result_in_place_leaves_the_earlier_one(earlier):
    with pytest.raises(FileNotFoundError), fresh_folder(earlier) as folder:
        shutil.rmtree(folder)
    assert contents(earlier) == of("earlier")


def test_result_is_as_readable_as_any_folder(tmp_path: Path):
    produce(tmp_path / "out")
    assert stat.S_IMODE((tmp_path / "out").stat().st_mode) == 0o755


def test_temporary_files_go_with_the_run(tmp_path: Path):
    left = "import tempfile; print(tempfile.mkdtemp())"
    with fresh_folder(tmp_path / "out") as folder:
        made = subprocess.run([sys.executable, "-c", left], capture_output=True, encoding="utf-8", check=True).stdout
        assert Path(made.strip()).is_relative_to(folder)
    assert [path.name for path in (tmp_path / "out").iterdir()] == [MANIFEST]
    assert os.environ.get("TMPDIR") != str(folder / "tmp")


# What is a user's stays.


@pytest.mark.parametrize("target", ["earlier result", "nothing yet"])
def test_link_to_a_folder_of_ours_stays_a_link(tmp_path: Path, target):
    real, link = tmp_path / "disk" / "real", tmp_path / "out"
    real.parent.mkdir()
    if target == "earlier result":
        produce(real, "earlier")
    link.symlink_to(real)
    produce(link)
    assert link.is_symlink()
    assert contents(real) == of("new")
    assert nothing_beside(real)


def test_current_folder_is_used_or_refused_before_the_work(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    worked = False
    try:
        with fresh_folder(Path()) as folder:
            worked = True
            (folder / RESULT).write_text("new", encoding="utf-8")
    except InputError:
        assert not worked
    else:
        assert contents(tmp_path) == {RESULT: "new"}


def refused(out, **more):
    """The message of the InputError that `out` raises before any work is done."""
    with pytest.raises(InputError) as error, fresh_folder(out, **more):
        pytest.fail("the work began")
    message = str(error.value)
    assert message.startswith(f"--out {out}: ")
    assert "give --out a " in message
    assert "\n" not in message
    return message


def test_file_is_refused_and_kept(tmp_path: Path):
    out = tmp_path / "out"
    out.write_text("mine", encoding="utf-8")
    assert "it is a file" in refused(out)
    assert out.read_text(encoding="utf-8") == "mine"
    assert nothing_beside(out)


def write_results_json(folder):
    (folder / "results.json").write_text("{}", encoding="utf-8")


def write_run_json(folder):
    (folder / RESULT).write_text("{}", encoding="utf-8")


@pytest.mark.parametrize("more", [None, write_results_json, write_run_json])
def test_folder_that_is_not_ours_is_refused_and_kept(tmp_path: Path, more):
    out = tmp_path / "parent" / "out"
    out.mkdir(parents=True)
    (out / "thesis.txt").write_text("mine", encoding="utf-8")
    if more:
        more(out)
    before = contents(out.parent)
    refused(out)
    assert contents(out.parent) == before


@pytest.mark.parametrize("absolute", [False, True])
def test_a_manifest_that_leads_out_of_its_folder_removes_nothing(tmp_path: Path, absolute):
    mine, out = tmp_path / "mine.txt", tmp_path / "out"
    mine.write_text("mine", encoding="utf-8")
    out.mkdir()
    found = {"written_by": output.PROGRAM, "files": {str(mine) if absolute else "../mine.txt": output.sha256(mine)}}
    (out / MANIFEST).write_text(json.dumps(found), encoding="utf-8")
    refused(out)
    remove(out)
    assert mine.read_text(encoding="utf-8") == "mine"


CHANGES = {
    "a file more": lambda out: (out / "thesis.txt").write_text("mine", encoding="utf-8"),
    "a file more, deeper": lambda out: (out / "deeper" / "thesis.txt").write_text("mine", encoding="utf-8"),
    "an empty folder more": lambda out: (out / "mine").mkdir(),
    "a hidden file": lambda out: (out / ".secret").write_text("mine", encoding="utf-8"),
    "a file changed": lambda out: (out / PICTURE).write_text("edited", encoding="utf-8"),
    "a link more": lambda out: (out / "link").symlink_to(out.parent),
    "a link that leads nowhere": lambda out: (out / "link").symlink_to("nowhere"),
    "a file replaced by a link": lambda out: ((out / RESULT).unlink(), (out / RESULT).symlink_to("/etc/passwd")),
    "a folder replaced by a link": lambda out: (shutil.rmtree(out / "deeper"), (out / "deeper").symlink_to(out.parent)),
    "no manifest": lambda out: (out / MANIFEST).unlink(),
    "a manifest of another program": lambda out: (out / MANIFEST).write_text('{"files": {}}', encoding="utf-8"),
    "a manifest cut short": lambda out: os.truncate(out / MANIFEST, 40),
    "a manifest that is a link": lambda out: (
        shutil.copy(out / MANIFEST, out.parent.parent / "kept"),
        (out / MANIFEST).unlink(),
        (out / MANIFEST).symlink_to(out.parent.parent / "kept"),
    ),
    "a pipe": lambda out: os.mkfifo(out / "pipe"),
}


def everything(folder):
    return {(str(path), path.lstat().st_ino) for path in folder.rglob("*")}


@pytest.mark.parametrize("change", CHANGES)
def test_an_earlier_result_with_something_of_a_users_is_refused_and_kept(earlier, change):
    CHANGES[change](earlier)
    before = everything(earlier)
    refused(earlier)
    assert everything(earlier) == before
    assert nothing_beside(earlier)


@pytest.mark.parametrize("change", CHANGES)
def test_what_comes_while_we_work_stays_and_the_result_is_whole_beside_it(earlier, change):
    seen = []

    def work():
        with fresh_folder(earlier) as folder:
            (folder / RESULT).write_text("new", encoding="utf-8")
            CHANGES[change](earlier)
            seen.append(everything(earlier))

    with pytest.raises(InputError, match=r"this run's result is whole, in \S+/out-2$"):
        work()
    assert [everything(earlier)] == seen
    assert contents(earlier.parent / "out-2") == {RESULT: "new"}
    assert is_whole(earlier.parent / "out-2")


def renew(out):
    with renewed_folder(out, kept="deeper") as folder:
        (folder / RESULT).write_text("new", encoding="utf-8")


def refuse_links(*_):
    raise OSError(errno.EPERM, "Operation not permitted")


@pytest.mark.parametrize("links", [True, False])
def test_what_a_run_has_put_is_renewed_and_a_folder_of_it_stays(earlier, links, monkeypatch):
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)
    file = (earlier / PICTURE).stat().st_ino
    renew(earlier)
    assert contents(earlier) == {RESULT: "new", PICTURE: "earlier"}
    assert ((earlier / PICTURE).stat().st_ino == file) == links
    assert is_whole(earlier)
    assert nothing_beside(earlier)


def test_what_comes_before_a_renewal_stays_and_the_result_is_whole_beside_it(earlier):
    (earlier / "mine").write_text("mine", encoding="utf-8")
    with pytest.raises(InputError, match=r"it holds mine, .*; this run's result is whole, in \S+/out-2$"):
        renew(earlier)
    assert contents(earlier) == {RESULT: "earlier", PICTURE: "earlier", "mine": "mine"}
    assert contents(earlier.parent / "out-2") == {RESULT: "new", PICTURE: "earlier"}


def test_where_nothing_can_be_renamed_any_more_the_result_is_whole_elsewhere(earlier, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(30, "Read-only file system")

    def work():
        with fresh_folder(earlier) as folder:
            (folder / RESULT).write_text("new", encoding="utf-8")
            monkeypatch.setattr(Path, "rename", refuse)

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with pytest.raises(InputError, match="Read-only file system; this run's result is whole, in ") as error:
        work()
    kept = Path(str(error.value).rpartition(" ")[2])
    assert kept.is_relative_to(tmp_path)
    assert contents(kept) == {RESULT: "new"}
    assert contents(earlier) == of("earlier")


def test_removal_touches_nothing_but_the_files_of_the_manifest(earlier):
    (earlier / "deeper" / "thesis.txt").write_text("mine", encoding="utf-8")
    remove(earlier)
    assert contents(earlier) == {"deeper/thesis.txt": "mine"}


def test_file_in_the_way_of_a_parent_is_refused(tmp_path: Path):
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    refused(tmp_path / "file" / "out")
    refused(tmp_path / "file" / "deeper" / "out")
    assert contents(tmp_path) == {"file": "mine"}


def test_a_name_that_no_file_can_have_is_refused(tmp_path: Path):
    assert "File name too long" in refused(tmp_path / ("x" * 300))
    with pytest.raises(InputError, match=r"--out nul\\x00: embedded null byte; give"), fresh_folder(Path("nul\0")):
        pytest.fail("the work began")


def test_a_loop_of_links_is_refused(tmp_path: Path):
    (tmp_path / "out").symlink_to(tmp_path / "out")
    refused(tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_parent_that_may_not_be_written_is_refused(tmp_path: Path):
    tmp_path.chmod(0o500)
    assert "Permission denied" in refused(tmp_path / "out")


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder in which even root cannot write")
def test_parent_in_which_nobody_can_write_is_refused():
    refused(Path("/proc/parity/out"))


def test_a_disk_without_the_room_is_refused(tmp_path: Path):
    free = shutil.disk_usage(tmp_path).free
    assert "MB are needed" in refused(tmp_path / "out", needed=2 * free)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def mount_point(tmp_path: Path):
    folder = tmp_path / "mounted"
    folder.mkdir()
    if subprocess.run(["/bin/mount", "--bind", folder, folder], capture_output=True, check=False).returncode:
        pytest.skip("nothing may be mounted here")
    yield folder
    subprocess.run(["/bin/umount", folder], check=True)


def test_a_mount_point_is_refused_and_a_folder_in_it_is_used(mount_point):
    assert "it is a mount point" in refused(mount_point)
    produce(mount_point / "report")
    assert contents(mount_point / "report") == of("new")


# Runs that are killed, and runs at the same time.

# Told "meets FOLDER 12", twelve end their work at once. Who then puts its result in place goes on only when all have
# come to the lock, and fails where another has passed it.
WRITER = """
import os, signal, sys, time
from pathlib import Path
from shared.system import output

def dies(*_):
    os.kill(os.getpid(), signal.SIGKILL)

out, stage = Path(sys.argv[1]), sys.argv[2]
renames = 0
if stage == "before the manifest":
    output.write_manifest = lambda folder, real=output.write_manifest: dies() if any(folder.iterdir()) else real(folder)
if stage.startswith("rename"):
    def rename(path, target, real=Path.rename):
        global renames
        if str(path) != str(out) or target.suffix != output.STAGING:  # not the trial
            renames += 1
            if renames == int(stage[-1]):
                dies()
        return real(path, target)
    Path.rename = rename
if stage == "removing":
    output.remove = dies
if stage == "half removed":
    Path.rmdir = dies
stage, *where = stage.split() if stage.startswith("meets") else [stage]
def meet(place, wait=True):
    here = Path(where[0]) / place
    (here / str(os.getpid())).touch()
    while wait and len(os.listdir(here)) < int(where[1]):
        time.sleep(0.01)
def lock(folder, real=output._locked):
    meet("at the lock", wait=False)
    return real(folder)
def put(*arguments, real=output._put):
    meet("at the lock", wait=False)
    alone = Path(where[0]) / "alone"
    alone.touch(exist_ok=False)
    meet("at the lock")
    real(*arguments)
    alone.unlink()
with output.fresh_folder(out) as folder:
    (folder / "run.json").write_text("new", encoding="utf-8")
    if stage == "meets":
        meet("at the end")
        output._locked, output._put = lock, put
    if stage == "working":
        dies()
"""
STAGES = ["working", "before the manifest", "rename 1", "rename 2", "removing", "half removed"]


def write(out, stage):
    return subprocess.run([sys.executable, "-c", WRITER, out, stage], cwd=ROOT, check=False).returncode


@pytest.mark.parametrize("stage", STAGES)
def test_a_killed_run_leaves_the_earlier_result_or_a_whole_new_one_and_the_next_run_clears_up(earlier, stage):
    assert write(earlier, stage) == -signal.SIGKILL
    assert not nothing_beside(earlier)
    if stage == "rename 2":  # moved away, and nothing in its place yet: the next run puts it back
        with pytest.raises(RuntimeError):
            produce(earlier, failure=RuntimeError)
    assert contents(earlier) in (of("earlier"), {RESULT: "new"})
    produce(earlier, "newer")
    assert contents(earlier) == of("newer")
    assert nothing_beside(earlier)


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_into_another_folder_clears_up_as_well(earlier, stage):
    assert write(earlier, stage) == -signal.SIGKILL
    produce(earlier.with_name("another"))
    assert sorted(path.name for path in earlier.parent.iterdir()) == ["another", "out"]
    assert contents(earlier) in (of("earlier"), {RESULT: "new"})


def test_what_a_living_run_is_writing_is_left_alone(earlier):
    with fresh_folder(earlier) as folder:
        (folder / RESULT).write_text("slow", encoding="utf-8")
        assert write(earlier, "to the end") == 0
        assert contents(folder) == {RESULT: "slow"}
        assert contents(earlier) == {RESULT: "new"}
    assert contents(earlier) == {RESULT: "slow"}
    assert nothing_beside(earlier)


def test_a_users_folder_that_looks_like_ours_is_left_alone(earlier):
    theirs = earlier.parent / f".out-12345678{output.STAGING}"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("mine", encoding="utf-8")
    produce(earlier)
    assert contents(theirs) == {"thesis.txt": "mine"}
    (theirs / MANIFEST).symlink_to(earlier / MANIFEST)
    (earlier.parent / f".out-12345679{output.STAGING}").symlink_to(earlier)
    produce(earlier)
    assert contents(theirs)["thesis.txt"] == "mine"


def test_many_writers_at_once_all_succeed_and_the_last_stays(earlier, tmp_path):
    for place in ("at the end", "at the lock"):
        (tmp_path / "meeting" / place).mkdir(parents=True)
    command = [sys.executable, "-c", WRITER, earlier, f"meets {tmp_path / 'meeting'} 12"]
    writers = [subprocess.Popen(command, cwd=ROOT) for _ in range(12)]
    assert [writer.wait(timeout=60) for writer in writers] == [0] * 12
    assert contents(earlier) == {RESULT: "new"}
    assert nothing_beside(earlier)
