"""Groups of workers that compute rounds together: how they form, run and end.

A group consists of the workers that are ready; they join it while matrices are built. It ends
after a round (finished, stopped, or paused to add workers), or it breaks when a member is lost:
then the survivors leave the round and return the newest state.
"""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gateway_ext.xgb_ray.data.cuts import Cuts
from gateway_ext.xgb_ray.errors import DataError, TrainingError
from gateway_ext.xgb_ray.ray_cluster.remote_errors import cause_of, is_death
from gateway_ext.xgb_ray.training.assignment import gain, host
from gateway_ext.xgb_ray.training.member_calls import MemberCalls
from gateway_ext.xgb_ray.training.plan import Placed, Plan
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.training.scaling import Pace
from gateway_ext.xgb_ray.training.stopping import Stopped, StopSwitch
from gateway_ext.xgb_ray.training.worker_group import Slot, WorkerGroup, WorkerLost
from gateway_ext.xgb_ray.worker import boosting
from gateway_ext.xgb_ray.worker.worker import Outcome, Prepared, RankAssignment

# How long a survivor may take to come back after its sockets were shut down (usual: 20 ms), and
# how many rounds: it may be in the middle of a long computation.
SURVIVOR_SECONDS, SURVIVOR_ROUNDS = 5.0, 3


class RoundsEnd(enum.Enum):
    """How the rounds of one group ended."""

    FINISHED = "finished"
    """The model is complete."""
    STOPPED = "stopped"
    """The user, or a callback, ended the training after a round."""
    PAUSED = "paused"
    """Replacements are ready to join."""
    BROKEN = "broken"
    """A member or a connection was lost: another group must form."""


