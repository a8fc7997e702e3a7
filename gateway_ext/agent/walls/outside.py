"""The agent's side of what `first_process` says."""

from __future__ import annotations

import contextlib
import json
import os
import socket
from typing import Any

from .first_process import GO

FIRST_PROCESS = 1
"""Its process id, seen from inside."""
_SECONDS = 20.0
"""How long the walls may take on a machine that is very busy."""
_MOST_BYTES = 4096


class WallsFailed(OSError):
    """The kernel's walls cannot be built; the message says why."""


class FirstProcess:
    """The first process inside, from outside."""

    def __init__(self, pid: int, control: socket.socket) -> None:
        self.pid = pid
        self._control = control

    @classmethod
    def awaited(cls, waiting: int, control: socket.socket) -> FirstProcess:
        """Follow the process `waiting`, a child of ours which was told to go inside, until the
        kernel has started. Raises WallsFailed, and the OSError with which its program could not be
        started."""
        with contextlib.ExitStack() as failed:
            failed.enter_context(control)
            control.settimeout(_SECONDS)
            pid = int(_said(control)["pid"])
            os.waitpid(waiting, 0)
            control.sendall(GO)
            _said(control)
            control.settimeout(0)
            failed.pop_all()
        return cls(pid, control)

    def wait_status(self, own: int) -> int:
        """The kernel's wait status, once the first process has ended with `own`."""
        with self._control as control, contextlib.suppress(OSError, ValueError, KeyError):
            return int(json.loads(control.recv(_MOST_BYTES))["ended"])
        # It was killed itself, and the kernel with it.
        return own


def _said(control: socket.socket) -> dict[str, Any]:
    line = b""
    while not line.endswith(b"\n"):
        try:
            # Nothing follows a line before it is answered, but for the kernel's end.
            byte = control.recv(1)
        except TimeoutError as error:
            raise WallsFailed(f"the kernel's walls were not there in {_SECONDS:.0f} s") from error
        if not byte:
            raise WallsFailed("the kernel's walls cannot be built: their first process has ended")
        line += byte
    words: dict[str, Any] = json.loads(line)
    if "error" in words:
        raise OSError(words["errno"], words["error"])
    return words
