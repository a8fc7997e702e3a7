"""The boosting rounds on one worker: `xgboost.train`'s loop, which can be interrupted and resumed.

It differs from `xgboost.train` in three ways: after each round all workers agree whether to go on
(so that a change of the group happens at one common round), the state can be taken at any moment
(model, metrics and callbacks after the last completed round), and it starts from such a state.
"""

from __future__ import annotations

import pickle
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway_ext.xgb_ray.worker.broadcast import told_by
from gateway_ext.xgb_ray.worker.user_code import UserCode

if TYPE_CHECKING:
    import xgboost as xgb

# What a worker brings to the vote after each round; the highest wins.
GO_ON, PAUSE, STOP, ENOUGH = 0, 1, 2, 3
_STATUS = {PAUSE: "paused", STOP: "stopped", ENOUGH: "finished"}

# Saving the state for the driver may take at most this share of the time.
_SNAPSHOT_SHARE = 0.02

History = dict[str, dict[str, list[float]]]


@dataclass(frozen=True)
class Recipe:
    """What is trained, the same on every worker and in every group.

    `functions` is the pickled pair of custom objective and custom metric (each may be None).
    `rounds` counts the rounds to add to the model that was given.
    """

    params: dict[str, Any]
    rounds: int
    functions: bytes


@dataclass(frozen=True)
class TrainState:
    """Everything that is needed to continue after the last completed round.

    `rounds` are complete in `model` (None before the first), `evaluated` of them have their
    metrics in `history` and have been seen by the callbacks (the last may be missing one if the
    group broke in between). `enough`: a callback ended the training after the last of them.
    """

    rounds: int = 0
    evaluated: int = 0
    begun: bool = False
    model: bytes | None = None
    history: History = field(default_factory=dict)
    callbacks: bytes = b""
    enough: bool = False


def pickled(value: Any) -> bytes:
    """User functions and callbacks travel by value, also if they were typed into a cell."""
    from ray import cloudpickle

    data: bytes = cloudpickle.dumps(value)
    return data


