"""Which of the things in a PyTorch file are the weights: a state dict, or the one in a checkpoint."""

from collections.abc import Callable, Mapping
from typing import Any

# Under these names a checkpoint holds its weights; the first that it has is taken.
NAMES = ("state_dict", "model_state_dict", "model_state", "model", "module", "net", "network", "weights")
# What DataParallel and torch.compile put before the name of each tensor, or in it.
PARALLEL, COMPILED = "module.", "_orig_mod."
SHOWN = 8


def choose(content: object, is_tensor: Callable[[object], bool]) -> tuple[dict[str, Any], list[str]]:
    """The tensors by name, and what was assumed or left out, a sentence each. Raises ValueError where there are none.

    A named entry with tensors is taken first; else the tensors at the top; else the only entry that has some.
    """
    if not isinstance(content, Mapping):
        what = "a tensor" if is_tensor(content) else f"a {type(content).__name__}"
        raise ValueError(f"it holds {what} and no state dict")  # noqa: TRY004 the file's fault, not a caller's
    inner: dict[str, Mapping[Any, Any]] = {
        str(name): entry for name, entry in content.items() if _has_tensors(entry, is_tensor)
    }
    named = next((name for name in NAMES if name in inner), None)
    if named is None and not _has_tensors(content, is_tensor):
        candidates = [name for name in inner if "optim" not in name.lower()]
        if len(candidates) != 1:
            what = f"several sets of weights: {', '.join(candidates[:SHOWN])}" if candidates else "no tensor"
            raise ValueError(f"it holds {what}")
        named = candidates[0]
    notes = []
    if named is not None:
        others = [str(name) for name in content if str(name) != named]
        notes.append(f"Its weights are taken from the entry {named!r}.")
        if others:
            notes.append(f"Left out of its other entries: {_listed(others)}.")
    entries = content if named is None else inner[named]
    tensors = {str(name): entry for name, entry in entries.items() if is_tensor(entry)}
    if others := [str(name) for name in entries if str(name) not in tensors]:
        notes.append(f"Left out, for these are no tensors: {_listed(others)}.")
    return _unwrapped(tensors, notes), notes


def _has_tensors(entry: object, is_tensor: Callable[[object], bool]) -> bool:
    return isinstance(entry, Mapping) and any(is_tensor(value) for value in entry.values())


def _unwrapped(tensors: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    """Without the names of wrappers, unless two tensors would then have one name."""
    plain = [name.replace(COMPILED, "") for name in tensors]
    while all(name.startswith(PARALLEL) for name in plain):  # a module of the user's own stands before some only
        plain = [name.removeprefix(PARALLEL) for name in plain]
    if plain == [*tensors] or len(set(plain)) < len(tensors):
        return tensors
    notes.append("Names are without the 'module.' or '_orig_mod.' that DataParallel and torch.compile put into them.")
    return dict(zip(plain, tensors.values(), strict=True))


def _listed(names: list[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
