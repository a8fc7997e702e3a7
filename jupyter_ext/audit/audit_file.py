"""The file of events."""

from __future__ import annotations

import io
import logging
import os
import sys
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any

from jupyter_ext.audit.sink_failures import SinkFailures


class AuditFile(WatchedFileHandler):
    """A line of JSON for each event; only its owner may read it. Whoever rotates it renames it:
    the next event makes a new one."""

    def __init__(self, file: Path, log: Any) -> None:
        """Raises OSError if it cannot be written."""
        self._failures = SinkFailures(f"the audit file {file} cannot be written", log)
        super().__init__(file, encoding="utf-8")

    def _open(self) -> io.TextIOWrapper:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        return io.TextIOWrapper(
            open(os.open(self.baseFilename, flags, 0o600), "ab", buffering=0),
            encoding=self.encoding,
            write_through=True,
        )

    def handleError(self, record: logging.LogRecord) -> None:
        self._failures.add(sys.exc_info()[1])
