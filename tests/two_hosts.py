"""Two hosts that are one machine: each a network namespace with its own name and address, and a cable that can be cut.

Nothing of it outlives the process that has made it: a namespace goes with the last process in it.
"""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil

from tests.conftest import ROOT

NAMES = ("host1", "host2")
ADDRESSES = ("10.77.0.1", "10.77.0.2")
# How a user who is not root comes to be allowed it.
AS_ROOT = ["--user", "--map-root-user"]


class NotPermittedError(Exception):
    """This system lets no hosts be made. It says why."""


class Host:
    """A network namespace in which commands run."""

    def __init__(self, name: str, names: Path, unshare: list[str]) -> None:
        """Make it with `unshare`; `names` is the file of hosts' names that it sees."""
        self.name = name
        prepare = 'hostname "$0" && mount --bind "$1" /etc/hosts && ip link set lo up && echo made && exec cat'
        self._holder = subprocess.Popen(
            [*unshare, "--net", "--uts", "--mount", "sh", "-c", prepare, name, str(names)],
            stdin=subprocess.PIPE,  # it ends when we do
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        assert self._holder.stdout is not None
        if self._holder.stdout.readline() != "made\n":
            _, said = self._holder.communicate()
            raise NotPermittedError(said.strip())
        self.pid = self._holder.pid
        owner = ["--user", "--preserve-credentials"] if "--user" in unshare or "nsenter" in unshare else []
        self._enter = ["nsenter", f"--target={self.pid}", *owner]

    def entered(self, *namespaces: str) -> list[str]:
        """What precedes a command for it to run here."""
        return [*self._enter, *(f"--{namespace}" for namespace in namespaces)]

    def run(self, *command: str) -> None:
        """Run a command to its end. Raises NotPermittedError where it fails."""
        run = subprocess.run([*self.entered("net"), *command], capture_output=True, check=False)
        if run.returncode:
            raise NotPermittedError(f"{' '.join(command)}: {run.stderr.decode().strip()}")

    def start(self, line: str, **variables: str) -> "subprocess.Popen[str]":
        """Start a shell's line here, in the repository."""
        given = [f"{name}={value}" for name, value in variables.items()]
        return subprocess.Popen(
            [*self.entered("net", "uts", "mount"), f"--wd={ROOT}", "env", *given, "bash", "-c", line],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def processes(self) -> list[psutil.Process]:
        """Those that run here."""
        here = _network(self.pid)
        return [each for each in psutil.process_iter() if each.pid != self.pid and _network(each.pid) == here]

    def end(self) -> None:
        """End all that runs here, and the host."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._holder.communicate()


def _network(pid: int) -> str:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        return str(Path(f"/proc/{pid}/ns/net").readlink())
    return ""


@contextlib.contextmanager
def two_hosts(folder: Path) -> Iterator[tuple[Host, Host]]:
    """Two hosts that reach each other and nothing else. Raises NotPermittedError, which says why it can't be."""
    missing = [name for name in ("ip", "unshare", "nsenter") if not shutil.which(name)]
    if sys.platform != "linux" or missing:
        raise NotPermittedError(f"needs Linux, util-linux and iproute2; missing: {', '.join(missing) or 'Linux'}")
    names = folder / "hosts"
    # As in a cluster of Kubernetes, each has a second name: that of a pod in a service.
    lines = [f"{ADDRESSES[index]} {NAMES[index]} workers-{index}.workers" for index in range(2)]
    names.write_text("\n".join(["127.0.0.1 localhost", *lines, ""]), encoding="utf-8")
    with contextlib.ExitStack() as made:
        try:
            one, inside = Host(NAMES[0], names, ["unshare"]), ["unshare"]
        except NotPermittedError:
            one = Host(NAMES[0], names, ["unshare", *AS_ROOT])
            inside = [*one.entered(), "unshare"]  # a cable joins hosts of one owner
        made.callback(one.end)
        two = Host(NAMES[1], names, inside)
        made.callback(two.end)
        one.run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", str(two.pid))
        for host, address in zip((one, two), ADDRESSES, strict=True):
            host.run("ip", "address", "add", f"{address}/24", "dev", "eth0")
            host.run("ip", "link", "set", "eth0", "up")
        yield one, two
