"""Something that a server needs is away: what its clients are told, and what its operator reads."""

import logging
import time
from typing import ClassVar


class Unavailable(Exception):
    """Its text is for everybody: what is away, and what to do. `for_operator` also names addresses,
    never passwords: it is for logs, and for whoever starts a server."""

    FOR_CLIENTS: ClassVar[str]

    def __init__(self, for_operator: str) -> None:
        super().__init__(for_operator)
        self.for_operator = for_operator

    def __str__(self) -> str:
        return self.FOR_CLIENTS


def for_operator(error: Exception) -> str:
    """The text of any error for logs and operators."""
    return error.for_operator if isinstance(error, Unavailable) else str(error)


class AwayLog:
    """Keeps in the log what clients are not told, each text once in `seconds`: while something is
    away, every call says the same. Any thread may use it."""

    def __init__(self, logger: logging.Logger, seconds: float = 10.0) -> None:
        self._logger = logger
        self._seconds = seconds
        self._last = ("", float("-inf"))

    def note(self, error: Unavailable) -> None:
        """Logs it unless it was logged just now."""
        now = time.monotonic()
        text, at = self._last
        if text != error.for_operator or now - at > self._seconds:
            self._last = (error.for_operator, now)
            self._logger.warning("%s", error.for_operator)
