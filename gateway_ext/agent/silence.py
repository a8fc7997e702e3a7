"""When a silent peer counts as disconnected."""

from __future__ import annotations


class Silence:
    """Times in monotonic seconds, places and amounts in bytes of the connection.

    A ping waits behind the data that was sent before it, on a slow network longer than the timeout.
    As long as the other machine keeps receiving data before the first unanswered ping, the peer is
    not silent. The timeout starts when it has received the ping, or receives nothing more: a frozen
    process's machine keeps receiving for a while.
    """

    def __init__(self, timeout: float, now: float) -> None:
        self.timeout = timeout
        self._last = now
        self._taken = 0
        self._ping: int | None = None

    def heard(self, now: float) -> None:
        """Something came from the peer."""
        self._last = now
        self._ping = None

    def pinged(self, place: int) -> None:
        """A ping was sent behind the first `place` bytes of the connection."""
        if self._ping is None:
            self._ping = place

    def excuse(self, seconds: float) -> None:
        """For this long nobody here was listening."""
        self._last += seconds

    def too_long(self, now: float, taken: int) -> bool:
        """Whether the peer is gone; its machine has taken the first `taken` bytes."""
        if self._ping is not None and self._taken < taken < self._ping:
            self._last = now
        self._taken = taken
        return now - self._last > self.timeout
