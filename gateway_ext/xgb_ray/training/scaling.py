"""Policies for how many workers a training continues with. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workforce:
    """What a scaling policy looks at.

    `wanted` workers were asked for; `ready` can compute now, `holding` of these have data from
    an earlier group, `starting` are on their way.
    """

    wanted: int
    ready: int
    holding: int
    starting: int


@dataclass(frozen=True)
class Pace:
    """How fast it goes, and what newcomers would change.

    `round_seconds` is measured; `join_seconds` is how long a worker that is asked for now takes to
    start and to build its matrices; `gain` is the part by which a round would get shorter.
    """

    rounds_left: int
    round_seconds: float
    join_seconds: float
    gain: float

    @property
    def saving(self) -> float:
        """Seconds by which the rounds that are left would get shorter."""
        return self.rounds_left * self.round_seconds * self.gain


# What taking in a newcomer costs everyone: a round's end, and a new group.
_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class ElasticScaling:
    """Continue with the survivors; add replacements if that saves time."""

    min_workers: int = 1

    def may_begin(self, force: Workforce, overdue: bool) -> bool:
        """Whether the next group may be made of those who are ready.

        The first group waits for everyone, as does one after all workers were lost (no time is
        saved by starting with one of many); `overdue` says that the patience is at an end.
        """
        if force.ready < max(1, self.min_workers):
            return False
        return force.holding > 0 or force.starting == 0 or overdue

    def may_replace(self, force: Workforce, pace: Pace | None) -> bool:
        """Whether to have the lost replaced: if all of them shorten the rounds that are left by
        more time than one takes to come up. Always while nobody holds
        data; not yet while survivors come together again (`pace` is None)."""
        if force.holding == 0 or force.ready < self.min_workers:
            return True
        if pace is None or pace.round_seconds == 0:
            return False
        return pace.saving > pace.join_seconds

    def may_grow(self, pace: Pace) -> bool:
        """Whether to pause for replacements that are ready. Nobody else has to build anything
        for them, so nearly always."""
        return pace.saving > _PAUSE_SECONDS


@dataclass(frozen=True)
class WaitingScaling:
    """Always the full number of workers: wait for replacements."""

    def may_begin(self, force: Workforce, overdue: bool) -> bool:
        return force.ready == force.wanted

    def may_replace(self, force: Workforce, pace: Pace | None) -> bool:
        return True

    def may_grow(self, pace: Pace) -> bool:
        return False


Scaling = ElasticScaling | WaitingScaling
