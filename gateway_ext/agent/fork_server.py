"""`python -m gateway_ext.agent.fork_server`: imports everything once, then forks agents.

Imports take most of the time that an agent or a Python kernel needs to start. A fork server does
them once for all kernels of one project in one environment (docs/protocols.md, "How an agent is
started"). It starts with the project's first kernel and runs under the project's user ID. Agents do
not need it after they were forked.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__" and sys.path[0] in ("", os.getcwd()):
    # As in __main__: users' files must not shadow the modules that are imported here.
    del sys.path[0]

from jupyter_ext import wire

from .forked_kernel import fork_kernel, take_environment
from .late_folders import import_what_kernels_import
from .program import run
from .standard_files import take_output


@dataclass(frozen=True)
class Header:
    """How an order begins, which is all that the server reads of it. `output` is the file that the
    agent writes to; `go` a pipe on which it learns that the gateway knows its process."""

    size: int
    output: int
    go: int

    def close(self) -> None:
        """Close what the fork has of its own."""
        os.close(self.output)
        os.close(self.go)


class Order(NamedTuple):
    """One agent to be started."""

    argv: list[str]
    environment: dict[str, str]
    document: str


def receive(control: socket.socket, idle_seconds: float) -> Header | None:
    """The header of the next order; None if the gateway has ended, or has sent none for too
    long."""
    control.settimeout(idle_seconds)
    try:
        size, files, _, _ = socket.recv_fds(control, 8, 2)
    except TimeoutError:
        return None
    if len(files) < 2:
        return None
    control.settimeout(None)
    return Header(int.from_bytes(size, "big"), *files)


def read_order(control: socket.socket, header: Header) -> Order:
    """What follows the header."""
    with control.makefile("rb") as stream:
        return Order(*json.loads(stream.read(header.size)))


def installed() -> tuple[int, ...]:
    """Changes when packages are installed or removed where this interpreter looks for them."""
    folders = [*map(Path, sys.path), Path(__file__).parent, Path(wire.__file__).parent]
    return tuple(folder.stat().st_mtime_ns for folder in folders if folder.is_dir())


def serve(control: socket.socket, idle_seconds: float) -> tuple[Header, int] | None:
    """Fork an agent for each order, until there is nothing more to do.

    Returns None in the server. In each fork it returns the order's header, and a pipe on which the
    server waits until the order was read: there, the caller becomes the agent.
    """
    before = installed()
    _tell(control, ready=os.getpid())
    while header := receive(control, idle_seconds):
        if installed() != before:
            # The imported modules are outdated. The gateway starts another server.
            return None
        was_read, has_read = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(was_read)
            return header, has_read
        header.close()
        os.close(has_read)
        # Not read here: agents and kernels of later orders would inherit this one's secrets.
        complete = os.read(was_read, 1)
        os.close(was_read)
        if not complete:
            return None
        _tell(control, pid=pid)
    return None


def _tell(control: socket.socket, **answer: int) -> None:
    control.sendall(json.dumps(answer).encode() + b"\n")


def become_agent(control: socket.socket, header: Header, has_read: int) -> None:
    """In the fork: what a program's start would have given to the agent, and then the agent."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    os.setsid()

    def release() -> None:
        control.close()
        header.close()
        os.close(has_read)

    kernel = fork_kernel(release)
    with control:
        order = read_order(control, header)
    os.write(has_read, b"1")
    os.close(has_read)
    take_output(header.output)
    if not os.read(header.go, 1):
        return
    os.close(header.go)
    take_environment(order.argv, order.environment)
    sys.argv, sys.orig_argv = order.argv[2:], order.argv
    run(order.document, kernel)


def main() -> None:
    """Serve the gateway at the other end of standard input; argument: seconds to wait for orders.

    A second argument only makes room for the command lines that the forks are shown with.
    """
    control = socket.socket(fileno=os.dup(0))
    # Agents outlive this server, so nobody waits for them here.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    import_what_kernels_import()
    if threading.active_count() > 1:
        sys.exit("an imported module has started a thread: forking is not safe here")
    # Pages that no collection writes to stay shared with the forks.
    gc.collect()
    gc.freeze()
    fork = serve(control, float(sys.argv[1]))
    if fork is not None:
        become_agent(control, *fork)


if __name__ == "__main__":
    main()
