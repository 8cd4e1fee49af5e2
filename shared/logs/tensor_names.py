"""What the name of a tensor in a file tells: its layer, its part in it, and which framework names so."""

import re
from collections.abc import Collection, Iterable, Mapping
from itertools import takewhile

from shared.pairs.layouts import ROLE, last

Shape = tuple[int, ...]

AS_IT_IS, TRANSPOSED = "as it is", "transposed"
PYTORCH, KERAS = "PyTorch", "TensorFlow"
# The last words of names that one framework alone gives.
OWN = {
    PYTORCH: re.compile(r"(weight|in_proj_(weight|bias)|running_(mean|var)|(weight|bias)_[ih]h(_l\d+(_reverse)?)?)"),
    KERAS: re.compile(r"(\w*_)?kernel|gamma|beta|moving_(mean|variance)|embeddings"),
}
TABLES = re.compile(r"emb|(^|[._/])(w[tp]e|pos|tok(en)?s?|table|vocab)", re.IGNORECASE)
# Of no part in what the model computes: a count of batches, the state of random numbers.
UNCOUNTED = re.compile(r"(^|[._/])(num_batches_tracked|seed_generator_state|seed_generator(_\d+)?([._/].*)?)$")


def split(name: str) -> tuple[str, str]:
    """(layer, part): of "blocks.0.norm.weight" and of "block/norm/gamma:0", without the number of TensorFlow 1."""
    layer, _, part = re.sub(r":\d+$", "", name).replace("/", ".").rpartition(".")
    return layer, part


def is_table(name: str, shape: Shape) -> bool:
    """Whether it is the weight of an embedding, which both frameworks lay out alike, as far as its name tells."""
    layer, part = split(name)
    return len(shape) > 1 and (part.startswith("embedding") or bool(TABLES.search(layer + "." + part)))


def is_kernel(name: str) -> bool:
    """Whether it is a weight of a layer, and no table or parameter of a user's own, as far as its name tells."""
    part = re.sub(r"[_\d]+$", "", last(split(name)[1]))
    return ROLE.get(part) == "weight" or part.endswith("kernel")


def framework(names: Iterable[str]) -> str | None:
    """Who names tensors so; None where it can't be told."""
    parts = [split(name)[1] for name in names]
    found = {side: sum(bool(own.fullmatch(part)) for part in parts) for side, own in OWN.items()}
    most = max(found, key=lambda side: found[side])
    return most if found[most] > sum(found.values()) / 2 else None


def stripped(names: Collection[str]) -> dict[str, str]:
    """Names without the whole words that all of them begin with, by full name."""
    words = [re.split(r"[./]", name) for name in names]
    same = list(takewhile(lambda of: len(set(of)) == 1, zip(*words, strict=False)))
    shared = min(len(same), min(map(len, words), default=1) - 1)
    return {
        name: "/".join([*of[shared:-1], re.sub(r":\d+$", "", of[-1])]) for name, of in zip(names, words, strict=True)
    }


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort by: dense_2 before dense_10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name)]


def uncounted(names: Iterable[str], other: Mapping[str, object]) -> list[str]:
    """Those that no result of the model depends on, and that the other side has not by the same name."""
    return [name for name in names if name not in other and UNCOUNTED.search(name)]
