"""How many faults and odd inputs the tests tried, by kind, and how many fell short. conftest prints it at the end."""

import contextlib
import os
from collections import Counter


def cut(path):
    path.write_bytes(path.read_bytes()[:-5])


def alter(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


# What can happen to a file.
DAMAGES = {"cut": cut, "altered": alter, "emptied": lambda path: path.write_bytes(b""), "gone": os.remove}

tried: Counter[str] = Counter()
fell_short: Counter[str] = Counter()


def count(kind, short=False):
    tried[kind] += 1
    fell_short[kind] += short


@contextlib.contextmanager
def trying(kind):
    """Count the block as one, which fell short if it raises."""
    try:
        yield
    except BaseException:
        count(kind, short=True)
        raise
    count(kind)


def table():
    """Lines of text; none where nothing was tried."""
    if not tried:
        return []
    rows = [(kind, number, fell_short[kind]) for kind, number in sorted(tried.items())]
    rows.append(("all", tried.total(), fell_short.total()))
    width = max(len("kind of fault"), *(len(kind) for kind, *_ in rows))
    lines = [f"{kind:<{width}} | {number:>7,} | {short:>10,}" for kind, number, short in rows]
    return [f"{'kind of fault':<{width}} | {'tried':>7} | fell short", *lines]