class Rounds:
    """The groups of one training, one after the other."""

    def __init__(
        self,
        plan: Plan,
        placed: Placed,
        workers: WorkerGroup,
        record: Record,
        stop: StopSwitch,
        recovering: Callable[[], None],
    ) -> None:
        """`recovering` is called when a group breaks, before the survivors are called back."""
        self.plan = plan
        self.cuts: Cuts | None = placed.cuts
        self._layout = placed.layout
        self._shards = placed.shards
        self._rows = [
            sum(s.facts.rows for s in placed.shards["train"] if s.home == p)
            for p in range(plan.workers)
        ]
        self._workers, self._record, self._stop = workers, record, stop
        self._recovering = recovering
        self._attempt = 0
        # The ranks in the group that is being prepared, and the calls of those who have not joined
        # it yet.
        self._ranks: dict[Slot, list[RankAssignment]] = {}
        self._joins: set[Any] = set()
        self._met_at = 0.0
        self._build_seconds = 0.0
        self._asked_pause = False

    def prepare(self, members: Sequence[Slot]) -> bool:
        """Matrices for everyone; False if a member was lost meanwhile.

        Raises:
            DataError: no matrix can be made of the data.
            Stopped: the user asked to.
        """
        collective = self.cuts is None
        hosts = host(self._rows, [m.index for m in members])
        try:
            ranks = self._meet(members)
        except WorkerLost:
            return False
        if not collective:
            self._ranks = ranks
            if self.plan.workers > 1:
                self._joins = {s.control("join", own) for s, own in ranks.items()}
        started = time.monotonic()
        calls = {self._build(s, hosts[s.index], ranks[s] if collective else []): s for s in members}
        results = self._collect_prepared(calls, collective)
        if results is None:
            # Those who are left wait in a group that will not be used; the next one begins when
            # they have come out of it.
            for slot in members:
                if slot.ready:
                    with contextlib.suppress(WorkerLost):
                        self._workers.answer(slot, "abort", self._attempt)
            return False
        seconds = 0.0
        wrong = next((p for p in results.values() if p.status == "error"), None)
        if wrong is not None:
            raise DataError(f"the matrix cannot be built: {wrong.message}")
        for slot, prepared in results.items():
            if prepared.status == "aborted":
                # Nobody died, but the group broke. It counts as a failure, to limit the retries.
                self._record.note("lost", reason=prepared.message)
                self._workers.count_failure(prepared.message)
                return False
            slot.holds = slot.prepared = True
            seconds = max(seconds, prepared.seconds)
            self.cuts = self.cuts or prepared.cuts
        self._build_seconds = max(self._build_seconds, seconds)
        self._record.note(
            "prepared",
            workers=len(members),
            seconds=round(time.monotonic() - started, 3),
        )
        return True

    def boost(self, members: Sequence[Slot]) -> RoundsEnd:
        """Rounds of one group.

        Raises:
            TrainingError: the work itself failed, or too many workers were lost.
            Stopped: the user asked to end at once.
        """
        import ray

        ranks, self._ranks = self._ranks, {}
        if not ranks:
            try:
                ranks = self._meet(members)
            except WorkerLost:
                return RoundsEnd.BROKEN
        record = self._record
        self._asked_pause = False
        self._workers.head = next(s for s, own in ranks.items() if any(r.rank == 0 for r in own))
        state = ray.put(record.state)
        calls = {
            s.actor.boost.remote(own, self.plan.recipe, self.plan.evals, state): s
            for s, own in ranks.items()
        }
        outcomes = self._collect_outcomes(calls, members)
        if outcomes is None:
            return RoundsEnd.BROKEN
        for outcome in outcomes.values():
            if outcome.status == "error":
                raise TrainingError(outcome.message)
        first = next((o for o in outcomes.values() if o.state is not None), None)
        if first is None or first.state is None:
            # Nobody died, yet the group broke (a connection was lost): make a new one.
            reason = next(iter(outcomes.values())).message
            record.note("lost", reason=reason)
            self._workers.count_failure(reason)
            self._take_state(list(outcomes.items()))
            return RoundsEnd.BROKEN
        record.adopt(first.state)
        return RoundsEnd(first.status)

    def _pace(self, members: Sequence[Slot], newcomers: Sequence[Slot]) -> Pace:
        """How fast it goes, and what the newcomers would change."""
        record = self._record
        before = [s.index for s in members]
        return Pace(
            rounds_left=self.plan.recipe.rounds - record.rounds,
            round_seconds=record.round_seconds,
            join_seconds=self._workers.start_seconds + self._build_seconds,
            gain=gain(self._rows, before, {*before, *(s.index for s in newcomers)}),
        )

    def _build(self, slot: Slot, portions: Sequence[int], ranks: Sequence[RankAssignment]) -> Any:
        """Have a worker build the matrices of these portions."""
        sets = {
            p: {key: [s.ref for s in shards if s.home == p] for key, shards in self._shards.items()}
            for p in portions
        }
        return slot.actor.prepare.remote(sets, self._layout, self.cuts, ranks)

    def _meet(self, members: Sequence[Slot]) -> dict[Slot, list[RankAssignment]]:
        """For each worker the rank of each of its portions, and a meeting point for all.

        Raises:
            WorkerLost: one is gone.
        """
        self._attempt += 1
        size = self.plan.workers
        head = members[0]
        tracker: dict[str, Any] = {}
        if size > 1:
            tracker = self._workers.answer(head, "start_tracker", size, head.address)
            if not all(s.ready for s in members):
                raise WorkerLost
        hosts = host(self._rows, [s.index for s in members])
        self._joins, self._met_at = set(), time.monotonic()
        return {
            slot: [
                RankAssignment(self._attempt, rank, size, {**tracker, "dmlc_task_id": f"{rank:06}"})
                for rank in hosts[slot.index]
            ]
            for slot in members
        }

    def _collect_prepared(
        self, calls: Mapping[Any, Slot], collective: bool
    ) -> dict[Slot, Prepared] | None:
        """The matrices of each member; None when one was lost and the rest has answered.

        Raises:
            Stopped: the user asked to.
        """
        running = MemberCalls(self._workers, calls)
        while running.pending:
            self._stop.check()
            for ref in running.wait(list(self._joins)):
                self._hear_join(ref)
            # Whoever builds for itself needs nobody else to end.
            if collective and running.broken:
                running.call_back(self._attempt, self._patience)
        return None if running.lost else running.results

    def _collect_outcomes(
        self, calls: Mapping[Any, Slot], members: Sequence[Slot]
    ) -> dict[Slot, Outcome] | None:
        """How the rounds of each member ended; None when one was lost and the rest is back, with
        the newest state that these have.

        Raises:
            Stopped: the user asked to end at once.
        """
        running = MemberCalls(self._workers, calls)
        asked_stop = False
        while running.pending:
            if self._stop.now:
                raise Stopped
            if self._stop.asked and not asked_stop:
                self._ask(members, boosting.STOP)
                asked_stop = True
            for ref in running.wait(list(self._joins)):
                self._hear_join(ref)
            if running.broken:
                if running.broken_at is None:
                    self._recovering()
                running.call_back(self._attempt, self._patience)
            else:
                self._welcome_newcomers(members)
        if not running.lost:
            return running.results
        self._recover(running)
        return None

    @property
    def _patience(self) -> float:
        """Seconds that a survivor has to come back."""
        return max(SURVIVOR_SECONDS, SURVIVOR_ROUNDS * self._record.round_seconds)

    def _recover(self, running: MemberCalls) -> None:
        """Take the newest state from those who are back."""
        errors = [r for r in running.results.values() if r.status == "error"]
        if errors:
            raise TrainingError(errors[0].message)
        back = time.monotonic() - (running.broken_at or time.monotonic())
        before = self._record.rounds
        self._take_state([(s, o) for s, o in running.results.items() if s.ready])
        self._record.note(
            "recovered",
            survivors=len(running.results),
            survivors_back_ms=round(back * 1000, 1),
            rounds_lost=max(0, before - self._record.state.rounds),
        )

    def _hear_join(self, ref: Any) -> None:
        """Take note when the last one has joined, unless one could not."""
        import ray

        if ref not in self._joins:
            return
        self._joins.remove(ref)
        try:
            joined = ray.get(ref)
        except Exception:
            # What became of the worker is seen by its other calls.
            joined = False
        if not joined:
            self._joins = set()
        elif not self._joins:
            seconds = round(time.monotonic() - self._met_at, 3)
            self._record.note("joined", members=self.plan.workers, seconds=seconds)

    def _take_state(self, outcomes: Sequence[tuple[Slot, Outcome]]) -> None:
        """The newest state from the survivors; without any, what the driver last saw."""
        record = self._record
        for slot, outcome in sorted(outcomes, key=lambda x: -x[1].rounds):
            if outcome.rounds < record.state.rounds:
                break
            if outcome.state is not None:
                record.adopt(outcome.state)
                return
            try:
                state = self._workers.answer(slot, "take_state")
            except WorkerLost:
                continue
            if state is not None:
                record.adopt(state)
                return
        record.fall_back()

    def _ask(self, members: Sequence[Slot], flag: int) -> None:
        for slot in members:
            if slot.ready:
                slot.control("ask", flag, self._attempt)

    def _welcome_newcomers(self, members: Sequence[Slot]) -> None:
        """Start replacements and have them build their matrices meanwhile; pause when it
        pays to take them in."""
        import ray

        if self._asked_pause:
            return
        absent = [s for s in self._workers.slots if s not in members]
        self._workers.replace_lost(self._pace(members, absent))
        new = [s for s in absent if s.ready]
        for slot in new:
            if slot.spare is None and not slot.prepared:
                slot.spare = self._build(slot, [slot.index], [])
            elif slot.spare is not None and ray.wait([slot.spare], timeout=0)[0]:
                ref, slot.spare = slot.spare, None
                try:
                    found: Prepared = ray.get(ref)
                except Exception as error:
                    if not is_death(error):
                        raise cause_of(error) from error
                    self._workers.lost(slot, "lost")
                    continue
                slot.prepared = found.status == "ready"
                if not slot.prepared:
                    # Another one may have the memory, or the way to the data, that it lacks.
                    self._workers.lost(slot, "lost", f"its matrix cannot be built: {found.message}")
        prepared = [s for s in new if s.prepared and s.ready]
        if prepared and self.plan.scaling.may_grow(self._pace(members, prepared)):
            self._asked_pause = True
            self._ask(members, boosting.PAUSE)
            self._record.note("resized", workers=len(members) + len(prepared))
