"""The way from a kernel's network to the internet: a process of pasta's, outside of the walls.

It is forked before the walls go up, in the network and among the processes of the machine, where
the kernel cannot see it, but in the kernel's user namespace, whose rights it needs to make a
device in the kernel's network. It ends with the agent, and when the agent ends it.
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from gateway_ext.agent.standard_files import read_nothing

from .network import TUN, Network
from .system_calls import (
    Capability,
    MountFlag,
    Namespace,
    end_with_parent,
    keep_capabilities,
    mount,
    unshare,
    words_of,
)

PROGRAMS = "/usr/local/bin:/usr/bin:/bin"
"""Where pasta is looked for; not in the environment of a kernel."""
DEVICE = "eth0"
"""What the device is called inside."""
RESOLVER = "169.254.53.53"
"""The address inside of a resolver that listens on the machine's loopback."""
_BYTE = b"."
_SAID = 4096

# What RFC 7335 sets aside for the near end of such a way: no machine has it for others. The address
# of the machine itself, which pasta would take, could then not be reached where it is allowed.
_IPV4 = ("--address", "192.0.0.2", "--netmask", "29", "--gateway", "192.0.0.1")
_IPV6 = ("--address", "fd77:6661:6c6c::2", "--gateway", "fd77:6661:6c6c::1")


def arguments(namespace: str, versions: Sequence[int], *, own_resolver: bool) -> list[str]:
    """The command that makes a way for the IP `versions`, into the network namespace at a path.
    Nothing leads in, and not to the loopback of the machine, but for its `own_resolver` there."""
    # Only where it is asked at that address: answers of others would come from there, too, and be
    # refused by whoever asked.
    resolver = ("--dns-forward", RESOLVER) if own_resolver and 4 in versions else ()
    return [
        "pasta",
        "--foreground",
        "--quiet",
        "--config-net",
        "--no-map-gw",
        *("--tcp-ports", "none", "--udp-ports", "none", "--tcp-ns", "none", "--udp-ns", "none"),
        *("--ns-ifname", DEVICE),
        *(_IPV4 if 4 in versions else ()),
        *(_IPV6 if 6 in versions else ()),
        *("--ipv4-only",) * (6 not in versions),
        *("--ipv6-only",) * (4 not in versions),
        *resolver,
        "--netns-only",
        "--netns",
        namespace,
    ]


def versions_with_a_way(routes_4: str, routes_6: str) -> list[int]:
    """The versions of IP for which this network has a default route, by /proc/net/route and
    /proc/net/ipv6_route."""
    old = any(line.split()[1:2] == ["00000000"] for line in routes_4.splitlines()[1:])
    # The last field is the device: those to the loopback say that there is no way.
    new = any(
        line.split()[:2] == ["0" * 32, "00"] and line.split()[-1] != "lo"
        for line in routes_6.splitlines()
    )
    return [version for version, there in ((4, old), (6, new)) if there]


class NoWayOut(OSError):
    """No way to the internet can be made; the message says why."""


@contextmanager
def making_a_way() -> Iterator[None]:
    """Raises NoWayOut for each OSError."""
    try:
        yield
    except OSError as error:
        raise NoWayOut(error.errno, words_of(error)) from error


@dataclass(frozen=True)
class Route:
    """What a way needs of the machine."""

    program: str
    versions: Sequence[int]

    @classmethod
    def of_machine(cls) -> Route:
        """Of this process's network, as it is now; raises NoWayOut."""
        program = shutil.which("pasta", path=PROGRAMS)
        if program is None:
            raise NoWayOut(errno.ENOENT, f"pasta (Debian: passt) is not in {PROGRAMS}")
        routes = (Path("/proc/net", name) for name in ("route", "ipv6_route"))
        versions = versions_with_a_way(*(_text(file) for file in routes))
        if not versions:
            raise NoWayOut(errno.ENETUNREACH, "this machine has no default route")
        return cls(program, versions)


class WayOut:
    """The process that becomes pasta, seen from the one that goes inside."""

    def __init__(self, pid: int, control: socket.socket, errors: int) -> None:
        """`errors` is where what it says can be read."""
        self.pid = pid
        self.errors = errors
        self._control = control

    @classmethod
    def fork(cls, network: Network, *, own_resolver: bool) -> WayOut:
        """Fork it, in the new user namespace, and before any other namespace but that of mounts.
        Inside RESOLVER is asked for names if `own_resolver`. Raises OSError."""
        route = Route.of_machine()
        agent = os.getppid()
        ours, theirs = socket.socketpair()
        errors, said = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        pid = os.fork()
        if not pid:
            ours.close()
            _become_pasta(theirs, said, agent, network, route, own_resolver)
        theirs.close()
        os.close(said)
        way_out = cls(pid, ours, errors)
        if not ours.recv(1):
            words = os.read(errors, _SAID).decode(errors="replace").strip()
            raise OSError(errno.EACCES, words or "the way out of the walls cannot be prepared")
        return way_out

    def give_network(self) -> None:
        """Give it the network namespace of this process."""
        namespace = os.open("/proc/self/ns/net", os.O_RDONLY)
        socket.send_fds(self._control, [_BYTE], [namespace])
        os.close(namespace)

    def start(self) -> None:
        """Let it begin: its parent is the agent now."""
        self._control.sendall(_BYTE)
        self.close()

    def close(self) -> None:
        """Without `start` before, it ends."""
        self._control.close()
        os.close(self.errors)


def _become_pasta(
    control: socket.socket,
    errors: int,
    agent: int,
    network: Network,
    route: Route,
    own_resolver: bool,
) -> NoReturn:
    try:
        read_nothing()
        os.dup2(errors, 1)
        os.dup2(errors, 2)
        unshare(Namespace.MOUNT)
        if network.tun:
            mount(None, "/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE)
            mount(network.tun, TUN, None, MountFlag.BIND)
        os.close(os.open(TUN, os.O_RDWR))
        control.sendall(_BYTE)
        _, (namespace,), _, _ = socket.recv_fds(control, 1, 1)
        if not control.recv(1):
            os._exit(1)
        # Not before: its parent was the process that forked it, which has ended.
        end_with_parent(signal.SIGKILL)
        if os.getppid() != agent:
            os._exit(1)
        os.set_inheritable(namespace, True)
        keep_capabilities(Capability.NET_ADMIN, Capability.SYS_ADMIN)
        # It takes a signal that is ignored for an error, and Python ignores this one.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        path = f"/proc/self/fd/{namespace}"
        command = arguments(path, route.versions, own_resolver=own_resolver)
        os.execve(route.program, command, {"PATH": PROGRAMS})  # noqa: S606
    except OSError as error:
        os.write(errors, words_of(error).encode())
    finally:
        os._exit(1)


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except FileNotFoundError:
        # Without IPv6.
        return ""
