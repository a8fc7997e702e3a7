"""The file of events."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import stat
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from jupyter_ext.audit.sink_failures import SinkFailures


class AuditFile(WatchedFileHandler):
    """A line of JSON for each event; only its owner may read it. Whoever rotates it renames it:
    the next event makes a new one.

    What a full disk cuts is a line that cannot be read; the next event has a line of its own.
    """

    def __init__(self, file: Path, log: Any) -> None:
        """Raises OSError if it cannot be written."""
        self._failures = SinkFailures(f"the audit file {file} cannot be written", log)
        super().__init__(file, encoding="utf-8")

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self.baseFilename, flags, 0o600)
        self._cut = _ends_within_line(self.baseFilename, os.fstat(descriptor))
        return open(descriptor, "a", encoding=self.encoding)

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, in one call: a buffer would not say what it has lost."""
        try:
            self.reopenIfNeeded()
            if self.stream is None:
                self.stream = self._open()
            line = (self.format(record) + self.terminator).encode()
            if self._cut:
                line = self.terminator.encode() + line
            count = os.write(self.stream.fileno(), line)
            if count < len(line):
                self._cut = True
                raise OSError(f"{count} of {len(line)} bytes were written")
            self._cut = False
            self._failures.say()
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:
        self._failures.add(sys.exc_info()[1])


def _ends_within_line(file: str, status: os.stat_result) -> bool:
    """Whether what wrote it before was cut short."""
    if not stat.S_ISREG(status.st_mode) or not status.st_size:
        return False
    with contextlib.suppress(OSError), open(file, "rb") as before:
        before.seek(-1, os.SEEK_END)
        return before.read(1) != b"\n"
    return False
