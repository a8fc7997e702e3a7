"""The user's request to end a training early, shared by two threads."""

from __future__ import annotations

import threading


class Stopped(Exception):
    """The user asked to stop, and no round is being computed that could be waited for."""


class StopSwitch:
    """Set by the user's thread, looked at by the training's."""

    def __init__(self) -> None:
        self._asked, self._now = threading.Event(), threading.Event()

    @property
    def asked(self) -> bool:
        """Whether to end after the round that is being computed."""
        return self._asked.is_set()

    @property
    def now(self) -> bool:
        """Whether to end at once."""
        return self._now.is_set()

    def ask(self, *, now: bool = False) -> None:
        """End after the round that is being computed, or at once."""
        self._asked.set()
        if now:
            self._now.set()

    def wait(self, seconds: float) -> None:
        """Do nothing for this time, or until somebody asks."""
        self._asked.wait(seconds)

    def check(self) -> None:
        """Raise `Stopped` if somebody asked."""
        if self.asked:
            raise Stopped
