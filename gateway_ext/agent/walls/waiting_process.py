"""A process that waits to become the kernel, seen from the agent."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from .order import Order, Place, announce_order
from .outside import SECONDS, FirstProcess


class WaitingProcess:
    """Waits at the other end of `control`."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control
        self._place: Place | None = None

    def prepare(self) -> None:
        """Have it import what kernels import while the agent starts."""
        with contextlib.suppress(OSError):
            announce_order(self._control)

    def build(self, place: Place) -> None:
        """Have it build its walls while the agent starts: it can then become a kernel with these
        walls only. It may end by itself, and none of our children may be reaped until it has
        become the kernel."""
        self._place = place
        with contextlib.suppress(OSError):
            place.send(self._control)

    @property
    def is_building(self) -> bool:
        """Whether it was told to build its walls."""
        return self._place is not None

    def become(self, order: Order) -> FirstProcess | None:
        """Make it the kernel; raises OSError if it has ended, or if the kernel cannot be started
        within its walls. Returns the first process inside them, None without namespaces. Blocks,
        for SECONDS at most."""
        deadline = time.monotonic() + SECONDS
        self._control.settimeout(SECONDS)
        if self._place is not None:
            if order.place != self._place:
                self.dismiss()
                raise OSError(errno.ESTALE, "the kernel's walls are others than those it has")
            return FirstProcess.awaited(self.pid, self._control, deadline, order)
        order.send(self._control)
        if order.place is not None:
            return FirstProcess.awaited(self.pid, self._control, deadline)
        self._control.close()
        return None

    def was_killed(self) -> bool:
        """Whether a signal has ended it, once it has hung up. May block for a second."""
        process = os.pidfd_open(self.pid)
        try:
            # Its end is known a moment after its sockets are closed.
            select.select([process], [], [], 1.0)
        finally:
            os.close(process)
        ended = os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG)
        return ended is not None and ended.si_code in (os.CLD_KILLED, os.CLD_DUMPED)

    def dismiss(self) -> None:
        """End it: it is not needed. Blocks for SECONDS at most, if it builds its walls."""
        if self._place is not None:
            FirstProcess.dismiss(self._control, time.monotonic() + SECONDS)
        self._control.close()
        # A process of the same user may have stopped it: nothing else ends it for sure.
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def start_walls(output: int, before: Callable[[], None]) -> WaitingProcess:
    """Start the program that builds walls, and then starts the kernel's program inside; raises
    OSError. `output` is for its own errors; `before` runs in it at first.

    It gets nothing of the kernel's environment, which could make it load other code.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-S", "-P", "-m", "gateway_ext.agent.walls.program"],
            env={"PYTHONPATH": str(Path(__file__).parents[3])},
            cwd="/",
            stdin=theirs.fileno(),
            stdout=output,
            stderr=output,
            preexec_fn=before,
        )
    # It is waited for elsewhere, and not by the Popen.
    process.returncode = 0
    return WaitingProcess(process.pid, ours)
