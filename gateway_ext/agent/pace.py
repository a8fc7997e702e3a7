"""Limits how much of the agent's time the kernel's code can take."""

from __future__ import annotations


class Pace:
    """Schedules work so that it does not exceed a rate, apart from bursts."""

    def __init__(self, per_second: float, burst: float) -> None:
        """`per_second` in any unit; `burst` is how much of it needs no wait after a quiet time."""
        self._per_second = per_second
        self._burst_seconds = burst / per_second
        self._paid_until = float("-inf")

    def wait(self, cost: float, now: float) -> float:
        """How many seconds work of this cost, which is done in any case, must wait at `now`."""
        self._paid_until = max(self._paid_until, now - self._burst_seconds)
        self._paid_until += cost / self._per_second
        return max(0.0, self._paid_until - now)
