"""The data of a training: decoded into the object store, with one layout and one set of cuts.

All objects are results of calls made by the driver and so belong to it: they outlive the worker
that made them.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway_ext.xgb_ray.assignment import spread
from gateway_ext.xgb_ray.columns import Columns
from gateway_ext.xgb_ray.crew import Crew, Slot
from gateway_ext.xgb_ray.cuts import Cuts, join_cuts, sample_fraction
from gateway_ext.xgb_ray.errors import DataError, ParameterError
from gateway_ext.xgb_ray.matrix import Layout
from gateway_ext.xgb_ray.plan import Placed, Plan, StoredShard
from gateway_ext.xgb_ray.record import Record
from gateway_ext.xgb_ray.remote_errors import error_of, is_death
from gateway_ext.xgb_ray.shards import ShardFacts
from gateway_ext.xgb_ray.sources import Source, plan_pieces
from gateway_ext.xgb_ray.stopping import StopSwitch


@dataclass
class Call:
    """A call that may run on any worker, and again on another if that one dies."""

    method: str
    arguments: tuple[Any, ...]
    home: int
    returns: int = 1
    result: list[Any] = field(default_factory=list)


def rehome(placed: Placed, workers: int) -> Placed:
    """Data that others placed, spread over so many workers."""

    def spread_out(shards: list[StoredShard]) -> list[StoredShard]:
        homes = spread([s.facts.rows for s in shards], workers)
        return [replace(s, home=h) for s, h in zip(shards, homes, strict=True)]

    return replace(placed, shards={k: spread_out(s) for k, s in placed.shards.items()})


class Loading:
    """Loads the data of one training, with the workers' help."""

    def __init__(self, plan: Plan, crew: Crew, record: Record, stop: StopSwitch) -> None:
        self.plan = plan
        self._crew, self._record, self._stop = crew, record, stop
        self._shards: dict[str, list[StoredShard]] = {}

    def run(self) -> Placed:
        """The data in the object store.

        Raises:
            XGBRayError: the data is not as it must be, or too many workers were lost.
        """
        for key, source in self.plan.sources.items():
            self._shards[key] = self._load(source, self.plan.columns[key])
        layout = self._make_layout()
        train = self._shards["train"]
        self._record.note(
            "loaded",
            rows=sum(s.facts.rows for s in train),
            features=layout.features,
            MB=round(sum(s.facts.nbytes for x in self._shards.values() for s in x) / 1e6),
        )
        cuts = None
        if self.plan.cuts == "sample":
            cuts = self._sample_cuts(train, layout)
            self._record.note("cuts", bins=len(cuts.values))
        return Placed(self._shards, layout, cuts)

    def _load(self, source: Source, columns: Columns) -> list[StoredShard]:
        import ray

        pieces = plan_pieces(source.units, self.plan.workers)
        rows = [b - a for p in pieces for a, b in p.bounds()]
        homes = spread(rows, self.plan.workers)
        calls, at = [], 0
        for piece in pieces:
            arguments = (piece, columns, source.filesystem)
            calls.append(Call("load", arguments, homes[at], piece.parts + 1))
            at += piece.parts
        self._run_calls(calls)
        refs = [r for c in calls for r in c.result[:-1]]
        facts = [f for c in calls for f in ray.get(c.result[-1])]
        shards = [StoredShard(r, f, h) for r, f, h in zip(refs, facts, homes, strict=True)]
        if columns.qid is not None:
            shards = self._keep_groups_whole(shards, columns)
        _check_vectors(facts, columns)
        return shards

    def _keep_groups_whole(self, shards: list[StoredShard], columns: Columns) -> list[StoredShard]:
        """Shards between which no ranking group is divided: the part of a group that lies in
        the next shards is moved to where the group begins."""
        import ray

        calls = []
        for i, shard in enumerate(shards):
            first, last = shard.facts.first_qid, shard.facts.last_qid
            skip = first if i and shards[i - 1].facts.last_qid == first else None
            refs = [shard.ref]
            if skip is None or first != last:
                for following in shards[i + 1 :]:
                    if following.facts.first_qid != last:
                        break
                    refs.append(following.ref)
                    if following.facts.last_qid != last:
                        break
            calls.append(Call("regroup", (skip, refs), shard.home, 2))
        self._run_calls(calls)
        joined = []
        for call, shard in zip(calls, shards, strict=True):
            (own,) = ray.get(call.result[-1])
            if own.rows:
                facts = replace(
                    shard.facts,
                    rows=own.rows,
                    nbytes=own.nbytes,
                    first_qid=own.first_qid,
                    last_qid=own.last_qid,
                )
                joined.append(replace(shard, ref=call.result[0], facts=facts))
        ends: dict[int, int] = {}
        for position, shard in enumerate(joined):
            for qid in {shard.facts.first_qid, shard.facts.last_qid}:
                if qid is not None and ends.setdefault(qid, position) != position:
                    raise DataError(
                        f"rows of the group {qid} of column {columns.qid!r} do not follow each "
                        f"other: sort the data by {columns.qid!r}"
                    )
        if len(joined) < self.plan.workers:
            raise ParameterError(
                f"the groups of column {columns.qid!r} fill only {len(joined)} parts of the data: "
                f"use workers={len(joined)} or fewer"
            )
        homes = spread([s.facts.rows for s in joined], self.plan.workers)
        return [replace(s, home=h) for s, h in zip(joined, homes, strict=True)]

    def _make_layout(self) -> Layout:
        columns = self.plan.columns["train"]
        train = [s.facts for s in self._shards["train"]]
        sizes = {
            (f.features, key)
            for key, x in self._shards.items()
            for f in (s.facts for s in x)
            if f.features
        }
        if len({n for n, _ in sizes}) > 1:
            found = ", ".join(str(n) for n in sorted({n for n, _ in sizes}))
            raise DataError(
                f"column {columns.vector!r} has vectors of different sizes in the data ({found}): "
                "every row must have the same number of features"
            )
        categories: dict[str, set[Any]] = {}
        for facts in train:
            for name, values in facts.categories.items():
                categories.setdefault(name, set()).update(values)
        names = next((f.names for f in train if f.names), None)
        return Layout(
            features=max(n for n, _ in sizes) if sizes else 0,
            names=names,
            categories={n: tuple(sorted(v, key=_category_key)) for n, v in categories.items()},
            missing=columns.missing,
            max_bin=self.plan.max_bin,
        )

    def _sample_cuts(self, train: Sequence[StoredShard], layout: Layout) -> Cuts:
        import ray

        rows = sum(s.facts.rows for s in train)
        fraction = sample_fraction(rows, layout.features, layout.max_bin, self.plan.sample_rows)
        samples = [
            Call("sample", ([s.ref], fraction, i, layout.max_bin), s.home, 2)
            for i, s in enumerate(train)
        ]
        self._run_calls(samples)
        refs = [c.result[0] for c in samples]
        n = min(self.plan.workers, layout.features)
        edges = [layout.features * i // n for i in range(n + 1)]
        cuts = [
            Call("cut", (refs, a, b, layout), i)
            for i, (a, b) in enumerate(itertools.pairwise(edges))
        ]
        self._run_calls(cuts)
        return join_cuts([ray.get(c.result[0]) for c in cuts])

    def _run_calls(self, calls: Sequence[Call]) -> None:
        """Run calls on the workers, each at its home unless another has nothing to do.

        Raises:
            XGBRayError: what a call raised.
            TrainingError: too many workers were lost meanwhile.
        """
        queues = {s.index: deque[Call]() for s in self._crew.slots}
        for call in calls:
            queues[call.home % len(self._crew.slots)].append(call)
        running: dict[Any, tuple[Call, Slot, Any]] = {}
        left = len(calls)
        while left:
            self._stop.check()
            for slot in self._crew.slots:
                if not slot.ready:
                    continue
                busy = sum(1 for _, s, _ in running.values() if s is slot)
                while busy < 2 and any(queues.values()):
                    queue = queues[slot.index] or max(queues.values(), key=len)
                    if queue is not queues[slot.index] and busy:
                        break
                    call = queue.popleft()
                    method = getattr(slot.actor, call.method).options(num_returns=call.returns)
                    refs = method.remote(*call.arguments)
                    call.result = refs if isinstance(refs, list) else [refs]
                    running[call.result[-1]] = (call, slot, slot.actor)
                    busy += 1
            for ref in self._crew.tend(list(running)):
                call, slot, actor = running.pop(ref)
                try:
                    error = error_of(ref)
                except Exception as raised:
                    error = raised
                if error is None:
                    left -= 1
                elif is_death(error):
                    queues[slot.index].appendleft(call)
                    if slot.actor is actor:
                        self._crew.lost(slot, "lost")
                else:
                    raise error
            for ref, (call, slot, actor) in list(running.items()):
                if slot.actor is not actor or slot.state == "empty":
                    running.pop(ref)
                    queues[slot.index].appendleft(call)
            self._crew.replace_lost()


def _check_vectors(facts: Sequence[ShardFacts], columns: Columns) -> None:
    """A gap must have one meaning in the whole column."""
    kinds = frozenset().union(*(f.kinds for f in facts))
    if len(kinds) > 1 and not columns.densify and columns.missing != 0.0:
        raise DataError(
            f"column {columns.vector!r} has sparse and dense vectors, so the same row can be "
            "written with gaps or with zeros: say missing=0.0 (both are missing, as in "
            "xgboost.spark) or densify=True (both are the value 0)"
        )


def _category_key(value: Any) -> tuple[str, Any]:
    return (type(value).__name__, value)
