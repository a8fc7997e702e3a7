"""The agent's log, in the kernel's own folder."""

from __future__ import annotations

import logging
import logging.handlers
import os
from io import TextIOWrapper
from pathlib import Path

from .kernel_folder import open_to_append

_BYTES = 2**20


class AgentLog(logging.handlers.RotatingFileHandler):
    """Writes to a new file if the kernel's code has removed the one it writes to, as soon as there
    is a folder again. A full file becomes `path`.1."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, maxBytes=_BYTES, backupCount=1)
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def _open(self) -> TextIOWrapper:
        return os.fdopen(open_to_append(Path(self.baseFilename)), "a", encoding="utf-8")

    def shouldRollover(self, record: logging.LogRecord) -> bool:
        """Never without a folder: there is none for the next file either. A link is none."""
        folder = os.path.dirname(self.baseFilename)
        if os.path.islink(folder) or not os.path.isdir(folder):
            return False
        if (stream := self.stream) is not None and not self._is_at_path(stream.fileno()):
            stream.close()
            self.stream = self._open()
        return bool(super().shouldRollover(record))

    def _is_at_path(self, descriptor: int) -> bool:
        try:
            return os.path.samestat(os.lstat(self.baseFilename), os.fstat(descriptor))
        except OSError:
            return False
