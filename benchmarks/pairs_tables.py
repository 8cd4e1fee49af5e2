"""What benchmarks.pairs makes of its rows: how far off sound pairs are, and what was said of each mistake."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from shared.pairs.climb import LIMITS
from shared.pairs.pair_words import times
from shared.reporting import markdown
from shared.reporting.parts import Table

Row = dict[str, Any]
SOUND, PORT, PLANT, NAIVE_PORT = "sound", "port", "planted", "naive"  # the kinds of pairs
CHECKS = ("evaluation", "training", "gradients", "weights", "losses")
LONGEST = 160  # characters of a cell
NONE = "–"


def size(check: Row) -> float:
    """A check's multiple of its noise floor."""
    return float("inf") if check["multiple"] is None else float(check["multiple"])


def outcome(row: Row) -> str:
    """The verdict, or why there is none."""
    return str(row.get("verdict") or next(key for key in ("refused", "fault") if key in row))


def detected(row: Row) -> bool:
    """Whether the user is told that something is wrong. A fault of ours is no answer."""
    return outcome(row) not in {"same", "fault"}


def right_place(row: Row) -> bool:
    """Whether what is off first, a cause, what was read, or the refusal is of a place where the mistake is."""
    found = {name for of in [row.get("first"), *row.get("causes_found", [])] if of for name in of["names"]}
    settings = [place.removeprefix("setting ") for place in row["places"] if place.startswith("setting ")]
    read = any(f"({name})" in said for name in settings for said in row.get("read_only", []))
    refused = any(_has_tensor_of(row["refused"], place) for place in row["places"]) if "refused" in row else False
    return bool(found & {*row["places"]}) or read or refused


def _has_tensor_of(text: str, layer: str) -> bool:
    return bool(re.search(rf"(?<![\w./]){re.escape(layer)}[./][A-Za-z_]\w*(?![\w/])", text))


def names(cause: Row, words: Sequence[str]) -> bool:
    """Whether a cause that was found, or the code of its fix, has one of these words."""
    said = f"{cause['what']}\n{cause['code']}".lower()
    return any(word in said for word in words)


def named(row: Row, words: Sequence[str] | None = None) -> bool:
    """Whether a cause with one of the mistake's words was tried and confirmed."""
    return any(names(cause, row["causes"] if words is None else words) for cause in row.get("causes_found", []))


def read(row: Row) -> bool:
    """Whether it is said as read, for no number shows it."""
    return any(word in said.lower() for said in row.get("read_only", []) for word in row["causes"])


def wrong(row: Row) -> bool:
    """Whether causes were confirmed, and none of them is the mistake."""
    return bool(row.get("causes_found")) and not named(row)


def line(row: Row) -> str:
    """A row in words."""
    said = [f"{row['kind']} {row['name']}: {outcome(row)}", *(row[key] for key in ("refused", "fault") if key in row)]
    if row.get("first"):
        said.append(f"{row['first']['what']} ({times(size(row['first']))})")
    said += [cause["what"] for cause in row.get("causes_found", [])]
    if row["kind"] == PLANT:
        judged = {"detected": detected, "right place": right_place, "named": named, "WRONG CAUSE": wrong}
        said.append(", ".join(what for what, of in judged.items() if of(row)) or "NOT DETECTED")
    return "; ".join([*said, f"{row['seconds']} s"])


def tables(rows: Sequence[Row]) -> str:
    """All of benchmarks/pairs.md."""
    of = {kind: [row for row in rows if row["kind"] == kind] for kind in (SOUND, PORT, PLANT, NAIVE_PORT)}
    printed = {
        "Sound pairs": sound_pairs(of[SOUND]),
        "Ports": ports(of[PORT]),
        "Planted mistakes": planted(of[PLANT]),
        "What was missed": missed(of[PLANT]),
        "Several mistakes at once": several(of[NAIVE_PORT]),
        "Each mistake": each(of[PLANT]),
    }
    return "\n\n".join(f"## {title}\n\n{text}" for title, text in printed.items() if text) + "\n"


def _table(header: list[str], rows: list[list[str]], *, words: bool = True, sums_up: bool = False) -> str:
    return markdown.table(Table(header, rows, words=words, sums_up="row" if sums_up else "")) if rows else ""


def sound_pairs(rows: Sequence[Row]) -> str:
    """How many are the same, how far off they are at most, and those that are not the same."""
    if not rows:
        return ""
    same = [row for row in rows if outcome(row) == "same"]
    lines = []
    for kind in CHECKS:
        cells = [kind]
        for dtype, limit in LIMITS.items():
            found = [(row["largest"][dtype][kind], row["name"]) for row in same if kind in row["largest"][dtype]]
            check, name = max(found, key=lambda of: size(of[0]), default=({"multiple": 0, "what": NONE}, NONE))
            cells += [times(size(check)), f"{limit:g}", _short(f"{check['what']} of {name}")]
        lines.append(cells)
    header = ["largest multiple of the noise floor"]
    header += [cell for dtype in LIMITS for cell in (dtype, "allowed", f"where, in {dtype}")]
    others = [[row["name"], outcome(row), _short(_said(row))] for row in rows if row not in same]
    pairs = "sound pair" if len(rows) == 1 else "sound pairs"
    said = f"{len(same)} of {len(rows):,} {pairs} are found to be the same. The multiples are of these."
    return "\n\n".join(filter(None, (said, _table(header, lines), _table(["not the same", "verdict", "why"], others))))


