"""`train`: boosting over Ray workers with the meaning of `xgboost.train`."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Unpack

from gateway_ext.xgb_ray.option_table import check_names, read, with_options
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.options import TrainKeywords, TrainOptions
from gateway_ext.xgb_ray.training.planning import make_plan
from gateway_ext.xgb_ray.training.result import TrainResult
from gateway_ext.xgb_ray.training.run import Run
from gateway_ext.xgb_ray.training.status import Status


@with_options(TrainOptions)
def train(
    params: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    *,
    progress: Callable[[Status], None] | None = None,
    **options: Unpack[TrainKeywords],
) -> TrainResult:
    """Train a model; as `start_training`, but waits for the result.

    An interrupt (^C) stops after the current round and returns what there is; a second one stops
    at once. No worker stays behind in any case.

    Args:
        params, data, label: see `start_training`.
        progress: is called about twice a second with a `Status`.

    Raises:
        XGBRayError: see `start_training`; `TrainingError.result` has what was reached.
    """
    run = start_training(params, data, label, **options)
    shown = 0.0

    def look() -> None:
        nonlocal shown
        if progress is not None and time.monotonic() - shown >= 0.5:
            shown = time.monotonic()
            progress(run.status())

    try:
        run.wait_interruptibly(look)
    except BaseException:
        # Out of `progress`: nobody would be left to end it.
        run.stop_now()
        raise
    return run.wait()


@with_options(TrainOptions)
def start_training(
    params: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    **options: Unpack[TrainKeywords],
) -> Run:
    """Start a training in the background.

    Args:
        params: XGBoost's parameters (`tree_method` is hist).
        data: Parquet paths, URIs or globs, a pyarrow Dataset or Table, a pandas DataFrame, or a
            Ray Dataset.
        label: the label column, or several for several targets.

    Raises:
        DataError, ParameterError, ClusterError: what was asked for cannot be; nothing is left
            running. Errors of the training itself come from `Run.wait`.
    """
    check_names("train", options, TrainOptions)
    return Run(Controller(make_plan(params, data, label, read(TrainOptions, options))))
