"""Dask, which does the runs: a cluster within this process, or a scheduler that is there already.

Dask and asyncio are imported only where there are runs to make: it takes most of a second.
"""

import argparse
import contextlib
import functools
import importlib.metadata
import importlib.util
import logging
import queue
import sys
import tempfile
import uuid
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from shared.studies import errand
from shared.studies.pool import POOL
from shared.studies.turns import Need, Turns
from shared.system import progress
from shared.system.errors import CrashError, InputError
from shared.system.language import say
from shared.system.paths import ROOT

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_TO_ANSWER = 10
HOST = "127.0.0.1"
LOOPBACK = f"{HOST}:0"  # at a port that is free
# What must be the same in all processes of a cluster: a task is sent as Python's own code.
SAME = ("python", "distributed")
Order = dict[str, Any]
Answer = dict[str, Any]


def add_option(group: argparse._ActionsContainer) -> None:
    """Add `--scheduler`."""
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help=say(
            "hand the runs of --seeds and --explain to the workers of this Dask scheduler, such as "
            "tcp://127.0.0.1:8786 (default: as many at once as this machine's cores and memory allow)"
        ),
    )


def check(scheduler: str | None) -> None:
    """Raise InputError where Dask is missing, or no scheduler answers at this address within some seconds."""
    if not importlib.util.find_spec("distributed"):
        raise InputError(f"distributed is not installed for {sys.executable}; use the Python in .venv/pytorch")
    if scheduler is not None:
        with there(scheduler):
            pass


