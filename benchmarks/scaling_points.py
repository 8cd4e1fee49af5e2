"""What benchmarks/scaling.py measures: the engines, and the settings around the default run."""

from typing import NamedTuple

from shared.spec import Spec


class Engine(NamedTuple):
    """A way to run the steps: the module whose `load` imports it, and what `--engine` calls it."""

    framework: str | None  # whose interpreter runs it; None: any
    module: str
    engine: str


ENGINES = {
    "PyTorch eager": Engine("PyTorch", "pytorch_impl.__main__", "eager"),
    "PyTorch fast": Engine("PyTorch", "pytorch_impl.__main__", "fast"),
    "TensorFlow eager": Engine("TensorFlow", "tensorflow_impl.__main__", "eager"),
    "TensorFlow fast": Engine("TensorFlow", "tensorflow_impl.__main__", "fast"),
    "NumPy reference": Engine(None, "shared.reference.reference", "eager"),
}
KEEPS_COMPILED = "PyTorch fast"  # its programs, in files
FLOOR = "floor"


class Setting(NamedTuple):
    """Where a run departs from the default one. `examples` and `width` are multiples."""

    examples: int = 1
    width: int = 1
    batch_size: int = Spec().batch_size
    threads: int = Spec().threads

    @property
    def spec(self) -> Spec:
        first, second = (units * self.width for units in Spec().hidden_sizes)
        # On the CPU, for it is the process's memory that is measured, and the CPU's products that are the floor.
        return Spec(hidden_sizes=(first, second), batch_size=self.batch_size, threads=self.threads, device="cpu")


class Axis(NamedTuple):
    """One direction away from the default run: a field of `Setting` and its values."""

    field: str
    title: str
    values: tuple[int, ...]

    def setting(self, value: int) -> Setting:
        return Setting(**{self.field: value})

    def label(self, value: int) -> str:
        return f"{value}" if self.field == "batch_size" else f"×{value}"


EXAMPLES = Axis("examples", "Number of examples", (1, 2, 4, 8, 16))
WIDTH = Axis("width", "Hidden width", (1, 2, 4, 8, 16, 32))
BATCH_SIZE = Axis("batch_size", "Batch size", (16, 64, 256, 1024, 4096))
AXES = (EXAMPLES, WIDTH, BATCH_SIZE)
SECOND_THREAD = tuple(Setting(width=width, threads=2) for width in (1, 8, 32))


class Point(NamedTuple):
    """One thing to measure, in a process of its own."""

    engine: str  # of ENGINES, or FLOOR
    setting: Setting


class Plan(NamedTuple):
    """What a run of the program measures, how often, and for about how many seconds each."""

    # Not measured, for what they do is kept for all who come later: TFDS makes its copy of MNIST, and PyTorch compiles.
    # A measured process that did it would need more memory.
    first: list[Point]
    points: list[Point]
    repeats: int
    seconds: float


def full_plan() -> Plan:
    """Every engine at every setting, one setting after the other: what is compared is measured side by side."""
    settings = dict.fromkeys([Setting(), *(axis.setting(value) for axis in AXES for value in axis.values)])
    points = []
    for setting in settings:
        if setting.examples == 1:  # the floor of twice the examples is twice the floor
            points.append(Point(FLOOR, setting))
        with_threads = [setting, *(other for other in SECOND_THREAD if other._replace(threads=1) == setting)]
        points += [Point(engine, each) for engine in ENGINES for each in with_threads]
    first = [Point("TensorFlow fast", Setting()), *(point for point in points if point.engine == KEEPS_COMPILED)]
    return Plan(first, points, repeats=3, seconds=1.0)


def quick_plan() -> Plan:
    """Something of everything, to see that the program works; its figures mean nothing."""
    near = (Setting(), Setting(examples=2), Setting(width=2), Setting(batch_size=256), Setting(threads=2))
    points = [Point("NumPy reference", setting) for setting in near]
    points += [Point(engine, Setting()) for engine in (FLOOR, "PyTorch eager", "TensorFlow fast")]
    return Plan([], points, repeats=1, seconds=0.2)


class Sample(NamedTuple):
    """One measurement of a point."""

    seconds_per_epoch: float
    steps_timed: int
    warm_up_seconds: float  # to compile, to trace, or to load what was compiled
    resident_bytes: int | None  # while it trains; None where the system does not tell
    versions: dict[str, str]
    peak_bytes: int = 0  # of its process, seen from outside


Measured = dict[Point, list[Sample]]
