"""Starts the processes of a kernel, the first one ahead of time where that is possible."""

from __future__ import annotations

import asyncio
import contextlib

from .call_socket import CallSocket
from .kernel_log import KernelLog
from .kernel_process import ConnectionFiles, KernelProcess, build_ahead
from .leases import make_leases_folder
from .memory_limit import MemoryLimit
from .start_document import StartDocument
from .walls.waiting_process import WaitingProcess


class ProcessStarts:
    """Starts one process of the kernel after another."""

    def __init__(
        self,
        files: ConnectionFiles,
        log: KernelLog,
        forked: WaitingProcess | None,
        limit: MemoryLimit | None,
    ) -> None:
        """`forked` can become the first process; `limit` is for each process."""
        self.call_socket: CallSocket | None = None
        """Where each process can call the fleet; to be set before `start`."""
        self.is_starting = False
        """Whether one becomes the kernel: what it starts may not be reaped until then."""
        self._files = files
        self._log = log
        self._forked = forked
        self._limit = limit

    @property
    def waiting_pid(self) -> int | None:
        """The process id of what waits to become the kernel."""
        return None if self._forked is None else self._forked.pid

    def build_walls(self, document: StartDocument) -> None:
        """Have the walls of the first process built, if there is one that waits to become the
        kernel and it is known what kernel that is; to be called once, before `start`. Blocks a
        little."""
        if self._forked is None or document.pooled:
            return
        # What is wrong with the place of the sockets `start` says.
        with contextlib.suppress(OSError):
            build_ahead(self._forked, document.directory, self._files.walls(), self._limit)
        self.is_starting = self._forked.is_building

    async def start(self, document: StartDocument, left_out: str) -> KernelProcess:
        """Start a process, once its files are written; raises LaunchError or OSError. `left_out` as
        in `kernel_environment`."""
        await asyncio.to_thread(make_leases_folder, document.directory)
        calls = None if self.call_socket is None else await self.call_socket.renew()
        forked, self._forked = self._forked, None
        self.is_starting = True
        try:
            return await KernelProcess.start(
                document,
                self._files.file,
                self._log,
                forked,
                credit=self._files.credit,
                left_out=left_out,
                limit=self._limit,
                call_socket=calls,
                walls=self._files.walls(),
            )
        finally:
            self.is_starting = False

    def dismiss(self) -> None:
        """End what waits to become the kernel: it is not needed. May block."""
        forked, self._forked = self._forked, None
        if forked is not None:
            forked.dismiss()
