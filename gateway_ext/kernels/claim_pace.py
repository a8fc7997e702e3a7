"""How fast a gateway takes kernels over."""


class ClaimPace:
    """Gives each claim its moment, so that the agents of a gateway that has gone do not bring the
    database and the next gateway to their knees."""

    def __init__(self, claims_per_second: float, longest_wait: float) -> None:
        self._interval = 1.0 / claims_per_second
        self._longest_wait = longest_wait
        self._next = 0.0

    def wait(self, now: float) -> float | None:
        """How many seconds the claim that comes at `now` has to wait; None if that is too long, and
        the agent had better ask another gateway."""
        wait = max(0.0, self._next - now)
        if wait > self._longest_wait:
            return None
        self._next = now + wait + self._interval
        return wait