class Boosting:
    """One run of rounds in one group.

    Attributes:
        rounds: how many are complete.
        user_code: callbacks, objective and metric of the user.
    """

    def __init__(
        self,
        recipe: Recipe,
        state: TrainState,
        train: xgb.DMatrix,
        evals: Sequence[tuple[xgb.DMatrix, str]],
        *,
        threads: int,
        rank: int,
        world_size: int,
    ) -> None:
        import xgboost as xgb

        self.recipe = recipe
        self.rounds, self.evaluated = state.rounds, state.evaluated
        self._begun = state.begun
        self._train, self._evals = train, list(evals)
        self._rank, self._world_size = rank, world_size
        self.user_code = UserCode()
        objective, metric = pickle.loads(recipe.functions)  # noqa: S301
        self._objective = self.user_code.watched(objective)
        self._metric = self.user_code.watched(metric)
        self._callbacks = pickle.loads(state.callbacks) if state.callbacks else []  # noqa: S301
        self._history: Any = OrderedDict(
            (d, OrderedDict((m, list(v)) for m, v in metrics.items()))
            for d, metrics in state.history.items()
        )
        model = bytearray(state.model) if state.model is not None else None
        self.booster = xgb.Booster(
            # Draws that follow from the round: a new group does not draw the first ones again.
            {"seed_per_iteration": True, **recipe.params, "nthread": threads},
            [train, *(d for d, _ in self._evals)],
            model_file=model,
        )
        self._vote = ENOUGH if state.enough else GO_ON

    def state(self) -> TrainState:
        """The state after the last completed round; also after an exception in the next one."""
        return TrainState(
            self.rounds,
            self.evaluated,
            self._begun,
            bytes(self.booster.save_raw("ubj")),
            {d: {m: list(v) for m, v in ms.items()} for d, ms in self._history.items()},
            pickled(self._callbacks),
            self._vote == ENOUGH,
        )

    def run(
        self,
        requested: Callable[[], int],
        publish: Callable[[int, dict[str, dict[str, float]]], None],
        keep: Callable[[TrainState], None],
    ) -> str:
        """Compute rounds; returns "finished", "paused" or "stopped".

        Args:
            requested: what the driver asks for right now (`GO_ON`, `PAUSE` or `STOP`).
            publish: is told the number of rounds and the newest metrics after each round.
            keep: is given the state from time to time (on rank 0).
        """
        if not self._begun:
            for callback in self._callbacks:
                self.booster = self.user_code.call(callback.before_training, self.booster)
            self._begun = True
        kept_at, cost = time.monotonic(), 0.0
        if self._vote == ENOUGH:
            # The group broke before all had agreed.
            return self._end("finished")
        if self.evaluated < self.rounds and self._finish_round():
            return self._end("finished")
        while self.rounds < self.recipe.rounds:
            epoch = self.rounds
            if self._ask_callbacks("before_iteration", epoch):
                return self._end("finished")
            self.booster.update(self._train, iteration=epoch, fobj=self._objective)
            self.rounds = epoch + 1
            self._vote = ENOUGH if self._finish_round() else requested()
            publish(self.rounds, self._newest())
            decision = self._agree(self._vote)
            now = time.monotonic()
            if self._rank == 0 and now - kept_at >= cost / _SNAPSHOT_SHARE:
                keep(self.state())
                kept_at = time.monotonic()
                cost = kept_at - now
            if decision != GO_ON:
                return self._end(_STATUS[decision])
        return self._end("finished")

    def _end(self, status: str) -> str:
        if status != "paused":
            for callback in self._callbacks:
                self.booster = self.user_code.call(callback.after_training, self.booster)
        return status

    def _finish_round(self) -> bool:
        """Metrics and callbacks of the last round; whether a callback has had enough."""
        epoch = self.rounds - 1
        if self._evals:
            from xgboost.callback import _parse_eval_str

            text = self.booster.eval_set(self._evals, epoch)
            scores = [(n.split("-", 1), v) for n, v in _parse_eval_str(text)]
            for (data, metric), value in scores:
                self._record(data, metric, value)
            if self._metric is not None:
                for matrix, data in self._evals:
                    for metric, value in self._custom_metric(matrix):
                        self._record(data, metric, value)
        self.evaluated = self.rounds
        return self._ask_callbacks("after_iteration", epoch)

    def _ask_callbacks(self, method: str, epoch: int) -> bool:
        """Whether any callback wants to stop; each is asked, whatever the others said."""
        enough = False
        for callback in self._callbacks:
            ask = getattr(callback, method)
            enough |= bool(self.user_code.call(ask, self.booster, epoch, self._history))
        return enough

    def _record(self, data: str, metric: str, value: float) -> None:
        values = self._history.setdefault(data, OrderedDict()).setdefault(metric, [])
        # A round whose metrics were cut short by a failure is measured again.
        del values[self.evaluated :]
        values.append(value)

    def _custom_metric(self, matrix: xgb.DMatrix) -> list[tuple[str, float]]:
        """The user's metric over all workers: the mean of theirs, weighted by rows."""
        from xgboost import collective

        rows = matrix.num_row()
        mine: list[tuple[str, float]] = []
        if rows:
            margin = self._objective is not None
            predicted = self.booster.predict(matrix, training=False, output_margin=margin)
            value = self._metric(predicted, matrix)
            mine = value if isinstance(value, list) else [value]
        if self._world_size == 1:
            return [(str(n), float(v)) for n, v in mine]
        first = self._world_size if not rows else self._rank
        root = int(collective.allreduce(np.array([first]), collective.Op.MIN)[0])
        nothing: Any = None
        mine_by_name = [n for n, _ in mine] if self._rank == root else nothing
        names: list[str] = told_by(root, mine_by_name)
        values = np.zeros(len(names) + 1)
        if rows:
            values[:-1] = [float(v) * rows for _, v in mine]
            values[-1] = rows
        total = collective.allreduce(values, collective.Op.SUM)
        return [(str(n), float(v / total[-1])) for n, v in zip(names, total, strict=False)]

    def _newest(self) -> dict[str, dict[str, float]]:
        return {d: {m: v[-1] for m, v in ms.items()} for d, ms in self._history.items()}

    def _agree(self, vote: int) -> int:
        if self._world_size == 1:
            return vote
        from xgboost import collective

        agreed = collective.allreduce(np.array([vote], dtype=np.int32), collective.Op.MAX)
        return int(agreed[0])
