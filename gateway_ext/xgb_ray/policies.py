"""The decisions of a training, apart from the code that carries them out. Pure."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


class Phase(enum.Enum):
    """Where a training is."""

    PLACING = "placing"
    """Asks the cluster for room for all workers at once (a placement group)."""
    STARTING = "starting"
    """Worker processes come up."""
    LOADING = "loading"
    """Workers decode the data into the object store."""
    PREPARING = "preparing"
    """Workers build their matrices."""
    TRAINING = "training"
    """Rounds are computed."""
    RECOVERING = "recovering"
    """A worker was lost: survivors are called back and the newest state is collected."""
    WAITING = "waiting"
    """Too few workers: a replacement is on its way."""
    FINISHED = "finished"
    """The model is complete."""
    STOPPED = "stopped"
    """The user stopped it; the model so far is kept."""
    FAILED = "failed"
    """It cannot go on; the model so far, if any, is kept."""

    @property
    def final(self) -> bool:
        return self in (Phase.FINISHED, Phase.STOPPED, Phase.FAILED)


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


@dataclass(frozen=True)
class FailurePolicy:
    """How many lost workers a training survives (-1: any number)."""

    max_failures: int = 3

    def may_go_on(self, failures: int) -> bool:
        return self.max_failures < 0 or failures <= self.max_failures


def spread(rows: Sequence[int], workers: int) -> list[int]:
    """A worker for each shard so that rows are even: largest first, to whoever has least."""
    load = [0] * workers
    out = [0] * len(rows)
    for shard in sorted(range(len(rows)), key=lambda i: (-rows[i], i)):
        worker = min(range(workers), key=lambda w: (load[w], w))
        out[shard] = worker
        load[worker] += rows[shard]
    return out


def assign(
    rows: Sequence[int], homes: Sequence[int], members: Sequence[int]
) -> Mapping[int, list[int]]:
    """The shards of each member: its own, and those of the absent given to whoever has least.

    Depends only on who is there, so that a worker that returns finds the same shards again.
    """
    out: dict[int, list[int]] = {m: [] for m in members}
    load = dict.fromkeys(members, 0)
    orphans = []
    for shard, home in enumerate(homes):
        if home in out:
            out[home].append(shard)
            load[home] += rows[shard]
        else:
            orphans.append(shard)
    for shard in sorted(orphans, key=lambda i: (-rows[i], i)):
        member = min(members, key=lambda m: (load[m], m))
        out[member].append(shard)
        load[member] += rows[shard]
    return {m: sorted(s) for m, s in out.items()}