@contextlib.contextmanager
def embedded(at_once: int) -> Iterator["Client"]:
    """A cluster within this process, which makes so many runs at once. Its tasks come by no socket."""
    import dask
    from distributed import Client, LocalCluster

    dashboard = importlib.util.find_spec("bokeh") is not None
    settings: dict[str, Any] = {"distributed.worker.http.routes": [], "distributed.worker.profile.enabled": False}
    if not dashboard:
        settings["distributed.scheduler.http.routes"] = []  # pages for other programs
    _quiet()
    with tempfile.TemporaryDirectory() as folder, dask.config.set(settings), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as of a machine without a network
        with (
            LocalCluster(
                # One worker of so many threads, each of which waits for a process: another would isolate nothing more.
                n_workers=1,
                threads_per_worker=at_once,
                processes=False,
                memory_limit=0,
                dashboard_address=LOOPBACK,
                worker_dashboard_address=LOOPBACK,
                local_directory=folder,
                silence_logs=False,  # it would set a level of its own
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            if dashboard:
                port = cluster.scheduler.services["dashboard"].port  # Dask's own link has another address
                progress.notice(say("Dask's dashboard: {link}", link=f"http://{HOST}:{port}/status"))
            try:
                yield client
            finally:
                POOL.end_idle()


@contextlib.contextmanager
def there(scheduler: str) -> Iterator["Client"]:
    """A client of the scheduler at this address. Raises InputError where none answers, or it is of another version."""
    import asyncio

    from distributed import Client

    _quiet()
    # Asked first, because a client that gets no answer waits for one once more when the program ends.
    try:
        kind = asyncio.run(_kind(scheduler))
    except (TimeoutError, OSError):
        kind = f"no scheduler answers there within {SECONDS_TO_ANSWER} s"
    except (ValueError, TypeError) as error:
        kind = str(error)
    if kind != "Scheduler":
        raise InputError(f"--scheduler {scheduler}: {kind}; start one with 'dask scheduler', or leave the option out")
    with Client(scheduler, timeout=SECONDS_TO_ANSWER, set_as_default=False) as client:
        _refuse_other_versions(client, scheduler)
        yield client


async def _kind(scheduler: str) -> str:
    """What is at this address, as it says itself."""
    import asyncio

    from distributed.core import rpc
    from distributed.security import Security

    secrets = Security().get_connection_args("client")  # of Dask's own settings
    async with asyncio.timeout(SECONDS_TO_ANSWER), rpc(scheduler, connection_args=secrets) as asked:
        kind = str((await asked.identity())["type"])
        return kind if kind == "Scheduler" else f"a {kind} is there, and no scheduler"


def _quiet() -> None:
    """Let Dask log nothing: what matters of it is said in one line."""
    import distributed

    for name in list(logging.root.manager.loggerDict):  # some of its loggers have a level of their own
        if name.partition(".")[0] == distributed.__name__:
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)


def _refuse_other_versions(client: "Client", scheduler: str) -> None:
    told = client.get_versions()
    ours = told["client"]["packages"]
    for where, theirs in {"the scheduler": told["scheduler"], **told["workers"]}.items():
        for name in SAME:
            version = theirs["packages"][name]
            if version.split(".")[:2] != ours[name].split(".")[:2]:
                raise InputError(
                    f"--scheduler {scheduler}: {where} has {name} {version}, and this is {ours[name]}; "
                    "start scheduler and workers from the same environments"
                )


def say_what_is_there(client: "Client", scheduler: str) -> None:
    """Name the dashboard, if there is one, and say where there is no worker yet."""
    with contextlib.suppress(Exception):  # it has none, or may not be asked
        client.run_on_scheduler(importlib.metadata.version, "bokeh")
        progress.notice(say("Dask's dashboard: {link}", link=client.dashboard_link))
    if not client.scheduler_info(n_workers=-1)["workers"]:
        progress.notice(say("--scheduler {address}: it has no worker yet; waiting for one", address=scheduler))


class Errands:
    """Orders on their way: who does which, and what came of them. None is left when the `with` block ends."""

    def __init__(self, client: "Client", scheduler: str | None, orders: Sequence[Order]) -> None:
        self._client, self._scheduler, self._orders = client, scheduler, orders
        # A scheduler of Dask's knows its workers, who may come and go: all is handed to it at once.
        slots = len(orders) if scheduler else sum(client.nthreads().values())
        self._turns = Turns([Need(order["process"], order["model"]) for order in orders], slots)
        self._happened: queue.SimpleQueue[tuple[str, int, str]] = queue.SimpleQueue()
        self._futures: dict[int, Future] = {}
        self._workers: dict[int, str] = {}  # which does it, of what was begun
        self._topic = uuid.uuid4().hex
        self._keys: list[str] = []

    def __enter__(self) -> Self:
        import cloudpickle

        cloudpickle.register_pickle_by_value(errand)
        self._keys = [f"{order['name']} {number} {self._topic}" for number, order in enumerate(self._orders)]
        self._client.subscribe_topic(self._topic, self._begins)
        self._submit()
        return self

    def _submit(self) -> None:
        for number in self._turns.begin():
            order, key = {**self._orders[number], "topic": self._topic}, self._keys[number]
            self._futures[number] = self._client.submit(errand.run, str(ROOT), order, key=key, pure=False)
            ends = functools.partial(self._ends, number)
            self._futures[number].add_done_callback(ends)

    def _ends(self, number: int, _future: "Future") -> None:
        self._happened.put(("ends", number, ""))

    def _begins(self, event: tuple[float, Mapping[str, str]]) -> None:
        self._happened.put(("begins", self._keys.index(event[1]["begins"]), event[1]["worker"]))

    def __exit__(self, *exception: object) -> None:
        with contextlib.suppress(Exception):  # the scheduler may be gone
            self._client.cancel(list(self._futures.values()), force=True)

    @property
    def under_way(self) -> list[int]:
        """The numbers of the orders that were begun and have not ended."""
        return list(self._workers)

    @property
    def seconds_left(self) -> float | None:
        """How long it still takes, about; None where no run is over."""
        return self._turns.seconds_left()

    def answers(self) -> Iterator[tuple[int, Answer | None]]:
        """Each order's number with its answer, as they come; and with None when that order is begun.

        Raises InputError where a worker refuses an order, and what it raised.
        """
        left = set(range(len(self._orders)))
        while left:
            try:
                what, number, worker = self._happened.get(timeout=1)
            except queue.Empty:
                if self._client.status != "running":
                    raise self._lost() from None
                continue
            if what == "ends":
                left.remove(number)
                answer = self._answer(number)
                self._turns.ends(number, answer["seconds"])
                self._submit()
                yield number, answer
            elif number in left:
                if number in self._workers:
                    told = say(
                        "{run}: {gone} is gone, and it is made again on {other}",
                        run=self._orders[number]["name"],
                        gone=self._workers[number],
                        other=worker,
                    )
                    progress.notice(told)
                self._workers[number] = worker
                yield number, None

    def _lost(self) -> InputError:
        cure = "start it again, and then this: it continues from what is kept"
        return InputError(f"--scheduler {self._scheduler}: it is gone, or has dropped the runs; {cure}")

    def _answer(self, number: int) -> Answer:
        from distributed import KilledWorker

        name, worker = self._orders[number]["name"], self._workers.pop(number, "a worker")
        future = self._futures[number]
        if future.cancelled():
            raise self._lost()
        error = future.exception()
        if error is None:
            answer: Answer = future.result()
            return {**answer, "worker": worker}
        if isinstance(error, KilledWorker):
            times = error.allowed_failures + 1
            raise InputError(f"{name}: {times} workers were lost while they had it; was memory short there?")
        if self._scheduler is None:
            raise error
        raise (CrashError if isinstance(error, CrashError) else InputError)(f"{worker}: {error}")
