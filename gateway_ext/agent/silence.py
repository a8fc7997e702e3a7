"""When a peer has been silent for so long that it counts as gone."""

from __future__ import annotations


class Silence:
    """Times in monotonic seconds.

    A peer that takes a message larger than a time-out's worth of network cannot answer a ping that
    waits behind it: as long as it goes on taking bytes of which more are waiting, it is not silent.
    Bytes that merely fit into the network's buffers say nothing, a frozen peer takes those too.
    """

    def __init__(self, timeout: float, now: float) -> None:
        self.timeout = timeout
        self._last = now
        self._taken = 0

    def heard(self, now: float) -> None:
        """Something came from the peer."""
        self._last = now

    def excuse(self, seconds: float) -> None:
        """For this long nobody here was listening."""
        self._last += seconds

    def too_long(self, now: float, unsent: int, taken: int) -> bool:
        """Whether the peer is gone; `unsent` bytes wait here, `taken` it has taken in all."""
        if unsent and taken > self._taken:
            self._last = now
        self._taken = taken
        return now - self._last > self.timeout
