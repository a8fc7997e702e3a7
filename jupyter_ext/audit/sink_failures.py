"""What the log says of a sink of events that fails: not for each event."""

from __future__ import annotations

import logging
import time

SAY_SECONDS = 60.0


class SinkFailures:
    """Counts the events that a sink could not take."""

    def __init__(self, what: str, log: logging.Logger | logging.LoggerAdapter[logging.Logger]):
        self._what = what
        self._log = log
        self._count = 0
        self._said = float("-inf")

    def add(self, error: object, count: int = 1) -> None:
        """So many events are lost."""
        self._count += count
        now = time.monotonic()
        if now - self._said >= SAY_SECONDS:
            self._said = now
            self._log.error("%s: %d events are lost: %s", self._what, self._count, error)
            self._count = 0
