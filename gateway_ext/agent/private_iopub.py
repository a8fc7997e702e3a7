"""ipykernel's thread for output, which only this user's processes can reach.

ipykernel takes the output of forked processes at a TCP port of this machine. Every user here can
write to that, and what has not the right first frame is printed into the cell that runs.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import zmq
from ipykernel.iostream import IOPubThread
from zmq.eventloop.zmqstream import ZMQStream

from .kernel_folder import clear

_MOST_MS_AT_THE_END = 3000
"""How long a forked process waits at its end for its output to be taken, as with ipykernel."""


class PrivateIOPubThread(IOPubThread):
    """Takes the output of forked processes at a Unix socket."""

    def __init__(self, *arguments: Any, forks_at: Path | None, **options: Any) -> None:
        """`forks_at` is the socket's path, in a folder that no other user can enter; None for
        ipykernel's TCP port."""
        self._forks_at = forks_at
        self._handle = -1
        super().__init__(*arguments, **options)

    def _setup_pipe_in(self) -> None:
        if self._forks_at is None:
            super()._setup_pipe_in()
            return
        clear(self._forks_at)
        self._pipe_uuid = os.urandom(16)
        pipe = self.socket.context.socket(zmq.PULL)
        pipe.linger = 0
        pipe.bind(f"ipc://{self._forks_at}")
        # Of the file itself: nothing is opened.
        self._handle = os.open(self._forks_at, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        self._pipe_in = ZMQStream(pipe, self.io_loop)
        self._pipe_in.on_recv(self._handle_pipe_msg)

    def _setup_pipe_out(self) -> tuple[zmq.Context[Any], zmq.Socket[bytes]]:
        if self._forks_at is None:
            out: tuple[zmq.Context[Any], zmq.Socket[bytes]] = super()._setup_pipe_out()
            return out
        # A context of the parent's does not work in a forked process.
        context = zmq.Context()
        pipe = context.socket(zmq.PUSH)
        pipe.linger = _MOST_MS_AT_THE_END
        pipe.connect(f"ipc://{self._way_of_forks(self._forks_at)}")
        return context, pipe

    def _way_of_forks(self, path: Path) -> str:
        """The path to connect to. Once the kernel's code has removed the socket's file, as `!rm -rf
        /tmp/*` does, the handle still reaches it."""
        try:
            if stat.S_ISSOCK(path.lstat().st_mode):
                return str(path)
        except OSError:
            pass
        return f"/proc/self/fd/{self._handle}"
