"""Whatever is in a user's files and options: a result, or one line that says what is wrong. Nothing else, and soon."""

import contextlib
import hashlib
import io
import json
import os
import resource
import shutil
import socket
import struct
import sys
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import psutil
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

import compare
from shared import cli
from shared.configuration import FIELDS, Configuration, parse
from shared.logs import log_pair, log_report
from shared.logs.sources import read_source
from shared.options import name_of
from shared.reference.__main__ import load
from shared.reporting import markdown as report_markdown
from shared.reporting.parts import Code, Table
from shared.reporting.results import json_safe
from shared.running import runner
from shared.running.record import ARRAYS_FILE, RUN_JSON, WEIGHTS_FILE, RecordError, read_run
from shared.running.weights_file import load_weights
from shared.system import files
from shared.system.errors import InputError
from shared.system.escaping import markdown, markdown_code, one_line
from tests.conftest import ROOT
from tests.faults import trying
from tests.marks import unmarked
from tests.system.test_escaping import NEVER, shown, tokens

CORPUS = Path(__file__).resolve().parent / "corpus"
LONGEST_LINE = 1_500  # characters of an error
# That nothing of the corpus takes, on any machine; memory is counted in KiB by Linux, in bytes by macOS.
SECONDS, MEMORY = 10, 300 * 2**10 * (1024 if sys.platform == "darwin" else 1)
CONFIGURATION = Configuration.of(epochs=1, batch_size=20_000, hidden_sizes=(3, 2))


def examples(number):
    """The same examples every time. Loaded machines may be slow at one."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.function_scoped_fixture]
    return settings(max_examples=number, derandomize=True, deadline=10_000, database=None, suppress_health_check=quiet)


def result_or_line(work):
    """What `work` returns, or the one line with the cure by which it refuses; the other is None."""
    try:
        return work(), None
    except (InputError, RecordError) as error:
        line = str(error)
    assert line.isprintable()
    assert "; " in line
    assert len(line) < LONGEST_LINE
    return None, line


def outcome_of(kind, work):
    """What `work` returns; None where it refuses."""
    with trying(kind):
        return result_or_line(work)[0]


def compared_and_told(kind, path, other=None):
    """Both compared, and all that is written about them. None where they are refused."""

    def work():
        pair = log_pair.compare(path, other or path)
        text = report_markdown.document(log_report.report(pair, "python compare.py"))
        assert not NEVER & {token.type for token in tokens(unmarked(text))}
        assert all(line.isprintable() for line in log_report.summary(pair).splitlines())
        text.encode()
        json.dumps(json_safe(log_report.results(pair)), allow_nan=False)
        return pair

    return outcome_of(kind, work)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("files")


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return path


# Options.

ODD_TEXTS = st.one_of(
    st.text(max_size=40),
    st.text("0123456789+-._,eE infa\u0663\uff11\x00\ud800\n", max_size=12),
    st.integers().map(str),
    st.floats().map(str),
    st.sampled_from(["1" * 5_000, "9" * 4_300, "-" * 1_000, "1," * 1_000, "1e400", "1e-400", "5e-324", "128,64"]),
)


@examples(300)
@given(st.sampled_from(list(FIELDS)), ODD_TEXTS)
def test_any_text_of_any_option_is_a_spec_or_refused(field, text):
    found = outcome_of("value of an option", lambda: parse({field: text}))
    if found:
        assert parse(dict(zip(FIELDS, found.options()[1::2], strict=True))) == found
    assert str((found or CONFIGURATION).training.steps).isdecimal()
    assert outcome_of("option", lambda: cli.parse(compare.make_parser(), [f"{name_of(field)}={text}"])[0]) == found


WORDS = st.one_of(ODD_TEXTS, st.sampled_from([*map(name_of, FIELDS), "--records", "--prove", "--seeds"]))


@examples(200)
@given(st.lists(WORDS.filter(lambda word: not word.startswith(("-h", "--help"))), max_size=6))
def test_any_command_line_is_understood_or_refused(words):
    outcome_of("command line", lambda: cli.parse(compare.make_parser(), words))


# Logs.

NUMBERS = st.one_of(
    st.floats().map(repr),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(["1e9999", "1e-9999", ".5", "5.", "+1", "-0", "00", "NaN", "-inf", "1" * 400, "0." + "1" * 400]),
)
NAMES = st.one_of(st.sampled_from(["loss", "Step", " epoch ", "train_loss", "value"]), st.text(max_size=8))
CELLS = st.one_of(NUMBERS, st.text(max_size=8))


@st.composite
def csv_logs(draw):
    """What is nearly a log: some columns of numbers, with something odd in it now and then."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4))
    cells = draw(st.sampled_from([NUMBERS, NUMBERS, CELLS]))
    rows = draw(st.lists(st.lists(cells, min_size=len(names), max_size=len(names)), max_size=6))
    if draw(st.booleans()):
        rows = [[str(index), *row[1:]] for index, row in enumerate(rows)]
    between, end = draw(st.sampled_from([",", ";", "\t"])), draw(st.sampled_from(["\n", "\r\n", "\r", "\n\n"]))
    return end.join(between.join(row) for row in [names, *rows])


