"""The workers of one training: started, watched, declared lost, replaced and ended."""

from __future__ import annotations

import contextlib
import enum
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from gateway_ext.xgb_ray.errors import TrainingError
from gateway_ext.xgb_ray.ray_cluster.connect import end_process, reserve
from gateway_ext.xgb_ray.ray_cluster.remote_errors import cause_of, is_death
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.progress import Record
from gateway_ext.xgb_ray.training.scaling import Pace, Workforce
from gateway_ext.xgb_ray.training.stopping import Stopped, StopSwitch
from gateway_ext.xgb_ray.worker.worker import Worker

# Heartbeats: of everyone, and of rank 0, which also brings the newest state. What was computed
# after its last answer is lost if all workers die in the same moment, so it is asked more often.
PING_SECONDS = 0.5
HEAD_PING_SECONDS = 0.1


# A separate thread answers heartbeats; only code that holds the GIL can block it.
_HELD = (
    "If one of your functions holds the GIL for that long, as some extensions do, "
    "raise heartbeat_timeout"
)


class WorkerLost(Exception):
    """The worker that should answer is lost; that has been recorded."""


# Those of a worker's methods that are answered also in the middle of a round.
CONTROL_METHODS = ("hello", "ping", "ask", "abort", "start_tracker", "join", "take_state")


class SlotState(enum.Enum):
    """Where the worker of a slot is."""

    EMPTY = "empty"
    """No worker: it was lost, or has not been started yet."""
    STARTING = "starting"
    """Its process is starting."""
    READY = "ready"
    """It has answered and can work."""


@dataclass(eq=False)
class Slot:
    """Room for one worker: its actor changes when it is replaced."""

    index: int
    actor: Any = None
    state: SlotState = SlotState.EMPTY
    pid: int = 0
    node: str = ""
    address: str = ""
    hello: Any = None
    ping: Any = None
    pinged_at: float = 0.0
    started_at: float = 0.0
    start_seconds: float = 0.0
    replaces: bool = False
    holds: bool = False
    spare: Any = None  # a replacement's own preparation, while the training continues
    prepared: bool = False
    cpu_seconds: float = 0.0
    user_code_at: float = 0.0  # when it last said that it runs a function of the user

    @property
    def ready(self) -> bool:
        return self.state is SlotState.READY

    @property
    def is_empty(self) -> bool:
        return self.state is SlotState.EMPTY

    def control(self, method: str, *arguments: Any) -> Any:
        """Call a method that is answered also in the middle of a round."""
        return getattr(self.actor, method).remote(*arguments)

    def clear(self) -> None:
        """Forget the worker that was here."""
        self.actor, self.state, self.ping, self.hello = None, SlotState.EMPTY, None, None
        self.holds, self.spare, self.prepared = False, None, False
        self.cpu_seconds = self.user_code_at = 0.0


