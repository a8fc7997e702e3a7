"""`tune`: a search over parameters with Ray Tune, the data placed once and shared by all trials.

Each trial is a training of its own (`trial`) inside the room that Ray Tune reserved for the trial,
so that no second reservation can wait for the first. Trials do not grow or shrink.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.option_table import check_names, read, with_options
from gateway_ext.xgb_ray.ray_cluster.connect import connect, of_a_client
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.tuning.options import SearchOptions, TuneKeywords
from gateway_ext.xgb_ray.tuning.remote import RemoteTuning
from gateway_ext.xgb_ray.tuning.result import TuneResult
from gateway_ext.xgb_ray.tuning.run import Tuning
from gateway_ext.xgb_ray.tuning.search import check_options, make_search
from gateway_ext.xgb_ray.tuning.space import check_space


@with_options(SearchOptions, TrainOptions)
def tune(
    space: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    **options: Unpack[TuneKeywords],
) -> TuneResult:
    """Search for good parameters; as `start_tuning`, but waits for the result.

    An interrupt (^C) ends the search and returns what there is.

    Args:
        space, data, label: see `start_tuning`.

    Raises:
        XGBRayError: see `start_tuning`.
    """
    run = start_tuning(space, data, label, **options)
    run.wait_interruptibly()
    return run.wait()


@with_options(SearchOptions, TrainOptions)
def start_tuning(
    space: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    **options: Unpack[TuneKeywords],
) -> Background[TuneResult]:
    """Start a search for good parameters in the background.

    Args:
        space: XGBoost's parameters; those to search as Ray Tune ranges (`ray.tune.uniform` …).
        data, label: as for `train`. Of its options `evals` is needed.

    Raises:
        DataError, ParameterError, ClusterError: as `train`, before any trial.
        TrainingError: from `wait`, when every trial failed.
    """
    check_names("tune", options, SearchOptions, TrainOptions)
    search, training = read(SearchOptions, options), read(TrainOptions, options)
    check_options(search, training)
    check_space(space, search.scheduler)
    connect(training.cluster)
    if of_a_client():
        return RemoteTuning(space, data, label, search, replace(training, cluster=None))
    return Tuning(*make_search(space, data, label, search, training))
