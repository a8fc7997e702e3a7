"""Carries a training out: starts workers, feeds them, watches them, and mends what breaks.

One loop in one thread of the driver. What to do is decided in `policies`; what a worker does is
in `worker`. All objects (shards, samples) are results of calls made here and so belong to the
driver: they outlive the worker that made them.
"""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from gateway_ext.xgb_ray import boosting
from gateway_ext.xgb_ray.boosting import Recipe, TrainState
from gateway_ext.xgb_ray.cluster import end_process, reserve
from gateway_ext.xgb_ray.columns import Columns
from gateway_ext.xgb_ray.cuts import Cuts, join_cuts, sample_fraction
from gateway_ext.xgb_ray.errors import (
    ClusterError,
    DataError,
    ParameterError,
    TrainingError,
    XGBRayError,
)
from gateway_ext.xgb_ray.matrix import Layout
from gateway_ext.xgb_ray.policies import (
    FailurePolicy,
    Pace,
    Phase,
    Scaling,
    Workforce,
    assign,
    spread,
)
from gateway_ext.xgb_ray.result import Event
from gateway_ext.xgb_ray.shards import ShardFacts
from gateway_ext.xgb_ray.sources import Source, plan_pieces
from gateway_ext.xgb_ray.worker import Outcome, Prepared, Worker, World

# Heartbeats: of everyone, and of rank 0, which also brings the newest state. What was computed
# after its last answer is lost if all workers die in the same moment, so it is asked more often.
PING_SECONDS = 0.5
HEAD_PING_SECONDS = 0.1
# How long a survivor may take to come back after its sockets were shut down (usual: 20 ms).
SURVIVOR_SECONDS = 5.0


@dataclass(frozen=True)
class Plan:
    """All that a training needs to know, checked.

    `sources` and `columns` are by data key, "train" among them; `evals` are pairs of a data key
    and the name to show. `start` is the state to begin from. `placement` is room that someone
    else reserved (a trial's), with the first bundle to use.
    """

    recipe: Recipe
    sources: dict[str, Source]
    columns: dict[str, Columns]
    evals: tuple[tuple[str, str], ...]
    start: TrainState
    workers: int
    cpus: float
    scaling: Scaling
    failures: FailurePolicy
    cuts: str = "sample"
    sample_rows: int | None = None
    max_bin: int = 256
    memory_bytes: int | None = None
    heartbeat_seconds: float = 15.0
    start_seconds: float = 600.0
    checkpoint_every: int = 10
    save_checkpoint: Callable[[TrainState], None] | None = None
    placement: tuple[Any, int] | None = None
    placed: Placed | None = None

    @property
    def threads(self) -> int:
        return max(1, int(self.cpus))


@dataclass(frozen=True)
class Placed:
    """Data that is in the object store already, with its cuts: shared by trainings."""

    shards: dict[str, list[StoredShard]]
    layout: Layout
    cuts: Cuts | None


@dataclass(frozen=True)
class StoredShard:
    """A shard in the object store and the slot of the worker that decoded it."""

    ref: Any
    facts: ShardFacts
    home: int


@dataclass(eq=False)
class Slot:
    """A place for one worker: its actor changes when it is replaced."""

    index: int
    actor: Any = None
    state: str = "empty"  # empty, starting, ready
    pid: int = 0
    node: str = ""
    address: str = ""
    hello: Any = None
    ping: Any = None
    pinged_at: float = 0.0
    seen_at: float = 0.0
    started_at: float = 0.0
    holds: bool = False
    spare: Any = None  # a replacement's own preparation, beside the training
    prepared: bool = False
    cpu_seconds: float = 0.0


@dataclass
class Call:
    """A call that may run on any worker, and again on another if that one dies."""

    method: str
    arguments: tuple[Any, ...]
    home: int
    returns: int = 1
    result: list[Any] = field(default_factory=list)


class _Stopped(Exception):
    """The user asked to stop, outside of boosting."""


