"""What is kept is used only while it is whole, is bounded, and is never needed."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared.system import cache
from shared.system.output import MANIFEST, STAGING
from tests.conftest import ROOT
from tests.faults import DAMAGES, trying

pytestmark = pytest.mark.usefixtures("own_cache")
makes = []


@pytest.fixture(autouse=True)
def nothing_made_yet():
    makes.clear()


def make(folder):
    makes.append(folder)
    (folder / "deeper").mkdir()
    (folder / "deeper" / "data").write_text("content", encoding="utf-8")


def content(entry):
    return (entry / "deeper" / "data").read_text(encoding="utf-8")


def test_an_entry_is_made_once(capsys, own_cache):
    first = cache.made("kind", "key", make)
    assert first == own_cache.resolve() / "kind" / "key"
    assert cache.made("kind", "key", make) == cache.kept("kind", "key", make) == cache.find("kind", "key") == first
    assert len(makes) == 1
    assert content(first) == "content"
    assert cache.find("kind", "other") is None
    assert capsys.readouterr() == ("", "")


def fill_with_zeros(path):
    path.write_bytes(bytes(path.stat().st_size))


def as_a_folder(path):
    path.unlink()
    path.mkdir()


def as_a_link(path):
    target = path.with_name("elsewhere")
    path.rename(target)
    path.symlink_to(target)


OF_A_FILE = DAMAGES | {"zeros": fill_with_zeros, "a folder": as_a_folder, "a link": as_a_link}
OF_AN_ENTRY = {
    "gone": lambda _: None,
    "a plain file": lambda entry: entry.write_text("a plain file", encoding="utf-8"),
    "empty": lambda entry: entry.mkdir(),
    "a link": lambda entry: entry.symlink_to("/etc"),
    "a link that leads nowhere": lambda entry: entry.symlink_to("nowhere"),
}
OF_A_CACHE = (
    {f"file: {name}": lambda entry, way=way: way(entry / "deeper" / "data") for name, way in OF_A_FILE.items()}
    | {f"manifest: {name}": lambda entry, way=way: way(entry / MANIFEST) for name, way in OF_A_FILE.items()}
    | {f"entry: {name}": lambda entry, way=way: (shutil.rmtree(entry), way(entry)) for name, way in OF_AN_ENTRY.items()}
    | {
        "more: a file": lambda entry: (entry / "more").write_text("more", encoding="utf-8"),
        "more: a link": lambda entry: (entry / "more").symlink_to("/etc"),
    }
)


@pytest.mark.parametrize("damage", OF_A_CACHE)
def test_a_damaged_entry_is_made_again_and_that_is_said(capsys, damage):
    entry = cache.made("kind", "key", make)
    with trying("a damaged entry of the cache"):
        OF_A_CACHE[damage](entry)
        assert cache.find("kind", "key") is None
        assert content(cache.made("kind", "key", make)) == "content"
        assert len(makes) == 2
        said = capsys.readouterr().err
        assert said == ("" if damage == "entry: gone" else f"{entry} is damaged: it is made again\n")
        assert Path("/etc/passwd").exists()


def a_file_in_the_way(own_cache, monkeypatch):
    own_cache.parent.mkdir()
    own_cache.write_text("in the way", encoding="utf-8")


def a_file_in_the_kinds_way(own_cache, monkeypatch):
    own_cache.mkdir(parents=True)
    (own_cache / "kind").write_text("in the way", encoding="utf-8")


def no_folder_can_be_made(own_cache, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "/proc/cache")


def a_name_that_is_too_long(own_cache, monkeypatch):
    monkeypatch.setenv(cache.VARIABLE, "x" * 300)


def a_loop_of_links(own_cache, monkeypatch):
    own_cache.parent.mkdir()
    own_cache.symlink_to(own_cache)


def a_folder_in_the_locks_way(own_cache, monkeypatch):
    (own_cache / "kind.lock").mkdir(parents=True)


@pytest.mark.parametrize(
    "obstacle",
    [
        a_file_in_the_way,
        a_file_in_the_kinds_way,
        no_folder_can_be_made,
        a_name_that_is_too_long,
        a_loop_of_links,
        a_folder_in_the_locks_way,
    ],
)
def test_where_nothing_can_be_kept_it_is_made_all_the_same_and_that_is_said_once(
    capsys, own_cache, monkeypatch, tmp_path, obstacle
):
    obstacle(own_cache, monkeypatch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with trying("a cache that can't be written"):
        for number in range(1, 3):
            entry = cache.made("kind", "key", make)
            assert content(entry) == "content"
            assert entry.is_relative_to(tmp_path)
            assert len(makes) == number
            assert cache.kept("kind", "key", make) is None
        assert cache.find("kind", "key") is None
        said = capsys.readouterr().err
        assert said.startswith("Nothing is kept for the next run: ")
        assert said.count("\n") == 1


def test_a_full_disk_keeps_nothing_and_loses_nothing(capsys):
    """No file may grow beyond a few bytes: as on a disk that is full."""
    code = (
        "import resource, signal, sys, pathlib; from shared.system import cache\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "print(cache.kept('kind', 'key', lambda folder: (folder / 'x').write_bytes(bytes(2000))))\n"
        "print(len(list((cache.folder() / 'kind').iterdir())))"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, encoding="utf-8", check=True)
    assert run.stdout == "None\n0\n"
    assert "Nothing is kept for the next run: " in run.stderr
    assert run.stderr.count("\n") == 1


def test_what_was_not_used_for_longest_goes_first(monkeypatch, own_cache):
    monkeypatch.setattr(cache, "MOST_ENTRIES", 3)
    for key in ("a", "b", "c"):
        os.utime(cache.made("kind", key, make), (1, 1))
    os.utime(cache.find("kind", "a"), (2, 2))
    cache.made("kind", "b", make)  # used, so new
    cache.made("kind", "d", make)
    assert {path.name for path in (own_cache / "kind").iterdir()} == {"a", "b", "d"}
    monkeypatch.setattr(cache, "MOST_BYTES", 10)
    cache.made("kind", "e", make)
    assert {path.name for path in (own_cache / "kind").iterdir()} == {"e"}  # whatever its size


# Told "meets FOLDER 6", whoever makes goes on only when six have come: to the lock, or past it to make as well.
MAKER = """
import os, signal, sys, time
from pathlib import Path
from shared.system import cache

