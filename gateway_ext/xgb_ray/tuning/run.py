"""A search in the background, in the process that drives it."""

from __future__ import annotations

import contextlib
import math
import tempfile
import time
from dataclasses import replace
from typing import Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.errors import TrainingError, XGBRayError
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.scaling import WaitingScaling
from gateway_ext.xgb_ray.tuning.board import Board
from gateway_ext.xgb_ray.tuning.ray_tune import quiet, run_search
from gateway_ext.xgb_ray.tuning.result import TuneResult, TuneStatus, sorted_trials, trial_line
from gateway_ext.xgb_ray.tuning.search import Search
from gateway_ext.xgb_ray.tuning.trial import booster_of, read_state


class Tuning(Background[TuneResult]):
    """A search in the background. `wait` for its result; `stop` keeps the best model so far."""

    what = "search"

    def __init__(self, search: Search, plan: Plan) -> None:
        self._search, self._plan = search, plan
        self._controller = Controller(plan)
        self._board = Board()
        self._started = time.monotonic()
        self._begin()

    def stop(self) -> None:
        """End the trials that run and begin no others; the best model so far is kept."""
        self._board.stop.set()
        self._controller.stop_now()

    def stop_now(self) -> None:
        """The same as `stop`: trials end in the middle of their rounds in any case."""
        self.stop()

    @property
    def events(self) -> list[str]:
        """A line for each trial so far."""
        return [trial_line(t, self._search.metric) for t in list(self._board.rows.values())]

    def status(self) -> TuneStatus:
        """How far it is."""
        s = self._search
        return TuneStatus(
            metric=s.metric,
            mode=s.mode,
            total=s.trials,
            rounds=self._plan.recipe.rounds,
            seconds=self._result.seconds if self._result else time.monotonic() - self._started,
            trials=[dict(t) for t in list(self._board.rows.values())],
            ended="" if not self.done else self._result.state if self._result else "failed",
        )

    def carry_out(self) -> None:
        """Place the data, run the trials, and take the best model."""
        try:
            placed = self._controller.place_data()
        except (XGBRayError, ConnectionError):
            raise
        except Exception as error:
            if self._board.stop.is_set():
                raise TrainingError("stopped before the first trial") from None
            raise TrainingError(f"the data could not be placed: {error}") from error
        shared = replace(
            self._plan,
            sources={},
            placed=placed,
            scaling=WaitingScaling(),
            save_checkpoint=None,
        )
        with contextlib.ExitStack() as stack:
            folder = self._search.storage or stack.enter_context(
                tempfile.TemporaryDirectory(prefix="xgb-ray-tune-")
            )
            stack.enter_context(quiet())
            grid = run_search(self._search, shared, folder, self._board)
            self._result = self._summarise(grid)

    def _summarise(self, grid: Any) -> TuneResult:
        search = self._search
        best: tuple[float, Any, Any] | None = None
        errors = [str(r.error) for r in grid if r.error is not None]
        for result in grid:
            value = (result.metrics or {}).get(search.metric)
            if value is None or result.error is not None or math.isnan(value):
                continue
            signed = value if search.mode == "min" else -value
            if best is None or signed < best[0]:
                best = signed, result, value
        error = _last_line(errors[0]) if errors else ""
        if best is None:
            if self._board.stop.is_set() and not errors:
                raise TrainingError("stopped before any trial had a metric")
            raise TrainingError(f"every trial failed: {error}")
        _, result, value = best
        booster = None
        if result.checkpoint is not None:
            booster = booster_of(read_state(result.checkpoint))
        for row in self._board.rows.values():
            if row["state"] == "running":
                # Ray Tune says nothing of those that it ends all at once.
                row["state"] = "stopped"
        trials = sorted_trials(self._board.rows.values(), search.mode)
        return TuneResult(
            best_params=dict(result.config),
            best_value=float(value),
            metric=search.metric,
            booster=booster,
            trials=trials,
            mode=search.mode,
            seconds=time.monotonic() - self._started,
            state="stopped" if self._board.stop.is_set() else "finished",
            error=f"{len(errors)} of {len(trials)} trials failed: {error}" if errors else "",
        )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no result"