class Controller:
    """One training. `run` blocks; `stop`, `stop_now` and the attributes may be used meanwhile."""

    def __init__(self, plan: Plan, changed: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self.phase = Phase.PLACING
        self.state = plan.start
        self.rounds = plan.start.rounds
        self.log: list[tuple[int, dict[str, dict[str, float]]]] = []
        self.events: list[Event] = []
        self.timings: dict[str, float] = {}
        self.alive = 0
        self.peak_memory = 0
        self.started = time.monotonic()
        self.round_seconds = 0.0
        self._phase_since = self._log_at = self.started
        self._changed = changed
        self._stop, self._now = threading.Event(), threading.Event()
        self._slots = [Slot(i) for i in range(plan.workers)]
        self._group: Any = None
        self._head: Slot | None = None
        self._failures = 0
        self._attempt = 0
        self._shards: dict[str, list[StoredShard]] = {}
        self._layout: Layout | None = None
        self._cuts: Cuts | None = None
        self._rebuild_seconds = 0.0
        self._asked_pause = False
        self._saved_at = plan.start.rounds
        self._cpu_of_the_gone = 0.0
        self.loaded: dict[str, int] = {}

    # For others.

    def stop(self) -> None:
        """End after the round that is being computed, and keep the model."""
        self._stop.set()

    def stop_now(self) -> None:
        """End at once, with the newest model that the driver has."""
        self._stop.set()
        self._now.set()

    @property
    def cpu_seconds(self) -> float:
        return self._cpu_of_the_gone + sum(s.cpu_seconds for s in self._slots)

    @property
    def layout(self) -> Layout | None:
        """Features and categories, once the data is loaded."""
        return self._layout

    @property
    def placed(self) -> Placed:
        """The data in the object store, for other trainings on the same data."""
        return Placed(self._shards, self._known_layout(), self._cuts)

    def _known_layout(self) -> Layout:
        if self._layout is None:
            raise RuntimeError("the data is not loaded yet")
        return self._layout

    def run(self) -> Phase:
        """Carry the training out; returns the final phase. Nothing is left running.

        Raises:
            XGBRayError: it failed; `state`, `events` and `timings` hold what there was.
        """
        try:
            try:
                self._place()
                self._start_workers()
                self._place_data()
                self._train()
            except (_Stopped, InterruptedError):
                self._enter(Phase.STOPPED)
                self._note("stopped")
            except XGBRayError as error:
                self._fail(str(error))
                raise
            except Exception as error:
                text = _cause(error)
                self._fail(text)
                if isinstance(error, XGBRayError):
                    raise
                raise TrainingError(text) from error
        finally:
            self._clean_up()
            self.timings["total"] = time.monotonic() - self.started
            self._changed()
        return self.phase

    def place_data(self) -> Placed:
        """Only load the data and make the cuts; the workers end, the data stays."""
        try:
            self._place()
            self._start_workers()
            self._place_data()
            return self.placed
        finally:
            self._clean_up()

    # Phases.

    def _enter(self, phase: Phase) -> None:
        now = time.monotonic()
        name = self.phase.value
        self.timings[name] = self.timings.get(name, 0.0) + now - self._phase_since
        self.phase, self._phase_since = phase, now
        self._changed()

    def _note(self, kind: str, **detail: Any) -> None:
        self.events.append(Event(time.monotonic() - self.started, kind, self.rounds, detail))
        self._changed()

    def _fail(self, text: str) -> None:
        self._enter(Phase.FAILED)
        self._note("failed", reason=text)

    def _check_stop(self) -> None:
        if self._stop.is_set():
            raise _Stopped

    def _place(self) -> None:
        plan = self.plan
        if plan.placement is not None:
            self._group = plan.placement[0]
            return
        self._group = reserve(
            plan.workers,
            plan.cpus,
            memory_bytes=plan.memory_bytes,
            timeout=plan.start_seconds,
            stopping=self._stop.is_set,
        )

    def _start_workers(self) -> None:
        self._enter(Phase.STARTING)
        for slot in self._slots:
            self._start(slot)
        self._note("started", workers=self.plan.workers)

    def _start(self, slot: Slot) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        first = self.plan.placement[1] if self.plan.placement is not None else 0
        remote: Any = ray.remote
        cls = remote(
            num_cpus=self.plan.cpus,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"control": 3},
        )(Worker)
        slot.actor = cls.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                self._group, placement_group_bundle_index=first + slot.index
            ),
            runtime_env=None,
        ).remote(self.plan.threads)
        slot.state, slot.holds, slot.prepared, slot.spare = "starting", False, False, None
        slot.ping = None
        slot.hello = self._control(slot, "hello")
        slot.started_at = time.monotonic()

    @staticmethod
    def _control(slot: Slot, method: str, *arguments: Any) -> Any:
        return getattr(slot.actor, method).options(concurrency_group="control").remote(*arguments)

    def _place_data(self) -> None:
        if self.plan.placed is not None:
            placed = self.plan.placed
            self._layout, self._cuts = placed.layout, placed.cuts
            self._shards = {
                key: [
                    replace(s, home=h)
                    for s, h in zip(
                        shards,
                        spread([s.facts.rows for s in shards], self.plan.workers),
                        strict=True,
                    )
                ]
                for key, shards in placed.shards.items()
            }
            return
        self._enter(Phase.LOADING)
        for key, source in self.plan.sources.items():
            self._shards[key] = self._load(source, self.plan.columns[key])
        self._layout = self._make_layout()
        train = self._shards["train"]
        self.loaded = {
            "rows": sum(s.facts.rows for s in train),
            "features": self._layout.features,
        }
        self._note(
            "loaded",
            **self.loaded,
            MB=round(sum(s.facts.nbytes for x in self._shards.values() for s in x) / 1e6),
        )
        if self.plan.cuts == "sample":
            self._cuts = self._sample_cuts(train)
            self._note("cuts", bins=len(self._cuts.values))

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

    def _sample_cuts(self, train: Sequence[StoredShard]) -> Cuts:
        import ray

        layout = self._known_layout()
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
        queues = {s.index: deque[Call]() for s in self._slots}
        for call in calls:
            queues[call.home % len(self._slots)].append(call)
        running: dict[Any, tuple[Call, Slot, Any]] = {}
        left = len(calls)
        while left:
            self._check_stop()
            for slot in self._slots:
                if slot.state != "ready":
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
            for ref in self._tend(list(running)):
                call, slot, actor = running.pop(ref)
                try:
                    error = _error_of(ref)
                except Exception as raised:
                    error = raised
                if error is None:
                    left -= 1
                elif _is_death(error):
                    queues[slot.index].appendleft(call)
                    if slot.actor is actor:
                        self._lost(slot, "lost")
                else:
                    raise error
            for ref, (call, slot, actor) in list(running.items()):
                if slot.actor is not actor or slot.state == "empty":
                    running.pop(ref)
                    queues[slot.index].appendleft(call)
            self._replace_lost()

    # The world and its rounds.

    def _train(self) -> None:
        while True:
            members = self._gather()
            self._enter(Phase.PREPARING)
            world = self._prepare(members)
            if world is None:
                continue
            self._enter(Phase.TRAINING)
            if self._boost(world):
                return

    def _gather(self) -> list[Slot]:
        """Wait until the scaling policy lets a world begin; its members."""
        waiting_since = time.monotonic()
        while True:
            self._check_stop()
            self._replace_lost()
            ready = [s for s in self._slots if s.state == "ready"]
            force = Workforce(
                wanted=self.plan.workers,
                ready=len(ready),
                holding=sum(s.holds for s in ready),
                starting=sum(s.state == "starting" for s in self._slots),
            )
            waited = time.monotonic() - waiting_since
            overdue = waited > self.plan.start_seconds
            if self.plan.scaling.may_begin(force, overdue):
                return ready
            if overdue:
                raise ClusterError(
                    f"only {len(ready)} of {self.plan.workers} workers are there after "
                    f"{waited:.0f} s: the cluster has no room for a replacement. Use "
                    "elastic=True to go on with fewer, or raise start_timeout"
                )
            if self.phase is not Phase.WAITING and self._attempt:
                self._enter(Phase.WAITING)
            self._tend([], 0.1)

    def _sets(self, members: Iterable[int]) -> Mapping[int, dict[str, list[Any]]]:
        """The shards of each member by data key."""
        members = list(members)
        out: dict[int, dict[str, list[Any]]] = {m: {} for m in members}
        for key, shards in self._shards.items():
            shares = assign([s.facts.rows for s in shards], [s.home for s in shards], members)
            for member, mine in shares.items():
                out[member][key] = [shards[i].ref for i in mine]
        return out

    def _worlds(self, members: Sequence[Slot]) -> list[tuple[Slot, World]]:
        """Ranks for members and a meeting point for them."""
        import ray

        self._attempt += 1
        ordered = sorted(members, key=lambda s: s.index)
        arguments: dict[str, Any] = {}
        if len(ordered) > 1:
            head = ordered[0]
            ref = self._control(head, "start_tracker", len(ordered), head.address)
            arguments = ray.get(ref, timeout=30)
        return [
            (
                s,
                World(
                    self._attempt, rank, len(ordered), {**arguments, "dmlc_task_id": f"{rank:06}"}
                ),
            )
            for rank, s in enumerate(ordered)
        ]

    def _prepare(self, members: Sequence[Slot]) -> list[Slot] | None:
        """Matrices for everyone; None if a member was lost meanwhile."""
        sets = self._sets([s.index for s in members])
        layout = self._known_layout()
        collective = self._cuts is None
        try:
            if collective:
                worlds = self._worlds(members)
            else:
                worlds = [(s, World(0, i, 1)) for i, s in enumerate(members)]
        except Exception as error:
            if self._is_member_death(error, members):
                return None
            raise
        started = time.monotonic()
        calls = {
            s.actor.prepare.remote(sets[s.index], layout, self._cuts, world): s
            for s, world in worlds
        }
        results = self._collect(calls, collective)
        if results is None:
            return None
        seconds = 0.0
        for slot, prepared in results.items():
            if prepared.status == "error":
                raise DataError(f"the matrix cannot be built: {prepared.message}")
            if prepared.status == "aborted":
                return None
            slot.holds = slot.prepared = True
            seconds = max(seconds, prepared.seconds)
            self._cuts = self._cuts or prepared.cuts
        if seconds > 0.01:
            self._rebuild_seconds = seconds
        self._note(
            "prepared",
            workers=len(members),
            seconds=round(time.monotonic() - started, 3),
        )
        return list(members)

    def _boost(self, members: Sequence[Slot]) -> bool:
        """Rounds in one world; True when the training is complete."""
        try:
            worlds = self._worlds(members)
        except Exception as error:
            if self._is_member_death(error, members):
                return False
            raise
        import ray

        self._asked_pause = False
        self._head = worlds[0][0]
        state = ray.put(self.state)
        calls = {
            s.actor.boost.remote(world, self.plan.recipe, self.plan.evals, state): s
            for s, world in worlds
        }
        results = self._collect(calls, True, members)
        if results is None:
            return False
        outcomes: dict[Slot, Outcome] = results
        for outcome in outcomes.values():
            if outcome.status == "error":
                raise TrainingError(outcome.message)
        first = next((o for o in outcomes.values() if o.state is not None), None)
        if first is None or first.state is None:
            # Nobody died, yet the world broke (a connection was lost): make a new one.
            self._failures += 1
            self._note("lost", reason=next(iter(outcomes.values())).message)
            self._check_failures()
            self._take_state(list(outcomes.items()))
            return False
        self._adopt(first.state)
        if first.status == "paused":
            return False
        self._enter(Phase.FINISHED if first.status == "finished" else Phase.STOPPED)
        self._note(self.phase.value)
        return True

    def _collect(
        self,
        calls: dict[Any, Slot],
        collective: bool,
        boosting_members: Sequence[Slot] = (),
    ) -> dict[Slot, Any] | None:
        """Results of one call on each member; None when a member was lost and the rest is back."""
        import ray

        results: dict[Slot, Any] = {}
        pending = dict(calls)
        actors = {s: s.actor for s in calls.values()}
        broken_at: float | None = None
        asked_stop = False
        lost: list[Slot] = []
        while pending:
            if self._now.is_set():
                raise _Stopped
            if self._stop.is_set() and not asked_stop:
                if not boosting_members:
                    raise _Stopped
                self._ask(boosting_members, boosting.STOP)
                asked_stop = True
            for ref in self._tend(list(pending)):
                slot = pending.pop(ref)
                try:
                    results[slot] = ray.get(ref)
                except Exception as error:
                    if not _is_death(error):
                        raise _cause_error(error) from error
                    if slot.actor is actors[slot]:
                        self._lost(slot, "lost")
            gone = [s for s in actors if s.actor is not actors[s] or s.state == "empty"]
            for slot in gone:
                if slot not in lost:
                    lost.append(slot)
                    for ref in [r for r, s in pending.items() if s is slot]:
                        pending.pop(ref)
            failed = any(
                isinstance(r, Outcome | Prepared) and r.status in ("error", "aborted")
                for r in results.values()
            )
            if (lost or failed) and broken_at is None:
                broken_at = time.monotonic()
                if boosting_members:
                    self._enter(Phase.RECOVERING)
                if collective:
                    for slot in pending.values():
                        self._control(slot, "abort", self._attempt)
            if broken_at is not None and collective:
                if time.monotonic() - broken_at > SURVIVOR_SECONDS:
                    for slot in list(pending.values()):
                        self._lost(slot, "frozen", counts=False)
            elif boosting_members:
                self._welcome_newcomers(boosting_members)
        if not lost or broken_at is None:
            return results
        if boosting_members:
            errors = [r for r in results.values() if r.status == "error"]
            if errors:
                raise TrainingError(errors[0].message)
            back = time.monotonic() - broken_at
            before = self.rounds
            self._take_state([(s, o) for s, o in results.items() if s.state == "ready"])
            self._note(
                "recovered",
                survivors=len(results),
                survivors_back_ms=round(back * 1000, 1),
                rounds_lost=max(0, before - self.state.rounds),
            )
        return None

    def _take_state(self, outcomes: Sequence[tuple[Slot, Outcome]]) -> None:
        """The newest state from the survivors; without any, what the driver last saw."""
        import ray

        for slot, outcome in sorted(outcomes, key=lambda x: -x[1].rounds):
            if outcome.rounds < self.state.rounds:
                break
            if outcome.state is not None:
                self._adopt(outcome.state)
                return
            try:
                state = ray.get(self._control(slot, "take_state"), timeout=30)
            except Exception as error:
                if not _is_death(error):
                    raise
                self._lost(slot, "lost")
                continue
            if state is not None:
                self._adopt(state)
                return
        self.rounds = self.state.rounds

    def _adopt(self, state: TrainState) -> None:
        self.state = state
        self.rounds = max(self.rounds, state.rounds)
        plan = self.plan
        if plan.save_checkpoint and state.rounds - self._saved_at >= plan.checkpoint_every:
            plan.save_checkpoint(state)
            self._saved_at = state.rounds
            self._note("checkpoint")

    def _ask(self, members: Sequence[Slot], flag: int) -> None:
        for slot in members:
            if slot.state == "ready":
                self._control(slot, "ask", flag, self._attempt)

    def _welcome_newcomers(self, members: Sequence[Slot]) -> None:
        """Let replacements build their matrices beside the training; pause when it pays."""
        import ray

        new = [s for s in self._slots if s.state == "ready" and s not in members]
        if not new or self._asked_pause or self._layout is None:
            return
        sets = self._sets([s.index for s in (*members, *new)])
        for slot in new:
            if slot.spare is None and not slot.prepared:
                arguments = (sets[slot.index], self._layout, self._cuts, World(0, 0, 1))
                slot.spare = slot.actor.prepare.remote(*arguments)
            elif slot.spare is not None and ray.wait([slot.spare], timeout=0)[0]:
                try:
                    slot.prepared = ray.get(slot.spare).status == "ready"
                except Exception as error:
                    if not _is_death(error):
                        raise
                    self._lost(slot, "lost")
                slot.spare = None
        prepared = [s for s in new if s.prepared and s.state == "ready"]
        pace = Pace(
            self.plan.recipe.rounds - self.rounds,
            self.round_seconds,
            self._rebuild_seconds,
            len(members),
        )
        if prepared and self.plan.scaling.may_grow(pace, len(prepared)):
            self._asked_pause = True
            self._ask(members, boosting.PAUSE)
            self._note("resized", workers=len(members) + len(prepared))

    # Workers.

    def _tend(self, work: Sequence[Any], timeout: float = 0.1) -> list[Any]:
        """Wait for work for a moment, tending hellos and heartbeats; the work that is done."""
        import ray

        now = time.monotonic()
        for slot in self._slots:
            pause = HEAD_PING_SECONDS if slot is self._head else PING_SECONDS
            if slot.state == "ready" and slot.ping is None and now - slot.pinged_at > pause:
                slot.ping = self._control(slot, "ping", self._logged(), self.state.rounds)
                slot.pinged_at = now
        control = {s.hello: s for s in self._slots if s.state == "starting"}
        pings = {s.ping: s for s in self._slots if s.ping is not None}
        refs = [*work, *control, *pings]
        if not refs:
            self._stop.wait(timeout)
            return []
        done, _ = ray.wait(refs, num_returns=1, timeout=timeout, fetch_local=False)
        # A wait that must not take time may overlook what the first one found: add, not replace.
        rest = [r for r in refs if done and r not in done]
        if rest:
            done += ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        mine = set(work)
        for ref in done:
            if ref in control:
                self._greet(control[ref])
            elif ref in pings and ref not in mine:
                self._hear(pings[ref])
        now = time.monotonic()
        for slot in self._slots:
            quiet = now - slot.pinged_at
            if slot.ping is not None and quiet > self.plan.heartbeat_seconds:
                self._lost(slot, "frozen")
        self.alive = sum(s.state == "ready" for s in self._slots)
        return [r for r in done if r in mine]

    def _logged(self) -> int:
        return self.log[-1][0] if self.log else 0

    def _greet(self, slot: Slot) -> None:
        import ray

        try:
            slot.pid, slot.node, slot.address = ray.get(slot.hello)
        except Exception as error:
            if not _is_death(error):
                raise _cause_error(error) from error
            self._lost(slot, "lost")
            return
        slot.state, slot.hello = "ready", None
        slot.pinged_at = slot.seen_at = time.monotonic()
        if self._attempt:
            self._note("replaced", worker=slot.index)

    def _hear(self, slot: Slot) -> None:
        import ray

        ref, slot.ping = slot.ping, None
        try:
            progress = ray.get(ref)
        except Exception as error:
            if not _is_death(error):
                raise _cause_error(error) from error
            self._lost(slot, "lost")
            return
        slot.seen_at = time.monotonic()
        slot.cpu_seconds = progress.cpu_seconds
        self.peak_memory = max(self.peak_memory, progress.memory_bytes)
        if progress.state is not None and progress.state.rounds > self.state.rounds:
            self._adopt(progress.state)
        fresh = [entry for entry in progress.log if entry[0] > self._logged()]
        if fresh:
            now = time.monotonic()
            if self.log and fresh[-1][0] > self.log[-1][0]:
                took = (now - self._log_at) / (fresh[-1][0] - self.log[-1][0])
                mixed = 0.7 * self.round_seconds + 0.3 * took if self.round_seconds else took
                self.round_seconds = mixed
            self._log_at = now
            self.log += fresh
            self.rounds = max(self.rounds, fresh[-1][0])
            self._changed()

    def _lost(self, slot: Slot, how: str, counts: bool = True) -> None:
        """A worker is gone or frozen: make sure that it is dead, and forget it."""
        import ray

        actor, slot.actor = slot.actor, None
        starting = slot.state == "starting"
        slot.state, slot.ping, slot.hello, slot.holds = "empty", None, None, False
        slot.spare, slot.prepared = None, False
        self._cpu_of_the_gone += slot.cpu_seconds
        slot.cpu_seconds = 0.0
        with contextlib.suppress(Exception):
            ray.kill(actor)
        if how == "frozen" and slot.node:
            with contextlib.suppress(Exception):
                end_process(slot.node, slot.pid)
        self._failures += counts
        self._note(how, worker=slot.index, **({"while": "starting"} if starting else {}))
        self._check_failures()

    def _check_failures(self) -> None:
        if not self.plan.failures.may_go_on(self._failures):
            raise TrainingError(
                f"{self._failures} workers were lost, more than max_failures="
                f"{self.plan.failures.max_failures} allows"
            )

    def _replace_lost(self) -> None:
        for slot in self._slots:
            if slot.state == "empty":
                self._start(slot)

    def _is_member_death(self, error: Exception, members: Sequence[Slot]) -> bool:
        """Whether a call to the first member failed because it died (and take note of it)."""
        import ray

        head = min(members, key=lambda s: s.index)
        if not (_is_death(error) or isinstance(error, ray.exceptions.GetTimeoutError)):
            return False
        if head.state == "ready":
            self._lost(head, "lost")
        return True

    def _clean_up(self) -> None:
        """End every worker and give the room back."""
        import ray
        from ray.util.placement_group import remove_placement_group

        if not ray.is_initialized():
            return
        for slot in self._slots:
            if slot.actor is None:
                continue
            self._cpu_of_the_gone += slot.cpu_seconds
            slot.cpu_seconds = 0.0
            with contextlib.suppress(Exception):
                ray.kill(slot.actor)
            slot.actor, slot.state, slot.ping, slot.hello = None, "empty", None, None
        if self._group is not None and self.plan.placement is None:
            with contextlib.suppress(Exception):
                remove_placement_group(self._group)
        if self.phase is Phase.FINISHED and self.plan.placed is None:
            self._shards = {}


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


def _is_death(error: BaseException) -> bool:
    """Whether an error means that a worker's process, or its node, is gone."""
    import ray

    return isinstance(
        error,
        ray.exceptions.RayActorError
        | ray.exceptions.WorkerCrashedError
        | ray.exceptions.NodeDiedError
        | ray.exceptions.ActorUnavailableError,
    )


def _error_of(ref: Any) -> Exception | None:
    """The error of a finished call. `ref` is the last of its results, which is always small."""
    import ray

    try:
        ray.get(ref)
    except Exception as error:
        return error if _is_death(error) else _cause_error(error)
    return None


def _cause_error(error: BaseException) -> Exception:
    """What a remote call really raised."""
    import ray

    if isinstance(error, ray.exceptions.RayTaskError) and isinstance(error.cause, Exception):
        cause = error.cause
        return cause if isinstance(cause, XGBRayError) else TrainingError(_cause(cause))
    return error if isinstance(error, Exception) else RuntimeError(str(error))


def _cause(error: BaseException) -> str:
    from gateway_ext.xgb_ray.worker import user_message

    return user_message(error)