def meet():
    if how == "meets":
        (Path(where[0]) / str(os.getpid())).touch()

def wait_for_lock(kind, real=cache._alone):
    meet()
    return real(kind)

how, *where = sys.argv[2].split()
cache._alone = wait_for_lock

def make(folder):
    with open(sys.argv[1], "a", encoding="utf-8") as log:
        log.write("made\\n")
    (folder / "one").write_text("1", encoding="utf-8")
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    meet()
    while how == "meets" and len(os.listdir(where[0])) < int(where[1]):
        time.sleep(0.01)
    (folder / "two").write_text("2", encoding="utf-8")

entry = cache.made("kind", "key", make)
assert {path.name for path in entry.iterdir()} == {"one", "two", "manifest.json"}
"""


def start_maker(log, how):
    return subprocess.Popen([sys.executable, "-c", MAKER, log, how], cwd=ROOT)


def test_many_processes_at_once_make_an_entry_once(tmp_path):
    (tmp_path / "here").mkdir()
    makers = [start_maker(tmp_path / "log", f"meets {tmp_path / 'here'} 6") for _ in range(6)]
    assert [maker.wait(timeout=60) for maker in makers] == [0] * 6
    assert (tmp_path / "log").read_text(encoding="utf-8") == "made\n"


def test_what_a_killed_process_left_half_made_goes_and_nobody_waits_for_it(tmp_path, own_cache):
    assert start_maker(tmp_path / "log", "dies").wait() == -9
    assert [path.name for path in (own_cache / "kind").iterdir()] == [f"key{STAGING}"]
    start = time.monotonic()
    assert start_maker(tmp_path / "log", "lives").wait() == 0
    assert time.monotonic() - start < 30
    assert [path.name for path in (own_cache / "kind").iterdir()] == ["key"]


def test_the_users_own_cache_is_taken_where_the_checkouts_cannot_be_written(tmp_path, monkeypatch):
    monkeypatch.delenv(cache.VARIABLE)
    monkeypatch.setattr(cache, "ROOT", tmp_path / "checkout")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    (tmp_path / "checkout").mkdir()
    assert cache.folder() == tmp_path.resolve() / "checkout" / ".cache"
    cache.folder.cache_clear()
    shutil.rmtree(tmp_path / "checkout")
    (tmp_path / "checkout").write_text("in the way", encoding="utf-8")
    assert cache.folder() == tmp_path.resolve() / "user" / "twin-training"
