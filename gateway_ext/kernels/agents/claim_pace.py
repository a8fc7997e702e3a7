"""Limits how fast a gateway takes over kernels."""


class ClaimPace:
    """Schedules claims, so that the agents of a gateway that has ended do not overload the database
    and the next gateway."""

    def __init__(self, claims_per_second: float, longest_wait: float) -> None:
        self._interval = 1.0 / claims_per_second
        self._longest_wait = longest_wait
        self._next = 0.0

    def wait(self, now: float) -> float | None:
        """How many seconds a claim at `now` must wait; None if that is too long, so that the agent
        should try another gateway."""
        wait = max(0.0, self._next - now)
        if wait > self._longest_wait:
            return None
        self._next = now + wait + self._interval
        return wait
