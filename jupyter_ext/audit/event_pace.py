"""Limits events that anybody can cause as often as they like, so that a flood of them neither fills
a disk nor pushes out other events."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from jupyter_ext.audit.audit_event import AuditEvent, Outcome

WINDOW_SECONDS = 60.0
MOST_CALLERS = 1000
"""Of more callers, all further ones count as one."""


class Caller(NamedTuple):
    """Whose events are counted together: those of one caller, or of all anonymous ones."""

    kind: str
    name: str = ""


class LeftOut(NamedTuple):
    """How many events of one caller with one outcome were not written one by one."""

    caller: Caller
    outcome: Outcome
    number: int


NOBODY = Caller("nobody")
_OTHERS = Caller("user", "others")


@dataclass
class _Window:
    ends: float
    written: int = 0
    left_out: Counter[Outcome] = field(default_factory=Counter)


def paced(event: AuditEvent) -> Caller | None:
    """Whose count an event is part of; None for one that is written in any case.

    Those are what users, kernels and services were allowed and what worked, which costs them
    as much as the fleet, and what operators, platforms and the fleet itself do.
    """
    kind = event.actor.kind
    if kind == NOBODY.kind:
        return NOBODY
    if kind in ("user", "service", "kernel") and event.outcome is not Outcome.ALLOWED:
        return Caller(kind, event.actor.name)
    return None


class EventPace:
    """Counts events of each caller in windows of a minute; times are of a steady clock."""

    def __init__(self, of_nobody: int, of_a_user: int) -> None:
        """How many a minute are written of all anonymous callers together, and of each other
        one."""
        self._of_nobody = of_nobody
        self._of_a_user = of_a_user
        self._windows: dict[Caller, _Window] = {}

    def admits(self, caller: Caller, outcome: Outcome, now: float) -> bool:
        """Whether one more is written."""
        is_new = caller not in self._windows
        if is_new and caller != NOBODY and len(self._windows) >= MOST_CALLERS:
            caller = _OTHERS
        window = self._windows.setdefault(caller, _Window(now + WINDOW_SECONDS))
        if window.written < (self._of_nobody if caller == NOBODY else self._of_a_user):
            window.written += 1
            return True
        window.left_out[outcome] += 1
        return False

    def ended(self, now: float) -> list[LeftOut]:
        """What was left out in windows that have ended."""
        over = [caller for caller, window in self._windows.items() if now >= window.ends]
        return [one for caller in over for one in _counts(caller, self._windows.pop(caller))]


def _counts(caller: Caller, window: _Window) -> Iterator[LeftOut]:
    return (LeftOut(caller, *one) for one in window.left_out.items())
