"""How long to wait before something that failed is retried."""

import time
from collections.abc import Callable, Hashable


class BackOff:
    """Pauses after failures: `first_seconds` after the first one, then twice as long each time, up
    to `longest_seconds`. Not safe for threads by itself."""

    def __init__(
        self,
        first_seconds: float,
        longest_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first_seconds = first_seconds
        self._longest_seconds = longest_seconds
        self._clock = clock
        # The last pause of each in seconds, and when it ends.
        self._pauses: dict[Hashable, tuple[float, float]] = {}

    def failed(self, key: Hashable) -> None:
        """It was tried and failed: its next pause begins."""
        now = self._clock()
        # A failure long ago does not count.
        self._pauses = {
            known: (seconds, end)
            for known, (seconds, end) in self._pauses.items()
            if now < end + self._longest_seconds
        }
        last = self._pauses.get(key)
        seconds = self._first_seconds if last is None else min(2 * last[0], self._longest_seconds)
        self._pauses[key] = (seconds, now + seconds)

    def succeeded(self, key: Hashable) -> None:
        """The next failure counts as the first one again."""
        self._pauses.pop(key, None)

    def pauses(self, key: Hashable) -> bool:
        """Whether it is not to be tried now."""
        pause = self._pauses.get(key)
        return pause is not None and self._clock() < pause[1]