def ports(rows: Sequence[Row]) -> str:
    """What is said of each: the causes beside those of the table of differences that are expected."""
    lines = []
    for row in rows:
        found = [cause["row"] or cause["what"] for cause in row.get("causes_found", [])]
        lacking = [key for key in row["rows"] if key not in found]
        more = [what for what in dict.fromkeys(found) if what not in row["rows"]]
        as_expected = f"{len(row['rows']) - len(lacking)} of {len(row['rows'])}"
        carried = "no" if outcome(row) in {"refused", "fault"} else "yes"
        unexplained = _short(_said(row)) if carried == "no" or row["unexplained"] else NONE
        cells = [outcome(row), as_expected, _listed(lacking), _short(_listed(more)), unexplained, row["hard"] or NONE]
        lines.append([row["name"], carried, *cells])
    header = ["port", "carried unaided", "verdict", "causes as expected", "not named", "named as well", "unexplained"]
    return _table([*header, "known to be hard"], lines)


JUDGED: dict[str, Callable[[Row], bool]] = {
    "detected": detected,
    "of these refused": lambda row: outcome(row) == "refused",
    "right place": right_place,
    "cause confirmed": named,
    "only read": lambda row: read(row) and not named(row),
    "wrong cause": wrong,
}


def planted(rows: Sequence[Row]) -> str:
    """How many are seen, where and why: by example, and by whether a program can find and try a fix."""
    if not rows:
        return ""
    parts = {
        name: [row for row in rows if row["example"] == name] for name in dict.fromkeys(r["example"] for r in rows)
    }
    parts["a fix can be tried"] = [row for row in rows if row["fixable"]]
    parts["in the user's arithmetic"] = [row for row in rows if not row["fixable"]]
    parts["all"] = [*rows]
    lines = []
    for name, of in parts.items():
        counts = [sum(map(judge, of)) for judge in JUDGED.values()]
        lines.append([name, f"{len(of)}", *(f"{number} ({number / len(of):.0%})" if of else NONE for number in counts)])
    return _table(["", "mistakes", *JUDGED], lines, words=False, sums_up=True)


def missed(rows: Sequence[Row]) -> str:
    """Each that is not seen, or in a wrong place, or whose cause could have been found, or was taken for another."""
    lines = []
    for row in rows:
        lacks = [what for what in ("detected", "right place") if not JUDGED[what](row)]
        if row["fixable"] and not named(row) and not read(row):
            lacks.append("cause confirmed")
        told = [f"not {' nor '.join(lacks)}"] * bool(lacks) + ["a wrong cause"] * wrong(row)
        if told:
            lines.append([row["name"], "; ".join(told), outcome(row), _short(_said(row)), row["hard"] or NONE])
    return _table(["mistake", "what is missed", "verdict", "what was said", "known to be hard"], lines)


def several(rows: Sequence[Row]) -> str:
    """Of the mistakes made together, those that one run names."""
    lines = []
    for row in rows:
        lacking = [mistake["kind"] for mistake in row["mistakes"] if not named(row, mistake["causes"])]
        seen = f"{len(row['mistakes']) - len(lacking)} of {len(row['mistakes'])}"
        left = row["unexplained"]["what"] if row.get("unexplained") else _why_not(row)
        lines.append([row["name"], outcome(row), seen, _listed(lacking), _short(left)])
    return _table(["first port of", "verdict", "named in one run", "not named", "unexplained"], lines)


def each(rows: Sequence[Row]) -> str:
    """A line for each."""
    lines = []
    for row in rows:
        first = row.get("first")
        what, off = (first["what"], times(size(first))) if first else (_why_not(row), NONE)
        marks = ["yes" if judge(row) else "no" for judge in (detected, right_place)]
        cause = "confirmed" if named(row) else "read" if read(row) else "wrong" if wrong(row) else NONE
        fitting = [c["what"] for c in row.get("causes_found", []) if names(c, row["causes"]) or not named(row)]
        lines.append(
            [row["name"], *marks, _short(what), off, cause, _short(_listed([*fitting, *row.get("read_only", [])]))]
        )
    header = ["mistake", "detected", "right place", "off first", "noise floors", "cause", "cause found"]
    return _table(header, lines)


def _said(row: Row) -> str:
    """What a user is told first of why."""
    if "verdict" not in row:
        return _why_not(row)
    causes = [cause["what"] for cause in row["causes_found"]]
    left = [f"unexplained: {row['unexplained']['what']}"] if row["unexplained"] else []
    return _listed([*causes, *left, *row["read_only"]])


def _why_not(row: Row) -> str:
    """What ended the comparison."""
    return str(row.get("refused", row.get("fault", NONE)))


def _listed(several: Sequence[str]) -> str:
    return "; ".join(several) or NONE


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