NUMBERS_OF_JSON = st.one_of(st.floats(), st.integers(-(2**70), 2**70))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS_OF_JSON, st.text(max_size=6)),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(NAMES, inner, max_size=3)),
    max_leaves=12,
)
JSON_LOGS = st.one_of(
    VALUES,
    st.lists(NUMBERS_OF_JSON, max_size=6),
    st.dictionaries(NAMES, st.one_of(VALUES, st.lists(NUMBERS_OF_JSON, max_size=4)), max_size=4),
    st.lists(st.dictionaries(NAMES, NUMBERS_OF_JSON, max_size=3), max_size=5),
    st.lists(st.tuples(VALUES, st.integers(), st.floats()), max_size=5),
)


def read_and_compared(kind, path):
    pair = compared_and_told(kind, path)
    if pair:
        log = pair.losses.logs[0]
        assert len(log.steps) == len(log.losses) == len(log.resolution) > 0
        assert (np.diff(log.steps) > 0).all()
        assert (np.isfinite(log.resolution) == np.isfinite(log.losses)).all()
        compared = [log.losses, *(column.values for column in pair.losses.columns.values())]
        assert pair.losses.agree == all(np.isfinite(values).all() for values in compared)


@examples(150)
@given(st.binary(max_size=200), st.sampled_from(["a.csv", "a.json"]))
def test_any_bytes_are_a_log_or_refused(folder, content, name):
    read_and_compared("bytes of a log", written(folder, name, content))


@examples(250)
@given(csv_logs())
def test_any_table_is_a_log_or_refused(folder, text):
    read_and_compared("CSV log", written(folder, "b.csv", text.encode("utf-8", "replace")))


WORDS_OF_LOGS = st.sampled_from(
    [
        *(
            "loss",
            "Loss:",
            "train_loss=",
            "val loss",
            "step",
            "Step [",
            "epoch",
            "Epoch 1/5",
            "]",
            "[",
            "[1, 200]",
            "|",
        ),
        *(
            "12%|\u2588\u2588 | 3/8 [",
            "3/8 \u2501\u2501 1s 2ms/step - ",
            "8/8 [==] - ",
            "{'loss':",
            "tensor(",
            "lr:",
            ",",
            "\b\b\r",
        ),
        *(
            "[640/60000 (1%)]",
            "[0/5][0/938]",
            "2024-01-01 12:00:00,123",
            "\x1b[1m",
            "nan",
            "\n",
            "\n",
            "\n",
            "\r",
            " ",
            "\t",
        ),
    ]
)


@examples(200)
@given(st.lists(st.one_of(WORDS_OF_LOGS, WORDS_OF_LOGS, NUMBERS, st.text(max_size=5)), max_size=40))
def test_any_text_is_a_log_or_refused(folder, words):
    text = " ".join(words)
    read_and_compared("text log", written(folder, "log.txt", text.encode("utf-8", "replace")))


@examples(150)
@given(st.lists(st.one_of(VALUES, st.dictionaries(NAMES, NUMBERS_OF_JSON, max_size=3)), max_size=5), st.booleans())
def test_any_lines_of_json_are_a_log_or_refused(folder, values, blank):
    lines = [json.dumps(value) for value in values]
    read_and_compared("JSON lines", written(folder, "log.jsonl", ("\n\n" if blank else "\n").join(lines).encode()))


@examples(250)
@given(JSON_LOGS)
def test_any_json_is_a_log_or_refused(folder, value):
    read_and_compared("JSON log", written(folder, "b.json", json.dumps(value).encode()))


# Weights.


