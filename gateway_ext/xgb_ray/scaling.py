"""With how many workers a training goes on: policies that decide, and carry nothing out. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Workforce:
    """What a scaling policy looks at.

    `wanted` workers were asked for; `ready` can compute now, `holding` of these have data from
    an earlier world, `starting` are on their way.
    """

    wanted: int
    ready: int
    holding: int
    starting: int


@dataclass(frozen=True)
class Pace:
    """How fast it goes: measured seconds a round with `members` workers, and to rebuild."""

    rounds_left: int
    round_seconds: float
    rebuild_seconds: float
    members: int


@dataclass(frozen=True)
class ElasticScaling:
    """Go on with the survivors; take replacements in when that pays."""

    min_workers: int = 1

    def may_begin(self, force: Workforce, overdue: bool) -> bool:
        """Whether the next world may be made of those who are ready.

        The first world waits for everyone, as does one after all workers were lost (no time is
        saved by starting with one of many); `overdue` says that the patience is at an end.
        """
        if force.ready < max(1, self.min_workers):
            return False
        return force.holding > 0 or force.starting == 0 or overdue

    def may_grow(self, pace: Pace, newcomers: int) -> bool:
        """Whether to pause for replacements that are ready: if the rounds that are left get
        shorter by more than everyone's rebuilding of matrices takes."""
        if newcomers < 1 or pace.members < 1:
            return False
        share = newcomers / (pace.members + newcomers)
        return pace.rounds_left * pace.round_seconds * share > pace.rebuild_seconds


@dataclass(frozen=True)
class WaitingScaling:
    """Always the full number of workers: hold until the replacement is there."""

    def may_begin(self, force: Workforce, overdue: bool) -> bool:
        return force.ready == force.wanted

    def may_grow(self, pace: Pace, newcomers: int) -> bool:
        return False


Scaling = ElasticScaling | WaitingScaling
