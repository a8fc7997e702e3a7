"""The kernel's standard output and error, kept in a file of bounded size."""

from __future__ import annotations

import asyncio
import os
import threading
from pathlib import Path

from .kernel_folder import open_to_append

_TAIL_BYTES = 4096


class KernelLog:
    """Copies a pipe to `path`; a full file becomes `path`.1, so that at most twice `limit` is kept.

    A separate thread does it, so that neither a slow disk nor a busy agent ever blocks the kernel.
    """

    def __init__(self, path: Path, limit: int = 4 * 2**20) -> None:
        self._path = path
        self._limit = limit
        self._tail = b""
        self._thread: threading.Thread | None = None

    def open(self) -> int:
        """A new pipe's writing end for one kernel process; the caller closes it after the start."""
        read, write = os.pipe()
        self._tail = b""
        self._thread = threading.Thread(target=self._copy, args=(read,), daemon=True)
        self._thread.start()
        return write

    def _copy(self, read: int) -> None:
        with os.fdopen(read, "rb", buffering=0) as pipe:
            while data := pipe.read(65536):
                self._tail = (self._tail + data)[-_TAIL_BYTES:]
                try:
                    self._write(data)
                except OSError:
                    # If the disk is full the log is lost, but the pipe must still be emptied.
                    continue

    def _write(self, data: bytes) -> None:
        with os.fdopen(open_to_append(self._path), "ab") as file:
            full = file.tell() + len(data) > self._limit
            file.write(data)
        if full:
            os.replace(self._path, self._path.with_name(self._path.name + ".1"))

    def last_words(self, wait: float = 0.5) -> str:
        """The last three lines that the ended process printed, at most 600 characters.

        Waits up to `wait` seconds for what is still in the pipe.
        """
        if self._thread is not None:
            self._thread.join(wait)
        lines = [line.strip() for line in self._tail.decode(errors="replace").splitlines()]
        return "\n".join([line for line in lines if line][-3:])[-600:]

    async def with_last_words(self, why: str) -> str:
        """Why the process has ended, with what it printed last."""
        last_words = await asyncio.to_thread(self.last_words)
        return f"{why}; its last output: {last_words}" if last_words else why
