"""The data of a training: decoded into the object store, with one layout and one set of cuts.

Tasks of the driver do it, on the nodes of the workers and while these start. So the objects belong
to the driver: no dead worker takes them along, and what a lost node held Ray makes again.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from gateway_ext.xgb_ray.data.columns import Columns
from gateway_ext.xgb_ray.data.cuts import Cuts, join_cuts
from gateway_ext.xgb_ray.data.load_tasks import Sampling, cut, load, regroup
from gateway_ext.xgb_ray.data.matrix import Layout
from gateway_ext.xgb_ray.data.shards import ShardFacts
from gateway_ext.xgb_ray.data.sources import Source, plan_pieces
from gateway_ext.xgb_ray.errors import DataError, ParameterError
from gateway_ext.xgb_ray.ray_cluster.tasks import Call, run_calls
from gateway_ext.xgb_ray.training.assignment import spread
from gateway_ext.xgb_ray.training.plan import Placed, Plan, StoredShard
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.training.stopping import StopSwitch
from gateway_ext.xgb_ray.training.worker_group import WorkerGroup


def rehome(placed: Placed, workers: int) -> Placed:
    """Data that others placed, spread over so many workers."""

    def spread_out(shards: list[StoredShard]) -> list[StoredShard]:
        homes = spread([s.facts.rows for s in shards], workers)
        return [replace(s, home=h) for s, h in zip(shards, homes, strict=True)]

    return replace(placed, shards={k: spread_out(s) for k, s in placed.shards.items()})


class Loading:
    """Loads the data of one training.

    Attributes:
        cpu_seconds: what all tasks together took.
    """

    def __init__(self, plan: Plan, group: WorkerGroup, record: Record, stop: StopSwitch) -> None:
        self.plan = plan
        self.cpu_seconds = 0.0
        self._group, self._record, self._stop = group, record, stop
        self._nodes = group.nodes()
        self._room = Counter(self._nodes)
        for node in self._room:
            self._room[node] *= plan.threads
        self._shards: dict[str, list[StoredShard]] = {}
        self._samples: list[Any] = []

    def run(self) -> Placed:
        """The data in the object store.

        Raises:
            XGBRayError: the data is not as it must be, or too many workers were lost.
        """
        for key, source in self.plan.sources.items():
            sampling = None
            if key == "train" and self.plan.cuts == "sample":
                sampling = Sampling(source.rows, self.plan.max_bin, self.plan.sample_rows)
            self._shards[key] = self._load(source, self.plan.columns[key], sampling)
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
            cuts = self._make_cuts(layout)
            self._record.note("cuts", bins=len(cuts.values))
        return Placed(self._shards, layout, cuts)

    def _load(
        self, source: Source, columns: Columns, sampling: Sampling | None
    ) -> list[StoredShard]:
        pieces = plan_pieces(source.units, self.plan.workers, max(4, self.plan.threads))
        rows = [b - a for p in pieces for a, b in p.bounds()]
        homes = spread(rows, self.plan.workers)
        calls, at = [], 0
        for piece in pieces:
            arguments = (piece, columns, source.filesystem, sampling, at)
            stored = piece.parts if sampling is None else 2 * piece.parts
            calls.append(Call(load, arguments, self._nodes[homes[at]], stored))
            at += piece.parts
        self._run(calls)
        shards: list[StoredShard] = []
        for call in calls:
            parts = len(call.value)
            self._samples += call.refs[parts:]
            for ref, facts in zip(call.refs[:parts], call.value, strict=True):
                shards.append(StoredShard(ref, facts, homes[len(shards)]))
        _check_vectors([s.facts for s in shards], columns)
        if columns.qid is not None:
            shards = self._keep_groups_whole(shards, columns)
        return shards

    def _keep_groups_whole(self, shards: list[StoredShard], columns: Columns) -> list[StoredShard]:
        """Shards between which no ranking group is divided: the part of a group that lies in
        the next shards is moved to where the group begins."""
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
            calls.append(Call(regroup, (skip, refs), self._nodes[shard.home], 1))
        self._run(calls)
        joined = []
        for call, shard in zip(calls, shards, strict=True):
            own: ShardFacts = call.value
            if own.rows:
                facts = replace(
                    shard.facts,
                    rows=own.rows,
                    nbytes=own.nbytes,
                    first_qid=own.first_qid,
                    last_qid=own.last_qid,
                )
                joined.append(replace(shard, ref=call.refs[0], facts=facts))
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
        if not any(f.features for f in train):
            raise DataError(
                f"column {columns.vector!r} has no vector in the training data: every row is null"
            )
        categories: dict[str, set[Any]] = {}
        for facts in train:
            for name, values in facts.categories.items():
                categories.setdefault(name, set()).update(values)
        names = next((f.names for f in train if f.names), None)
        return Layout(
            features=max(n for n, _ in sizes),
            names=names,
            categories={n: tuple(sorted(v, key=_category_key)) for n, v in categories.items()},
            missing=columns.missing,
            max_bin=self.plan.max_bin,
        )

    def _make_cuts(self, layout: Layout) -> Cuts:
        """The cuts from the samples, each task having a range of the columns."""
        n = min(sum(self._room.values()), layout.features)
        edges = [layout.features * i // n for i in range(n + 1)]
        calls = [
            Call(cut, (self._samples, a, b, layout), self._nodes[i % len(self._nodes)])
            for i, (a, b) in enumerate(itertools.pairwise(edges))
        ]
        self._run(calls)
        return join_cuts([call.value for call in calls])

    def _run(self, calls: Sequence[Call]) -> None:
        self.cpu_seconds += run_calls(
            calls,
            self._room,
            self._wait,
            patience=self.plan.heartbeat_seconds,
            repeated=lambda call: self._record.note("repeated", call=call.function.__name__),
        )

    def _wait(self, refs: list[Any]) -> list[Any]:
        self._stop.check()
        return self._group.tend(refs)


def _check_vectors(facts: Sequence[ShardFacts], columns: Columns) -> None:
    """A gap must have one meaning in the whole column."""
    kinds = frozenset().union(*(f.kinds for f in facts))
    if len(kinds) > 1 and not columns.densify and columns.missing != 0.0:
        raise DataError(
            f"column {columns.vector!r} has sparse and dense vectors, so the same row can be "
            "written with gaps or with zeros: use missing=0.0 (both are missing, as in "
            "xgboost.spark) or densify=True (both are the value 0)"
        )


def _category_key(value: Any) -> tuple[str, Any]:
    return (type(value).__name__, value)
