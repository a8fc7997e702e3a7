"""How many calls one kernel may make."""

BURST = 32
"""So many calls may come at once after a quiet time: as many as an agent passes on at once."""


class CallBudget:
    """A kernel's calls: so many per second, apart from bursts, and how many have no answer yet."""

    def __init__(self, per_second: float) -> None:
        self._per_second = per_second
        self._left = float(BURST)
        self._counted = 0.0
        self.unanswered = 0

    def take(self, now: float) -> bool:
        """Whether there may be one more call at `now` (seconds); counts it if so."""
        self._refill(now)
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def is_whole(self, now: float) -> bool:
        """Whether it is as if there had never been a call."""
        self._refill(now)
        return self.unanswered == 0 and self._left >= BURST

    def _refill(self, now: float) -> None:
        since, self._counted = max(0.0, now - self._counted), now
        self._left = min(float(BURST), self._left + since * self._per_second)
