"""One trial of a search, in a process of Ray Tune's: a training that reports as it goes.

What it leaves at each report is a checkpoint with the state of its training, from which PBT lets
another trial go on, and in which the model of the best trial is found at the end.
"""

from __future__ import annotations

import pickle
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.params import check_params
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.worker.boosting import TrainState

if TYPE_CHECKING:
    import xgboost as xgb

_STATE = "state.pkl"


def run_trial(config: dict[str, Any], plan: Plan, report_every: int) -> None:
    """Train with the parameters `config` on the data of `plan` until the last round, or until
    Ray Tune ends the trial."""
    import ray
    from ray import tune as ray_tune

    recipe = replace(plan.recipe, params=check_params(config))
    checkpoint = ray_tune.get_checkpoint()
    # Written by another trial of this same search.
    start = plan.start if checkpoint is None else read_state(checkpoint)
    group: Any = ray.util.get_current_placement_group()
    # Tune leaves the empty bundle of the trial itself out of the group.
    first = group.bundle_count - plan.workers
    controller = Controller(replace(plan, recipe=recipe, start=start, placement=(group, first)))
    failed: list[BaseException] = []

    def run() -> None:
        try:
            controller.run()
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    reported = start.rounds
    try:
        while thread.is_alive():
            thread.join(0.1)
            state = controller.record.state
            if reported + report_every <= state.evaluated < recipe.rounds:
                _report(state, state.evaluated)
                reported = state.evaluated
    finally:
        # Tune ends a trial by an exception out of the report.
        controller.stop_now()
        thread.join(10)
    if failed:
        raise failed[0]
    state = controller.record.state
    _report(state, _best_round(state) or state.evaluated, last=True)


def _best_round(state: TrainState) -> int | None:
    """The number of the best round under early stopping, from 1."""
    best = booster_of(state).attr("best_iteration") if state.model is not None else None
    return None if best is None else int(best) + 1


def booster_of(state: TrainState) -> xgb.Booster:
    """The model of a state that has one."""
    import xgboost as xgb

    return xgb.Booster(model_file=bytearray(state.model or b""))


def read_state(checkpoint: Any) -> TrainState:
    """The state in a checkpoint of a trial."""
    with checkpoint.as_directory() as folder:
        state: TrainState = pickle.loads((Path(folder) / _STATE).read_bytes())  # noqa: S301
    return state


def values_at(history: Mapping[str, Mapping[str, list[float]]], evaluated: int) -> dict[str, float]:
    """Metrics after a round, as `NAME-METRIC`."""
    return {
        f"{data}-{metric}": values[min(evaluated, len(values)) - 1]
        for data, metrics in history.items()
        for metric, values in metrics.items()
        if values
    }


def _report(state: TrainState, at: int, last: bool = False) -> None:
    from ray import tune as ray_tune

    metrics: dict[str, Any] = {
        **values_at(state.history, at),
        "rounds": state.evaluated,
        "done_by_itself": last,
    }
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / _STATE).write_bytes(pickle.dumps(state))
        ray_tune.report(metrics, checkpoint=ray_tune.Checkpoint.from_directory(folder))
