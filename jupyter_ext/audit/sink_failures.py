"""What the log says of a sink that loses events: not a line for each of them."""

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
        self._error: object = None
        self._said = float("-inf")

    def add(self, error: object, count: int = 1) -> None:
        """So many events are lost."""
        self._count += count
        self._error = error
        self.say()

    def say(self) -> None:
        """Say what was not said yet, if that is not too soon after the last time."""
        now = time.monotonic()
        if self._error is not None and now - self._said >= SAY_SECONDS:
            self._said = now
            self._log.error("%s: %d events are lost: %s", self._what, self._count, self._error)
            self._count, self._error = 0, None
