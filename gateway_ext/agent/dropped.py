"""For whom messages of a journal are gone, and which."""

from __future__ import annotations

from .entry import CURSORS, Audience, Reach


class Dropped:
    """The first and last number of what is gone, for each audience."""

    def __init__(self) -> None:
        self._runs: dict[Audience, tuple[int, int]] = {}

    def add(self, audience: Audience, first: int, last: int) -> None:
        """Messages are gone; `first` is 0 if the first one is not known."""
        before = self._runs.get(audience, (first, last))
        self._runs[audience] = min(before[0], first), max(before[1], last)

    def gap(self, session: str, after: int, *, cursor: bool) -> tuple[int, int] | None:
        """The first and last number of what is gone for a session which has everything up to
        `after`; None if nothing is."""
        lost = [run for audience, run in self._runs.items() if audience.concerns(session, cursor)]
        beyond = [(first, last) for first, last in lost if last > after]
        if not beyond:
            return None
        return max(after + 1, min(beyond)[0]), max(last for _, last in beyond)

    def forget(self, session: str) -> None:
        """The session has ended."""
        for audience in [one for one in self._runs if one.session == session and session]:
            lost = self._runs.pop(audience)
            if audience.reach is Reach.SESSION_AND_CURSORS:
                self.add(CURSORS, *lost)
