"""The driver's state of a training: its phase, model, metrics and events."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway_ext.xgb_ray.errors import ClusterError
from gateway_ext.xgb_ray.training.phases import Phase
from gateway_ext.xgb_ray.training.result import Event
from gateway_ext.xgb_ray.worker.boosting import TrainState

# The weight of what was known before in the seconds that a round takes.
_SMOOTHING = 0.7


class Record:
    """Written by the training's thread; others may read the attributes at any time.

    Attributes:
        state: the newest state that the driver holds.
        rounds: completed rounds that the driver has heard of; more than `state` has, at times.
        log: (rounds, metrics) of each completed round that was heard of.
        round_seconds: how long a round takes at present.
        timings: seconds by phase.
    """

    def __init__(
        self,
        start: TrainState,
        *,
        checkpoint_every: int,
        save_checkpoint: Callable[[TrainState], None] | None,
        changed: Callable[[], None],
    ) -> None:
        self.phase = Phase.PLACING
        self.state = start
        self.rounds = start.rounds
        self.log: list[tuple[int, dict[str, dict[str, float]]]] = []
        self.events: list[Event] = []
        self.timings: dict[str, float] = {}
        self.started = time.monotonic()
        self.round_seconds = 0.0
        self._phase_since = self._log_at = self.started
        self._checkpoint_every, self._save_checkpoint = checkpoint_every, save_checkpoint
        self._saved_at = start.rounds
        self._changed = changed

    @property
    def logged(self) -> int:
        """The last round whose metrics were heard of."""
        return self.log[-1][0] if self.log else 0

    @property
    def metrics(self) -> dict[str, dict[str, list[float]]]:
        """Metrics by eval set and metric, one value a round, as far as the driver knows them."""
        if self.phase.final or not self.log:
            return self.state.history
        out: dict[str, dict[str, list[float]]] = {}
        for _, values in list(self.log):
            for data, metrics in values.items():
                for metric, value in metrics.items():
                    out.setdefault(data, {}).setdefault(metric, []).append(value)
        return out

    def enter(self, phase: Phase) -> None:
        """Begin a phase."""
        now = time.monotonic()
        name = self.phase.value
        self.timings[name] = self.timings.get(name, 0.0) + now - self._phase_since
        self.phase, self._phase_since = phase, now
        if phase is Phase.TRAINING:
            # What lay between two groups is not a round's time.
            self._log_at = now
        self._changed()

    def note(self, kind: str, **detail: Any) -> None:
        """Record an event (see `Event`)."""
        self.events.append(Event(time.monotonic() - self.started, kind, self.rounds, detail))
        self._changed()

    def end(self) -> None:
        """The training is over, however it went."""
        self.timings["total"] = time.monotonic() - self.started
        self._changed()

    def adopt(self, state: TrainState) -> None:
        """Take a newer state, and save it if it is time to."""
        self.state = state
        self.rounds = max(self.rounds, state.rounds)
        if self._save_checkpoint and state.rounds - self._saved_at >= self._checkpoint_every:
            self._saved_at = state.rounds
            self._save(self._save_checkpoint, state)

    def _save(self, save: Callable[[TrainState], None], state: TrainState) -> None:
        try:
            save(state)
        except OSError as error:
            if not any(e.kind == "checkpoint" for e in self.events):
                raise ClusterError(f"the checkpoint cannot be written: {error}") from error
            # An earlier write succeeded: do not end for a store that is away for a while.
            self.note("checkpoint", failed=str(error))
            return
        self.note("checkpoint")

    def fall_back(self) -> None:
        """Rounds that were heard of and are not in the state are lost."""
        self.rounds = self.state.rounds

    def hear(self, log: list[tuple[int, dict[str, dict[str, float]]]]) -> None:
        """Take down the rounds that are new in a worker's log."""
        fresh = [entry for entry in log if entry[0] > self.logged]
        if not fresh:
            return
        now = time.monotonic()
        if self.log:
            took = (now - self._log_at) / (fresh[-1][0] - self.logged)
            before = self.round_seconds
            mixed = _SMOOTHING * before + (1 - _SMOOTHING) * took if before else took
            self.round_seconds = mixed
        self._log_at = now
        self.log += fresh
        self.rounds = max(self.rounds, fresh[-1][0])
        self._changed()