@st.composite
def damaged(draw, whole):
    """A file with a few bytes changed, taken out, put in or cut off; mostly where it describes itself."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.one_of(st.integers(0, len(content)), st.integers(0, min(300, len(content)))))
        if draw(st.booleans()):
            at = len(content) - at  # a zip file's directory is at its end
        kind = draw(st.sampled_from(["change", "change", "change", "insert", "remove", "cut"]))
        if kind == "change":
            content[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
        elif kind == "insert":
            content[at:at] = draw(st.binary(min_size=1, max_size=9))
        elif kind == "remove":
            del content[at : at + draw(st.integers(1, 9))]
        else:
            del content[at:]
    return bytes(content)


WRITTEN_LOGS = sorted(path for path in (ROOT / "tests/logs/written").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "whole", WRITTEN_LOGS, ids=lambda path: path.relative_to(WRITTEN_LOGS[0].parents[1]).as_posix()
)
def test_a_damaged_log_of_another_program_is_a_log_or_refused(folder, whole):
    @examples(40)
    @given(damaged(whole.read_bytes()), st.sampled_from([None, "loss", "a", "step"]))
    def each(content, column):
        path = written(folder, "damaged", content)
        compared_and_told("damaged log", path if column is None else Path(f"{path}:{column}"))

    each()


def npz(members, compression=zipfile.ZIP_DEFLATED):
    """An archive of these contents by name."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return made.getvalue()


def npy(header, data=b"", version=(1, 0)):
    """An array's file with this header, whatever it says."""
    length = struct.pack("<H" if version == (1, 0) else "<I", len(header))
    return b"\x93NUMPY" + bytes(version) + length + header.encode("latin1", "replace") + data


def describing(descr, shape, by_columns="False"):
    return f"{{'descr': {descr!r}, 'fortran_order': {by_columns}, 'shape': {shape!r}, }}\n"


