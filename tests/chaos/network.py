"""A network with cables that can be pulled, and the namespaces in which all of a run lives.

A run gets process, mount and network namespaces of its own (unshare(1)). Whatever becomes of it,
the kernel ends every process and removes every device of it together with its first process, which
dies with the one that asked for the run: nothing needs a name, and nothing is left to clean up.

In it each gateway is a host of its own with two cables: `people` leads to labs, agents and the
other gateways, `sql` to the database. A cable that is pulled loses every packet and tells nobody.
What was under way comes through when it is plugged in again, as after a real partition: that is
when an owner that has been replaced speaks again.
"""

import ctypes
import functools
import os
import shutil
import signal
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path

PEOPLE, SQL = "people", "sql"
# Addresses that RFC 2544 sets aside for test networks; they exist inside the namespaces only.
_NETWORKS = {PEOPLE: "198.18.0", SQL: "198.18.1"}
_HUB = "hub"
_NAMES = Path("/run/netns")

# Of linux/capability.h: revision 2, effective; CAP_SYS_ADMIN is bit 21.
_CAPABILITY = struct.pack("<5I", 0x02000001, 1 << 21, 0, 0, 0)
_PR_SET_PDEATHSIG = 1


_UNSHARE = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]


@functools.cache
def can_be_cut() -> bool:
    """Whether this user may make namespaces: root, though not in every container."""
    return subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode == 0


def run_inside(command: Sequence[str], seconds: float | None = None) -> int:
    """Runs `command` in namespaces of its own; its exit code. Nothing of it outlives this process,
    however that ends. Raises subprocess.TimeoutExpired after `seconds`, when it has been ended."""
    libc = ctypes.CDLL(None)

    def die_with_parent() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)

    process = subprocess.Popen(
        # The shell is there to collect orphans, which in a container is the first process' duty.
        [*_UNSHARE, "sh", "-c", '"$@"; exit $?', "sh", *command],
        preexec_fn=die_with_parent,
    )
    try:
        return process.wait(seconds)
    finally:
        process.kill()
        process.wait()


def _ip(*arguments: str) -> None:
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Network:
    """The gateways' hosts, numbered from 0. Only inside the namespaces of a run."""

    def __init__(self) -> None:
        _NAMES.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(_NAMES)], check=True)
        _ip("link", "set", "lo", "up")
        _ip("netns", "attach", _HUB, str(os.getpid()))
        for network, prefix in _NETWORKS.items():
            _ip("link", "add", network, "type", "bridge")
            _ip("addr", "add", f"{prefix}.1/24", "dev", network)
            _ip("link", "set", network, "up")

    @property
    def database_address(self) -> str:
        """Where the gateways find the database."""
        return f"{_NETWORKS[SQL]}.1"

    def address(self, host: int) -> str:
        """Where everybody finds a gateway."""
        return f"{_NETWORKS[PEOPLE]}.{10 + host}"

    def add(self, host: int) -> None:
        """A new host with its cables."""
        name = f"gateway{host}"
        _ip("netns", "add", name)
        _ip("-n", name, "link", "set", "lo", "up")
        for network, prefix in _NETWORKS.items():
            cable = f"{network}{host}"
            _ip("link", "add", cable, "type", "veth", "peer", "name", network, "netns", name)
            _ip("link", "set", cable, "master", network, "up")
            _ip("-n", name, "addr", "add", f"{prefix}.{10 + host}/24", "dev", network)
            _ip("-n", name, "link", "set", network, "up")

    def pull(self, host: int, cable: str) -> None:
        """From now on nothing comes through, and nobody is told."""
        _ip("link", "set", f"{cable}{host}", "down")

    def plug(self, host: int, cable: str) -> None:
        """Everything goes on where it stood."""
        _ip("link", "set", f"{cable}{host}", "up")

    def at(self, host: int) -> list[str]:
        """What a command begins with that shall run on a host."""
        return ["nsenter", f"--net={_NAMES}/gateway{host}"]

    def back(self, directory: Path) -> list[str]:
        """What a command begins with that shall leave the host that starts it for the middle of
        the network, whoever it runs as.

        A gateway starts its agents on its own host. They would be cut off together with it.
        """
        program = directory / "nsenter"
        if not program.exists():
            shutil.copyfile(shutil.which("nsenter") or "/usr/bin/nsenter", program)
            program.chmod(0o755)
            os.setxattr(program, "security.capability", _CAPABILITY)
        return [str(program), f"--net={_NAMES}/{_HUB}"]
