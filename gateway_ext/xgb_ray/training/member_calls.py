"""One call on each member of a group, until all have answered or are lost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from gateway_ext.xgb_ray.ray_cluster.remote_errors import cause_of, is_death
from gateway_ext.xgb_ray.training.worker_group import PING_SECONDS, Slot, WorkerGroup


class MemberCalls:
    """The calls of one attempt.

    Attributes:
        pending: the slots that have not answered, by the references of their calls.
        results: what came, by slot; each has a `status`.
        lost: members that died or froze meanwhile.
        broken_at: when the others were called back (monotonic seconds), or None.
    """

    def __init__(self, workers: WorkerGroup, calls: Mapping[Any, Slot]) -> None:
        self.pending = dict(calls)
        self.results: dict[Slot, Any] = {}
        self.lost: list[Slot] = []
        self.broken_at: float | None = None
        self._workers = workers
        self._actors = {slot: slot.actor for slot in calls.values()}
        self._patient_since = 0.0

    @property
    def broken(self) -> bool:
        """Whether the members that are left cannot end what they were called for."""
        failed = any(r.status in ("error", "aborted") for r in self.results.values())
        return failed or bool(self.lost)

    def wait(self, others: Sequence[Any]) -> list[Any]:
        """Wait for a moment; those of `others`, references of other calls, that are done.

        Raises:
            TrainingError: too many workers were lost.
            Exception: what a call raised, in the user's words.
        """
        import ray

        listening_at = time.monotonic()
        done = self._workers.tend([*self.pending, *others])
        # Saving a large model, say, is no time in which a survivor could be heard.
        self._patient_since += max(0.0, time.monotonic() - listening_at - PING_SECONDS)
        rest = []
        for ref in done:
            slot = self.pending.pop(ref, None)
            if slot is None:
                rest.append(ref)
                continue
            try:
                self.results[slot] = ray.get(ref)
            except Exception as error:
                if not is_death(error):
                    raise cause_of(error) from error
                if slot.actor is self._actors[slot]:
                    self._workers.lost(slot, "lost")
        self._forget_the_lost()
        return rest

    def _forget_the_lost(self) -> None:
        for slot, actor in self._actors.items():
            if slot not in self.lost and (slot.actor is not actor or slot.is_empty):
                self.lost.append(slot)
                self.pending = {r: s for r, s in self.pending.items() if s is not slot}

    def call_back(self, attempt: int, patience: float) -> None:
        """Tell those who are left to come out of their group, and take for frozen whoever has not
        after `patience` seconds."""
        if self.broken_at is None:
            self.broken_at = self._patient_since = time.monotonic()
            for slot in self.pending.values():
                slot.control("abort", attempt)
        for slot in list(self.pending.values()):
            # A function of the user may take its time; heartbeats tell whether it lives.
            if time.monotonic() - max(self._patient_since, slot.user_code_at) > patience:
                reason = f"it did not come back within {patience:.0f} s"
                self._workers.lost(slot, "frozen", reason, counts=False)