def safetensors(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


WEIGHTS = {
    "kernel": np.arange(6, dtype="f4").reshape(2, 3),
    "half": np.ones(4, "f2"),
    "count": np.array(7),
    "flags": np.array([True, False]),
    "empty": np.ones((0, 3)),
}
NPY_FILES = {}
for _name, _values in WEIGHTS.items():
    np.save(_made := io.BytesIO(), _values)
    NPY_FILES[f"{_name}.npy"] = _made.getvalue()
WHOLE = {"whole.safetensors": save(WEIGHTS), "whole.npz": npz(NPY_FILES, zipfile.ZIP_STORED)}


@pytest.mark.parametrize("name", WHOLE)
def test_damaged_weights_are_weights_or_refused(folder, name):
    whole = written(folder, name, WHOLE[name])
    assert compared_and_told("weights", whole).agree

    @examples(250)
    @given(damaged(WHOLE[name]))
    def each(content):
        path = written(folder, f"damaged{whole.suffix}", content)
        compared_and_told("damaged weights", path)
        outcome_of("damaged weights", lambda: log_pair.compare(whole, path))
        outcome_of("damaged weights", lambda: load_weights(path, CONFIGURATION.training))

    each()


SIZES = st.one_of(st.integers(-2, 5), st.sampled_from([2**31, 2**63 - 1, 2**64, 10**12, 10**30, True]))
SHAPES = st.lists(SIZES, max_size=4)
DESCRIPTIONS = st.sampled_from(
    [
        "<f4",
        ">f8",
        "<f2",
        "<f16",
        "|b1",
        "<u8",
        "|O",
        "<U1",
        "|V0",
        "|S9",
        "<c8",
        "<M8[s]",
        "x",
        [("a", "<f4")],
        "(2,)f4",
    ]
)


@examples(200)
@given(
    st.lists(st.tuples(DESCRIPTIONS, SHAPES, st.sampled_from(["True", "False", "1"])), min_size=1, max_size=3),
    st.sampled_from([(1, 0), (2, 0), (3, 0), (9, 9)]),
    st.integers(0, 40),
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
)
def test_whatever_an_npz_says_of_itself_is_held_against_what_it_has(folder, said, version, count, compression):
    members = {
        f"w{index}.npy": npy(describing(descr, tuple(shape), order), bytes(count), version)
        for index, (descr, shape, order) in enumerate(said)
    }
    compared_and_told("made .npz", written(folder, "made.npz", npz(members, compression)))


@examples(150)
@given(st.one_of(VALUES.map(str), st.text(max_size=60)), st.binary(max_size=20))
@example("(", b"")  # in which the tokenizer finds no end
def test_an_array_with_any_header_is_refused_or_read(folder, header, data):
    compared_and_told("made .npz", written(folder, "made.npz", npz({"w.npy": npy(header, data)})))


@examples(200)
@given(
    st.dictionaries(
        st.one_of(st.sampled_from(["w", "__metadata__", "fc1.weight"]), st.text(max_size=6)),
        st.one_of(
            VALUES,
            st.fixed_dictionaries(
                {
                    "dtype": st.sampled_from(
                        ["F32", "F64", "BF16", "F8_E4M3", "BOOL", "U8", "I64", "C64", "F4", "X", 1]
                    ),
                    "shape": st.lists(st.one_of(st.integers(0, 4), SIZES), max_size=3),
                    "data_offsets": st.sampled_from([[0, 4], [0, 8], [0, 16], [4, 8], [8, 4], [0, 2**63], [0]]),
                }
            ),
        ),
        max_size=2,
    ),
    st.sampled_from([0, 4, 8, 16]),
)
def test_whatever_safetensors_say_of_themselves_is_read_or_refused(folder, header, count):
    path = written(folder, "made.safetensors", safetensors(header, bytes(count)))
    compared_and_told("made .safetensors", path)
    outcome_of("made .safetensors", lambda: load_weights(path, CONFIGURATION.training))


# Records.


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    made = tmp_path_factory.mktemp("runs") / "record"
    assert runner.main("Reference", load, [*CONFIGURATION.options(), "--out", str(made)]) == 0
    return made


@pytest.fixture(scope="module")
def copy(record, tmp_path_factory):
    """The record's files with some of them altered, as a record whose checksums are right again."""
    made = tmp_path_factory.mktemp("copies") / "record"
    shutil.copytree(record, made)

    def copied(described=None, **contents):
        for file in (RUN_JSON, WEIGHTS_FILE, ARRAYS_FILE):
            (made / file).write_bytes(contents.get(file.partition(".")[0], (record / file).read_bytes()))
        if described is not None:
            (made / RUN_JSON).write_text(json.dumps(described), encoding="utf-8")
        elif "run" not in contents:
            honest = json.loads((made / RUN_JSON).read_text(encoding="utf-8"))
            honest["files"] = {name: sha256(made / name) for name in (WEIGHTS_FILE, ARRAYS_FILE)}
            (made / RUN_JSON).write_text(json.dumps(honest), encoding="utf-8")
        return made

    return copied


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def places(value, path=()):
    """Where in a JSON value something can be put in the place of what is there."""
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield from places(item, (*path, key))


ODD_VALUES = st.one_of(
    VALUES, st.sampled_from([10**30, -1, 10**4_200, 1e308, float("nan"), "NaN", "\ud800", "<b>|\n", "9" * 5_000])
)


def test_a_record_that_was_altered_is_a_record_or_refused(record, copy):
    assert compared_and_told("record", record).agree
    described = json.loads((record / RUN_JSON).read_text(encoding="utf-8"))

    @examples(250)
    @given(
        st.sampled_from(list(places(described))), ODD_VALUES, st.sampled_from(["put", "put", "put", "remove", "add"])
    )
    def each(place, value, how):
        altered = json.loads(json.dumps(described))
        holder = altered
        for key in place[:-1]:
            holder = holder[key]
        if not place:
            altered = value
        elif how == "remove":
            del holder[place[-1]]
        elif how == "add" and isinstance(holder, dict):
            holder["other"] = value
        else:
            holder[place[-1]] = value
        found = copy(altered)
        outcome_of("altered run.json", lambda: read_run(found))
        compared_and_told("altered run.json", found, record)

    each()


def test_a_record_whose_description_is_damaged_is_a_record_or_refused(record, copy):
    @examples(100)
    @given(damaged((record / RUN_JSON).read_bytes()))
    def each(content):
        found = copy(run=content)
        outcome_of("damaged run.json", lambda: read_run(found))

    each()


@pytest.mark.parametrize("file", [WEIGHTS_FILE, ARRAYS_FILE])
def test_a_record_whose_arrays_are_damaged_is_a_record_or_refused(record, copy, file):
    @examples(60)
    @given(damaged((record / file).read_bytes()))
    def each(content):
        found = copy(**{file.partition(".")[0]: content})
        compared_and_told("damaged arrays", found, record)

    each()


def test_a_record_that_no_memory_can_hold_is_refused_before_it_is_read(copy):
    found = copy()
    os.truncate(found / ARRAYS_FILE, 2**43)
    with trying("corpus"):
        assert "it takes 8,388,608 MiB of memory, and " in line_soon_and_in_little_memory(found)
    (found / ARRAYS_FILE).unlink()


# Names, in Markdown and on a line.

NAUGHTY = st.one_of(
    st.text("\\`*_{}[]()<>#+-.!|~$&;:/=1a \n\t\r\x1b\u202e\udce9", max_size=14),
    st.text(max_size=20),
    st.lists(st.sampled_from(["**", "`", "\\", "|", "_", "a", " ", "1.", "&lt;", "![", "](", "<a", "\n", "www."])).map(
        "".join
    ),
)


@examples(500)
@given(NAUGHTY, NAUGHTY)
def test_any_name_is_shown_as_it_is_in_markdown(name, other):
    with trying("name in Markdown"):
        for text in (name, other):
            assert one_line(text).isprintable()
            assert one_line(one_line(text)) == one_line(text)
            plain = list(tokens(markdown(text)))
            assert {token.type for token in plain} <= {"paragraph_open", "inline", "text", "paragraph_close"}
            assert shown(markdown(text)) == one_line(text)
            code = [token.content for token in tokens(markdown_code(text)) if token.type == "code_inline"]
            assert code == [one_line(text) or " "]
        table = report_markdown.table(Table([name, "x"], [[other, Code(name)], [Code(other), name]], words=True))
        cells = [shown(token.content).strip() for token in tokens(table) if token.type == "inline"]
        assert cells == [one_line(text).strip() for text in (name, "x", other, name, other, name)]


# What fell short once.


def stretched(mebibytes, members):
    """An archive of a few kilobytes a member that becomes `mebibytes` of zeros for each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    one = packer.compress(bytes(2**20)) + packer.flush(zlib.Z_FULL_FLUSH)
    content = bytearray(npz(dict.fromkeys(members, one * mebibytes + b"\x03\x00"), zipfile.ZIP_STORED))
    for mark, kind, size in ((b"PK\x03\x04", 8, 22), (b"PK\x01\x02", 10, 24)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            struct.pack_into("<H", content, at + kind, zipfile.ZIP_DEFLATED)
            struct.pack_into("<I", content, at + size, mebibytes * 2**20)
    return bytes(content)


def encrypted():
    content = bytearray(npz(NPY_FILES))
    at = content.find(b"PK\x01\x02")
    struct.pack_into("<H", content, at + 8, 1)
    struct.pack_into("<H", content, 6, 1)
    return bytes(content)


MADE = {
    "10^12 numbers.npz": (npz({"w.npy": npy(describing("<f8", (10**12,)), bytes(80))}), "reshape array of size 10"),
    "10^12 numbers, no archive.npz": (npy(describing("<f8", (10**12,)), bytes(80)), "not a zip file"),
    "6 GiB of 6 MB.npz": (stretched(3_000, ["a.npy", "b.npy"]), "it would become 6,000 MiB, and more than 4,096 MiB"),
    "encrypted.npz": (encrypted(), "is encrypted"),
    "LZMA.npz": (npz(NPY_FILES, zipfile.ZIP_LZMA), "kernel.npy is compressed as NumPy compresses nothing"),
    "long digits.csv": (b"loss\n" + b"1" * 120_000 + b"x\n", "is not a number"),
    "long number.csv": (b"loss\n" + b"0" * 100_000 + b"1e101\n", "is beyond 1e+100"),
    "long integer.json": (b"[" + b"7" * 100_000 + b"]", None),
    "a name for each row.json": (json.dumps([{"loss": 1, f"x{row}": 0} for row in range(20_000)]).encode(), None),
    "many columns.csv": (b",".join(b"c%d" % index for index in range(100_000)) + b"\n", "no column called loss"),
    "deep.json": (b"[" * 100_000, "lists within lists"),
    "deep objects.json": (b'{"loss":' * 100_000, "lists within lists"),
    "deep header.safetensors": (safetensors(b'{"a":' * 100_000), "no whole .safetensors file"),
    "half a header.safetensors": (struct.pack("<Q", 2**62) + b"{}", "no whole .safetensors file"),
    "65 dimensions.safetensors": (
        safetensors({"w": {"dtype": "F32", "shape": [1] * 65, "data_offsets": [0, 4]}}, bytes(4)),
        "no whole .safetensors file",
    ),
}


def fifo(folder):
    os.mkfifo(folder / "pipe.csv")
    return folder / "pipe.csv"


def a_socket(folder):
    with socket.socket(socket.AF_UNIX) as made:
        before = Path.cwd()
        os.chdir(folder)  # for the name of a socket may not be long
        try:
            made.bind("socket.json")
        finally:
            os.chdir(before)
    return folder / "socket.json"


def device(suffix):
    def link(folder):
        (folder / f"zero{suffix}").symlink_to("/dev/zero")
        return folder / f"zero{suffix}"

    return link


def loop(folder):
    for a, b in ("ab", "ba"):
        (folder / f"{a}.csv").symlink_to(folder / f"{b}.csv")
    return folder / "a.csv"


def sparse(suffix, size, beginning=b""):
    def make(folder):
        path = written(folder, f"large{suffix}", beginning)
        os.truncate(path, len(beginning) + size)
        return path

    return make


def record_of_a_pipe(folder):
    (folder / "record").mkdir()
    os.mkfifo(folder / "record" / RUN_JSON)
    return folder / "record"


NO_FILE = "not a regular file; give"
NO_NAME = "no name that a file can have"
EIGHT_TEBIBYTES = safetensors({"w": {"dtype": "F32", "shape": [2**41], "data_offsets": [0, 2**43]}})
PLACES = {
    "a pipe": (fifo, NO_FILE),
    "a socket": (a_socket, NO_FILE),
    "a device as a log": (device(".csv"), NO_FILE),
    "a device as JSON": (device(".json"), NO_FILE),
    "a device as weights": (device(".npz"), NO_FILE),
    "a device as tensors": (device(".safetensors"), NO_FILE),
    "a device as something": (device(".txt"), NO_FILE),
    "links in a circle": (loop, "Too many levels of symbolic links; give"),
    "a long name": (lambda folder: folder / ("x" * 300 + ".csv"), "File name too long; give"),
    "a long name of weights": (lambda folder: folder / ("x" * 300 + ".npz"), "File name too long; give"),
    "a NUL": (lambda folder: folder / "a\0b.csv", NO_NAME),
    "a surrogate": (lambda folder: folder / "\ud800.csv", NO_NAME),
    "undecodable": (lambda folder: folder / os.fsdecode(b"\xff\n.csv"), "; give"),
    "through a file": (lambda folder: written(folder, "file", b"") / "a.csv", "Not a directory; give"),
    "too large a log": (sparse(".csv", files.LARGEST_LOG + 1), "of text, and more than 512 MiB are not read; give"),
    "too large a JSON log": (sparse(".json", 2**40), "of text, and more than 512 MiB are not read; give"),
    "too large weights": (sparse(".safetensors", 2**43, EIGHT_TEBIBYTES), "it takes 8,388,608 MiB of memory, and "),
    "a record of a pipe": (record_of_a_pipe, "is not a whole record: [Errno 22] not a regular file"),
}


@contextlib.contextmanager
def no_more_than(room):
    """More than so many bytes are refused to the block, as if the machine had no more: no mistake takes it all."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    with contextlib.suppress(ValueError, OSError):  # on a system without such a limit
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + room, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def line_soon_and_in_little_memory(path):
    """What is said of it; None where it is read."""

    def work():
        log_report.refuse_to_replace(path.parent / "out", (path, path))
        read_source(path)

    began, before = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with no_more_than(2**32):
        _, line = result_or_line(work)
    assert time.monotonic() - began < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY
    return line


@pytest.mark.parametrize("name", MADE)
def test_a_made_input_that_fell_short_once_does_no_more(tmp_path, name):
    content, message = MADE[name]
    with trying("corpus"):
        line = line_soon_and_in_little_memory(written(tmp_path, name, content))
        assert line is None if message is None else message in line


@pytest.mark.parametrize("place", PLACES)
def test_what_is_no_file_to_read_is_refused_at_once(tmp_path, place):
    make, message = PLACES[place]
    with trying("corpus"):
        assert message in line_soon_and_in_little_memory(make(tmp_path))


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.name)
def test_an_input_that_fell_short_once_does_no_more(path):
    line_soon_and_in_little_memory(path)
    compared_and_told("corpus", path)


def test_a_name_at_out_that_no_file_can_have_is_no_trouble_before_it_is_used(tmp_path):
    path = written(tmp_path, "log.csv", b"loss\n1\n")
    for out in (tmp_path / ("x" * 300), loop(tmp_path)):
        outcome_of("--out", lambda out=out: log_report.refuse_to_replace(out, (path, path)))
