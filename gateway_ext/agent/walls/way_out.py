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
from typing import NoReturn

from gateway_ext.agent.standard_files import read_nothing

from .network import TUN, Network, ways_of
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
    # Not for other servers: pasta would answer for them from this address, which those who ask
    # refuse.
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
        versions = ways_of("self")
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
        show_device(network.tun)
        control.sendall(_BYTE)
        _, (namespace,), _, _ = socket.recv_fds(control, 1, 1)
        if not control.recv(1):
            os._exit(1)
        # Not before: its parent was the process that forked it, which has ended.
        lead_out(namespace, agent, route, own_resolver=own_resolver)
    except OSError as error:
        os.write(errors, words_of(error).encode())
    finally:
        os._exit(1)


def show_device(tun: str) -> None:
    """Have the device `tun`, if it is one, in the place of /dev/net/tun, for this process alone,
    which must have the rights of a kernel's user namespace. Raises OSError."""
    unshare(Namespace.MOUNT)
    if tun:
        mount(None, "/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE)
        mount(tun, TUN, None, MountFlag.BIND)
    os.close(os.open(TUN, os.O_RDWR))


def lead_out(namespace: int, agent: int, route: Route, *, own_resolver: bool) -> NoReturn:
    """Become pasta, for the network namespace of this descriptor. The process ends with its parent,
    the agent. Raises OSError."""
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
