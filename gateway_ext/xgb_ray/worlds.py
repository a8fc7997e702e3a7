"""Sets of workers that compute together: brought together, run, and taken apart again.

A world is made of those who are ready. It ends together after a round (finished, stopped, or paused
to take newcomers in) or it breaks when a member is lost: then the survivors are called back and the
newest state is taken from them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway_ext.xgb_ray import boosting
from gateway_ext.xgb_ray.assignment import assign
from gateway_ext.xgb_ray.crew import Crew, Slot
from gateway_ext.xgb_ray.cuts import Cuts
from gateway_ext.xgb_ray.errors import DataError, TrainingError
from gateway_ext.xgb_ray.phases import Phase
from gateway_ext.xgb_ray.plan import Placed, Plan
from gateway_ext.xgb_ray.record import Record
from gateway_ext.xgb_ray.remote_errors import cause_of, is_death
from gateway_ext.xgb_ray.scaling import Pace
from gateway_ext.xgb_ray.stopping import Stopped, StopSwitch
from gateway_ext.xgb_ray.worker import Outcome, Prepared, World

# How long a survivor may take to come back after its sockets were shut down (usual: 20 ms).
SURVIVOR_SECONDS = 5.0


class Worlds:
    """The worlds of one training, one after the other."""

    def __init__(
        self, plan: Plan, placed: Placed, crew: Crew, record: Record, stop: StopSwitch
    ) -> None:
        self.plan = plan
        self.cuts: Cuts | None = placed.cuts
        self._shards, self._layout = placed.shards, placed.layout
        self._crew, self._record, self._stop = crew, record, stop
        self._attempt = 0
        self._rebuild_seconds = 0.0
        self._asked_pause = False

    def prepare(self, members: Sequence[Slot]) -> bool:
        """Matrices for everyone; False if a member was lost meanwhile.

        Raises:
            DataError: no matrix can be made of the data.
            Stopped: the user asked to.
        """
        sets = self._sets([s.index for s in members])
        collective = self.cuts is None
        try:
            if collective:
                worlds = self._meet(members)
            else:
                worlds = [(s, World(0, i, 1)) for i, s in enumerate(members)]
        except Exception as error:
            if self._is_head_death(error, members):
                return False
            raise
        started = time.monotonic()
        calls = {
            s.actor.prepare.remote(sets[s.index], self._layout, self.cuts, world): s
            for s, world in worlds
        }
        results = self._collect(calls, collective)
        if results is None:
            return False
        seconds = 0.0
        for slot, prepared in results.items():
            if prepared.status == "error":
                raise DataError(f"the matrix cannot be built: {prepared.message}")
            if prepared.status == "aborted":
                return False
            slot.holds = slot.prepared = True
            seconds = max(seconds, prepared.seconds)
            self.cuts = self.cuts or prepared.cuts
        if seconds > 0.01:
            self._rebuild_seconds = seconds
        self._record.note(
            "prepared",
            workers=len(members),
            seconds=round(time.monotonic() - started, 3),
        )
        return True

    def boost(self, members: Sequence[Slot]) -> bool:
        """Rounds in one world; True when the training is complete.

        Raises:
            TrainingError: the work itself failed, or too many workers were lost.
            Stopped: the user asked to end at once.
        """
        try:
            worlds = self._meet(members)
        except Exception as error:
            if self._is_head_death(error, members):
                return False
            raise
        import ray

        record = self._record
        self._asked_pause = False
        self._crew.head = worlds[0][0]
        state = ray.put(record.state)
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
            record.note("lost", reason=next(iter(outcomes.values())).message)
            self._crew.count_failure()
            self._take_state(list(outcomes.items()))
            return False
        record.adopt(first.state)
        if first.status == "paused":
            return False
        record.enter(Phase.FINISHED if first.status == "finished" else Phase.STOPPED)
        record.note(record.phase.value)
        return True

    def _sets(self, members: Iterable[int]) -> Mapping[int, dict[str, list[Any]]]:
        """The shards of each member by data key."""
        members = list(members)
        out: dict[int, dict[str, list[Any]]] = {m: {} for m in members}
        for key, shards in self._shards.items():
            shares = assign([s.facts.rows for s in shards], [s.home for s in shards], members)
            for member, mine in shares.items():
                out[member][key] = [shards[i].ref for i in mine]
        return out

    def _meet(self, members: Sequence[Slot]) -> list[tuple[Slot, World]]:
        """Ranks for members and a meeting point for them."""
        import ray

        self._attempt += 1
        ordered = sorted(members, key=lambda s: s.index)
        arguments: dict[str, Any] = {}
        if len(ordered) > 1:
            head = ordered[0]
            ref = head.control("start_tracker", len(ordered), head.address)
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

    def _is_head_death(self, error: Exception, members: Sequence[Slot]) -> bool:
        """Whether a call to the first member failed because it died (and take note of it)."""
        import ray

        head = min(members, key=lambda s: s.index)
        if not (is_death(error) or isinstance(error, ray.exceptions.GetTimeoutError)):
            return False
        if head.ready:
            self._crew.lost(head, "lost")
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
            if self._stop.now:
                raise Stopped
            if self._stop.asked and not asked_stop:
                if not boosting_members:
                    raise Stopped
                self._ask(boosting_members, boosting.STOP)
                asked_stop = True
            for ref in self._crew.tend(list(pending)):
                slot = pending.pop(ref)
                try:
                    results[slot] = ray.get(ref)
                except Exception as error:
                    if not is_death(error):
                        raise cause_of(error) from error
                    if slot.actor is actors[slot]:
                        self._crew.lost(slot, "lost")
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
                    self._record.enter(Phase.RECOVERING)
                if collective:
                    for slot in pending.values():
                        slot.control("abort", self._attempt)
            if broken_at is not None and collective:
                if time.monotonic() - broken_at > SURVIVOR_SECONDS:
                    for slot in list(pending.values()):
                        self._crew.lost(slot, "frozen", counts=False)
            elif boosting_members:
                self._welcome_newcomers(boosting_members)
        if not lost or broken_at is None:
            return results
        if boosting_members:
            errors = [r for r in results.values() if r.status == "error"]
            if errors:
                raise TrainingError(errors[0].message)
            back = time.monotonic() - broken_at
            before = self._record.rounds
            self._take_state([(s, o) for s, o in results.items() if s.ready])
            self._record.note(
                "recovered",
                survivors=len(results),
                survivors_back_ms=round(back * 1000, 1),
                rounds_lost=max(0, before - self._record.state.rounds),
            )
        return None

    def _take_state(self, outcomes: Sequence[tuple[Slot, Outcome]]) -> None:
        """The newest state from the survivors; without any, what the driver last saw."""
        import ray

        record = self._record
        for slot, outcome in sorted(outcomes, key=lambda x: -x[1].rounds):
            if outcome.rounds < record.state.rounds:
                break
            if outcome.state is not None:
                record.adopt(outcome.state)
                return
            try:
                state = ray.get(slot.control("take_state"), timeout=30)
            except Exception as error:
                if not is_death(error):
                    raise
                self._crew.lost(slot, "lost")
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
        """Let replacements build their matrices beside the training; pause when it pays."""
        import ray

        new = [s for s in self._crew.ready if s not in members]
        if not new or self._asked_pause:
            return
        sets = self._sets([s.index for s in (*members, *new)])
        for slot in new:
            if slot.spare is None and not slot.prepared:
                arguments = (sets[slot.index], self._layout, self.cuts, World(0, 0, 1))
                slot.spare = slot.actor.prepare.remote(*arguments)
            elif slot.spare is not None and ray.wait([slot.spare], timeout=0)[0]:
                try:
                    slot.prepared = ray.get(slot.spare).status == "ready"
                except Exception as error:
                    if not is_death(error):
                        raise
                    self._crew.lost(slot, "lost")
                slot.spare = None
        prepared = [s for s in new if s.prepared and s.ready]
        pace = Pace(
            self.plan.recipe.rounds - self._record.rounds,
            self._record.round_seconds,
            self._rebuild_seconds,
            len(members),
        )
        if prepared and self.plan.scaling.may_grow(pace, len(prepared)):
            self._asked_pause = True
            self._ask(members, boosting.PAUSE)
            self._record.note("resized", workers=len(members) + len(prepared))
