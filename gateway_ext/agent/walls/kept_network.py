"""A kernel's network, as its agent keeps it: to make its way to the internet again when that ends,
and to refuse more addresses. The agent itself has no right there; programs that it starts get it.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Self

from jupyter_ext.wire.allowed_addresses import Subnet

from .network import Network

_MOST_BYTES = 4096


class NetworkProcess:
    """A process outside that works on a kernel's network, and a child of this one: its way to the
    internet, or one that changes something. `said` has what it says."""

    def __init__(self, pid: int, said: int) -> None:
        self._process = os.pidfd_open(pid)
        self._said = said

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def fileno(self) -> int:
        """Can be read when it has ended."""
        return self._process

    def last_words(self) -> str:
        """What it said, once it has ended."""
        try:
            return os.read(self._said, _MOST_BYTES).decode(errors="replace").strip()
        except BlockingIOError:
            return ""

    def end(self) -> None:
        """End it. Whoever reaps the orphans reaps it."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._process, signal.SIGKILL)
        os.close(self._process)
        os.close(self._said)


class KeptNetwork:
    """Descriptors of the namespaces of a kernel that reaches the internet, and what was looked up
    for it when it started."""

    def __init__(
        self, user: int, network: int, *, own_resolver: bool, refused: Iterable[Subnet]
    ) -> None:
        self._namespaces = (user, network)
        self._own_resolver = own_resolver
        self.refused = frozenset(refused)
        """The public addresses of the machine that were refused."""

    def make_way(self, network: Network) -> NetworkProcess:
        """Start another process that leads to the internet. Raises OSError."""
        return self._start({"tun": network.tun, "own_resolver": self._own_resolver})

    def refuse(self, addresses: Iterable[Subnet]) -> NetworkProcess:
        """Start to refuse these addresses as well; the process says `rejoin.DONE` in the end.
        Raises OSError."""
        return self._start({"refuse": [*map(str, addresses)]})

    def close(self) -> None:
        """The kernel has ended."""
        for descriptor in self._namespaces:
            os.close(descriptor)

    def _start(self, order: Mapping[str, object]) -> NetworkProcess:
        # In the thread that lives as long as the agent: the process ends with its thread.
        read, write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        words = map(str, (os.getpid(), *self._namespaces))
        program = [sys.executable, "-S", "-P", "-m", "gateway_ext.agent.walls.rejoin"]
        try:
            process = subprocess.Popen(
                [*program, *words, json.dumps(order)],
                env={"PYTHONPATH": str(Path(__file__).parents[3])},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=write,
                stderr=write,
                pass_fds=self._namespaces,
            )
        except OSError:
            os.close(read)
            raise
        finally:
            os.close(write)
        # It is waited for elsewhere, and not by the Popen.
        process.returncode = 0
        try:
            return NetworkProcess(process.pid, read)
        except OSError:
            # Nobody would end it.
            os.kill(process.pid, signal.SIGKILL)
            os.close(read)
            raise
