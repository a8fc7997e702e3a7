"""An unavailable service: what clients are told, and what the operator reads in the log."""

import logging
import time
from typing import ClassVar


class Unavailable(Exception):
    """Its text is for all users: what is unavailable, and what to do. `for_operator` also contains
    addresses, never passwords: it is for logs and for the person who starts a server."""

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
    """Logs the details that clients do not get, each text at most once in `seconds`, because during
    an outage every call fails in the same way. Thread-safe."""

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