class WorkerGroup:
    """As many slots as workers were asked for, with the room for them in the cluster.

    Attributes:
        slots: one a worker, in the order of their ranks.
        head: the slot of rank 0 in the present group, or None.
        alive: workers that answered last time.
        failures: workers that were lost so far.
        peak_memory: of any worker, in bytes.
    """

    def __init__(self, plan: Plan, record: Record, stop: StopSwitch) -> None:
        self.plan = plan
        self.slots = [Slot(i) for i in range(plan.workers)]
        self.head: Slot | None = None
        self.alive = 0
        self.failures = 0
        self.peak_memory = 0
        self._record, self._stop = record, stop
        self._group: Any = None
        self._listened_at = time.monotonic()
        self._cpu_of_the_gone = 0.0

    @property
    def ready(self) -> list[Slot]:
        """Those that can work."""
        return [s for s in self.slots if s.ready]

    @property
    def cpu_seconds(self) -> float:
        return self._cpu_of_the_gone + sum(s.cpu_seconds for s in self.slots)

    def place(self) -> None:
        """Reserve room for all workers.

        Raises:
            ClusterError: there is none.
            InterruptedError: the user asked to stop.
        """
        plan = self.plan
        if plan.placement is not None:
            self._group = plan.placement[0]
            return
        self._group = reserve(
            plan.workers,
            plan.cpus,
            memory_bytes=plan.memory_bytes,
            timeout=plan.start_seconds,
            stopping=lambda: self._stop.asked,
        )

    def nodes(self) -> list[str]:
        """The id of the node on which each slot has its room, once that is reserved."""
        from ray.util.placement_group import placement_group_table

        where = placement_group_table(self._group)["bundles_to_node_id"]
        return [where[self._first_bundle + slot.index] for slot in self.slots]

    @property
    def _first_bundle(self) -> int:
        return self.plan.placement[1] if self.plan.placement is not None else 0

    def start(self) -> None:
        """Start all workers; `tend` greets them."""
        for slot in self.slots:
            self._start(slot)
        self._record.note("started", workers=self.plan.workers)

    @property
    def start_seconds(self) -> float:
        """How long a worker takes to come up: the longest of those that are there."""
        return max((s.start_seconds for s in self.slots), default=0.0)

    @property
    def force(self) -> Workforce:
        """Who is there, for the scaling policy."""
        return Workforce(
            wanted=self.plan.workers,
            ready=len(self.ready),
            holding=sum(s.holds for s in self.ready),
            starting=sum(s.state is SlotState.STARTING for s in self.slots),
        )

    def replace_lost(self, pace: Pace | None = None) -> None:
        """Start a worker in every empty slot, if the scaling policy says so.

        Args:
            pace: of the survivors; None while they do not compute.
        """
        empty = [s for s in self.slots if s.is_empty]
        if empty and self.plan.scaling.may_replace(self.force, pace):
            for slot in empty:
                self._start(slot)
                slot.replaces = True

    def _start(self, slot: Slot) -> None:
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        # Said of the methods and not of each call, which a client through ray:// cannot.
        for name in CONTROL_METHODS:
            ray.method(concurrency_group="control")(getattr(Worker, name))
        remote: Any = ray.remote
        cls = remote(
            num_cpus=self.plan.cpus,
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={"control": 3},
        )(Worker)
        slot.clear()
        slot.pid, slot.node, slot.replaces = 0, "", False
        slot.actor = cls.options(
            scheduling_strategy=PlacementGroupSchedulingStrategy(
                self._group, placement_group_bundle_index=self._first_bundle + slot.index
            ),
            runtime_env=None,
        ).remote(self.plan.threads)
        slot.state, slot.started_at = SlotState.STARTING, time.monotonic()
        slot.hello = slot.control("hello")

    def tend(self, work: Sequence[Any], timeout: float = 0.1) -> list[Any]:
        """Wait for work for a moment, tending hellos and heartbeats; the work that is done.

        Raises:
            TrainingError: too many workers were lost.
            Exception: what a worker's start raised.
        """
        import ray

        now = time.monotonic()
        for slot in self.slots:
            pause = HEAD_PING_SECONDS if slot is self.head else PING_SECONDS
            if slot.ready and slot.ping is None and now - slot.pinged_at > pause:
                record = self._record
                slot.ping = slot.control("ping", record.logged, record.state.rounds)
                slot.pinged_at = now
        hellos = {s.hello: s for s in self.slots if s.state is SlotState.STARTING}
        pings = {s.ping: s for s in self.slots if s.ping is not None}
        refs = [*work, *hellos, *pings]
        if not refs:
            self._stop.wait(timeout)
            self._listened_at = time.monotonic()
            return []
        done, _ = ray.wait(refs, num_returns=1, timeout=timeout, fetch_local=False)
        # A wait that must not take time may overlook what the first one found: add, not replace.
        rest = [r for r in refs if done and r not in done]
        if rest:
            done += ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        heard_at = time.monotonic()
        away = heard_at - self._listened_at - timeout
        self._listened_at = heard_at
        if away > PING_SECONDS:
            # This process stood still, or did something else, such as saving a large model: that
            # says nothing of the workers.
            for slot in self.slots:
                slot.pinged_at = min(heard_at, slot.pinged_at + away)
        mine = set(work)
        for ref in done:
            if ref in hellos:
                self._greet(hellos[ref])
            elif ref in pings and ref not in mine:
                self._hear(pings[ref])
        for slot in self.slots:
            quiet = heard_at - slot.pinged_at
            if slot.ping is not None and quiet > self.plan.heartbeat_seconds:
                seconds = f"{self.plan.heartbeat_seconds:g} s"
                self.lost(slot, "frozen", f"it gave no answer for {seconds}. {_HELD}")
        self.alive = len(self.ready)
        return [r for r in done if r in mine]

    def answer(self, slot: Slot, method: str, *arguments: Any) -> Any:
        """What a control call brings, tending everyone meanwhile.

        Raises:
            WorkerLost: the worker is gone or frozen.
            Stopped: the user asked to end at once.
        """
        import ray

        actor, ref = slot.actor, slot.control(method, *arguments)
        while slot.actor is actor:
            if self._stop.now:
                raise Stopped
            if ref not in self.tend([ref]):
                continue
            try:
                return ray.get(ref)
            except Exception as error:
                if not is_death(error):
                    raise cause_of(error) from error
                if slot.actor is actor:
                    self.lost(slot, "lost")
        raise WorkerLost

    def _greet(self, slot: Slot) -> None:
        import ray

        try:
            slot.pid, slot.node, slot.address = ray.get(slot.hello)
        except Exception as error:
            if not is_death(error):
                raise cause_of(error) from error
            self.lost(slot, "lost")
            return
        slot.state, slot.hello = SlotState.READY, None
        slot.pinged_at = time.monotonic()
        slot.start_seconds = slot.pinged_at - slot.started_at
        if slot.replaces:
            self._record.note("replaced", worker=slot.index)

    def _hear(self, slot: Slot) -> None:
        import ray

        ref, slot.ping = slot.ping, None
        try:
            progress = ray.get(ref)
        except Exception as error:
            if not is_death(error):
                raise cause_of(error) from error
            self.lost(slot, "lost")
            return
        slot.cpu_seconds = progress.cpu_seconds
        if progress.in_user_code:
            slot.user_code_at = time.monotonic()
        self.peak_memory = max(self.peak_memory, progress.memory_bytes)
        if progress.state is not None and progress.state.rounds > self._record.state.rounds:
            self._record.adopt(progress.state)
        self._record.hear(progress.log)

    def lost(self, slot: Slot, how: str, reason: str = "", counts: bool = True) -> None:
        """A worker is gone, frozen or of no use: make sure that it is dead, and forget it.

        Args:
            how: "lost" or "frozen".

        Raises:
            TrainingError: it was one too many.
        """
        import ray

        actor, starting = slot.actor, slot.state is SlotState.STARTING
        self._cpu_of_the_gone += slot.cpu_seconds
        slot.clear()
        with contextlib.suppress(Exception):
            ray.kill(actor)
        if how == "frozen" and slot.node:
            with contextlib.suppress(Exception):
                end_process(slot.node, slot.pid)
        about = {"while": "starting"} if starting else {}
        if reason:
            about["reason"] = reason
        self._record.note(how, worker=slot.index, **about)
        if counts:
            self.count_failure(reason)

    def count_failure(self, reason: str = "") -> None:
        """Something broke.

        Raises:
            TrainingError: too often.
        """
        self.failures += 1
        if not self.plan.failures.may_go_on(self.failures):
            raise TrainingError(
                f"{self.failures} workers were lost, more than max_failures="
                f"{self.plan.failures.max_failures} allows"
                + (f". The last one: {reason}" if reason else "")
            )

    def end(self) -> None:
        """End every worker and give the room back."""
        import ray
        from ray.util.placement_group import remove_placement_group

        if not ray.is_initialized():
            return
        for slot in self.slots:
            if slot.actor is None:
                continue
            self._cpu_of_the_gone += slot.cpu_seconds
            with contextlib.suppress(Exception):
                ray.kill(slot.actor)
            slot.clear()
        if self._group is not None and self.plan.placement is None:
            with contextlib.suppress(Exception):
                remove_placement_group(self._group)
