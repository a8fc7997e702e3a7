"""Addresses that have not answered, and for how long others are tried before them."""

from __future__ import annotations

SHORTEST_SECONDS, LONGEST_SECONDS = 30.0, 600.0
"""The first pause, and the longest: it doubles with each try that fails, because a network that
drops connections makes each try take seconds."""


class AvoidedUrls:
    """Which addresses are tried last. Times are in seconds of one clock."""

    def __init__(self) -> None:
        self._pauses: dict[str, tuple[float, float]] = {}
        """By address: until when, and how long that is."""

    def is_avoided(self, url: str, now: float) -> bool:
        """Whether the address is tried last at the moment."""
        until, _ = self._pauses.get(url, (now, 0.0))
        return now < until

    def failed(self, url: str, now: float) -> None:
        """It has not answered."""
        if self.is_avoided(url, now):
            # It was tried because nothing else had answered, perhaps often.
            return
        _, before = self._pauses.get(url, (now, 0.0))
        pause = min(max(2 * before, SHORTEST_SECONDS), LONGEST_SECONDS)
        self._pauses[url] = now + pause, pause

    def answered(self, url: str) -> None:
        """It has answered."""
        self._pauses.pop(url, None)
