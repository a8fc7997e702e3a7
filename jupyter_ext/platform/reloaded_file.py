"""A small file that others may replace while we run: read again when it has changed."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

T = TypeVar("T")


class ReloadedFile(Generic[T]):
    """The parsed content of ``path``; `current` costs one ``stat`` unless the file has changed.

    The first read raises whatever ``parse`` or the operating system raises. If a later read fails,
    that is logged and the last good content stays in use: a key file that is being replaced must
    not lock everybody out.
    """

    def __init__(self, path: Path, parse: Callable[[bytes], T]) -> None:
        self._path = path
        self._parse = parse
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._value = parse(path.read_bytes())

    def current(self) -> T:
        """The newest valid content."""
        try:
            stamp = self._stamp()
            if stamp == self._seen:
                return self._value
            with self._lock:
                if stamp != self._seen:
                    self._seen = stamp
                    self._value = self._parse(self._path.read_bytes())
        except (OSError, ValueError) as error:
            log.warning("%s cannot be read, keeping its previous content: %s", self._path, error)
        return self._value

    def _stamp(self) -> tuple[int, int, int]:
        found = os.stat(self._path)
        return found.st_mtime_ns, found.st_size, found.st_ino
