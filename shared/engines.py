"""What the fast engines lack. It is known before any framework is imported, so that a request is refused at once."""

from shared.spec import Spec, option_name
from shared.system.errors import InputError

CURE = "use --engine auto or eager"
# Their defaults are plain SGD.
UPDATE = ("optimizer", "schedule", "weight_decay", "clip_norm")


def check(spec: Spec, framework: str) -> None:
    """Raise InputError where `--engine fast` is asked for and the framework's fast engine can't train this spec."""
    if spec.engine != "fast":
        return
    if framework == "Reference":
        raise InputError(f"--engine fast: the reference has no such engine; {CURE}")
    if framework == "PyTorch":
        check_plain_sgd(spec)


def check_plain_sgd(spec: Spec) -> None:
    """Raise InputError for any update but plain SGD's, the only one that PyTorch's fast engine takes."""
    for name in UPDATE:
        if (value := getattr(spec, name)) != getattr(Spec(), name):
            told = f"--engine fast with {option_name(name)} {value}: in PyTorch it takes steps of plain SGD only"
            raise InputError(f"{told}; {CURE}")
