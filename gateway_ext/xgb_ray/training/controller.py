"""Carries a training out, phase by phase, in one thread of the driver.

What to do is decided in `scaling`, `failures` and `assignment`; the acting parts are `WorkerGroup`,
`Loading` (the data) and `Rounds`; what is known meanwhile is in `progress`. Only this file changes
the phase.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway_ext.xgb_ray.data.matrix import Layout
from gateway_ext.xgb_ray.errors import ClusterError, TrainingError, XGBRayError, user_message
from gateway_ext.xgb_ray.training.loading import Loading, rehome
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.plan import Placed, Plan
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.training.rounds import Rounds, RoundsEnd
from gateway_ext.xgb_ray.training.stopping import Stopped, StopSwitch
from gateway_ext.xgb_ray.training.worker_group import Slot, WorkerGroup


class Controller:
    """One training. `run` blocks; `stop`, `stop_now` and the attributes may be used meanwhile.

    Attributes:
        record: what is known of the training.
        workers: its workers.
        layout: features and categories, once the data is loaded.
        loaded: rows and features, once the data is loaded.
    """

    def __init__(self, plan: Plan, changed: Callable[[], None] = lambda: None) -> None:
        self.plan = plan
        self.record = Record(
            plan.start,
            checkpoint_every=plan.checkpoint_every,
            save_checkpoint=plan.save_checkpoint,
            changed=changed,
        )
        self._switch = StopSwitch()
        self.workers = WorkerGroup(plan, self.record, self._switch)
        self.layout: Layout | None = None
        self.loaded: dict[str, Any] = {}
        self._loading_cpu = 0.0

    # For others.

    @property
    def cpu_seconds(self) -> float:
        """Of the workers and of the tasks that loaded the data."""
        return self.workers.cpu_seconds + self._loading_cpu

    def stop(self) -> None:
        """End after the round that is being computed, and keep the model."""
        self._switch.ask()

    def stop_now(self) -> None:
        """End at once, with the newest model that the driver has."""
        self._switch.ask(now=True)

    def run(self) -> Phase:
        """Carry the training out; returns the final phase. Nothing is left running.

        Raises:
            XGBRayError: it failed; `record` holds what there was.
        """
        placed: Placed | None = None
        try:
            try:
                placed = self._place_data()
                self._train(placed)
            except (Stopped, InterruptedError):
                self.record.enter(Phase.STOPPED)
                self.record.note("stopped")
            except XGBRayError as error:
                self._fail(str(error))
                raise
            except Exception as error:
                text = user_message(error)
                self._fail(text)
                raise TrainingError(text) from error
        finally:
            self.workers.end()
            if placed is not None:
                # An error that somebody keeps would keep the data in the object store.
                placed.shards.clear()
            # So would whoever keeps this, as the magic does, the tables that were in memory.
            self.plan.sources.clear()
            self.record.end()
        return self.record.phase

    def place_data(self) -> Placed:
        """Only load the data and make the cuts, in the room of the workers but without them."""
        try:
            self.workers.place()
            return self._load()
        finally:
            self.workers.end()

    # Phases.

    def _fail(self, text: str) -> None:
        self.record.enter(Phase.FAILED)
        self.record.note("failed", reason=text)

    def _place_data(self) -> Placed:
        self.workers.place()
        self.record.enter(Phase.STARTING)
        self.workers.start()
        if self.plan.placed is not None:
            placed = rehome(self.plan.placed, self.plan.workers)
        else:
            placed = self._load()
        rows = sum(s.facts.rows for s in placed.shards["train"])
        self.layout = placed.layout
        self.loaded = {"rows": rows, "features": placed.layout.features}
        return placed

    def _load(self) -> Placed:
        self.record.enter(Phase.LOADING)
        loading = Loading(self.plan, self.workers, self.record, self._switch)
        try:
            return loading.run()
        finally:
            self._loading_cpu = loading.cpu_seconds

    def _train(self, placed: Placed) -> None:
        rounds = Rounds(
            self.plan,
            placed,
            self.workers,
            self.record,
            self._switch,
            recovering=lambda: self.record.enter(Phase.RECOVERING),
        )
        first = True
        while True:
            members = self._gather(first)
            first = False
            self.record.enter(Phase.PREPARING)
            if not rounds.prepare(members):
                continue
            self.record.enter(Phase.TRAINING)
            end = rounds.boost(members)
            if end in (RoundsEnd.FINISHED, RoundsEnd.STOPPED):
                self.record.enter(Phase(end.value))
                self.record.note(end.value)
                return

    def _gather(self, first: bool) -> list[Slot]:
        """Wait until the scaling policy lets a group begin; its members."""
        waiting_since = time.monotonic()
        while True:
            self._switch.check()
            self.workers.replace_lost()
            ready = self.workers.ready
            waited = time.monotonic() - waiting_since
            overdue = waited > self.plan.start_seconds
            if self.plan.scaling.may_begin(self.workers.force, overdue):
                return ready
            if overdue:
                raise ClusterError(
                    f"only {len(ready)} of {self.plan.workers} workers are ready after "
                    f"{waited:.0f} s: the cluster has no room for a replacement. Use "
                    "elastic=True to continue with fewer, or raise start_timeout"
                )
            if self.record.phase is not Phase.WAITING and not first:
                self.record.enter(Phase.WAITING)
            self.workers.tend([], 0.1)
