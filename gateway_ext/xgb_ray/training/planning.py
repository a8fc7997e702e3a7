"""From the arguments of `train` to a plan: everything is checked here, before a worker starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from gateway_ext.xgb_ray.data.columns import parse_columns
from gateway_ext.xgb_ray.data.models import load_model
from gateway_ext.xgb_ray.data.sources import check_workers, open_source, same_data
from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.ray_cluster.connect import connect
from gateway_ext.xgb_ray.training.checkpoint import load_checkpoint, saver
from gateway_ext.xgb_ray.training.failures import FailurePolicy
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.training.params import check_params, max_bin_of
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.scaling import ElasticScaling, Scaling, WaitingScaling
from gateway_ext.xgb_ray.worker.boosting import Recipe, TrainState, pickled


def make_plan(
    params: Mapping[str, Any], data: Any, label: str | Sequence[str], options: TrainOptions
) -> Plan:
    """Check the arguments of `start_training`, connect, and look at the data's schemas.

    Raises:
        DataError, ParameterError, ClusterError: as `start_training`.
    """
    o = options
    workers, rounds = o.workers, o.num_boost_round
    if not isinstance(workers, int) or workers < 1:
        raise ParameterError(f"workers must be a whole number above 0, not {workers!r}")
    if not isinstance(rounds, int) or rounds < 1:
        raise ParameterError(f"num_boost_round must be a whole number above 0, not {rounds!r}")
    if o.cpus_per_worker <= 0:
        raise ParameterError("cpus_per_worker must be above 0")
    if o.cuts not in ("sample", "full"):
        raise ParameterError(f"cuts must be 'sample' or 'full', not {o.cuts!r}")
    if not label:
        raise ParameterError("label must name the column to learn")
    if o.qid and o.group:
        raise ParameterError("qid and group are the same thing: give one")
    checked = check_params(params, custom_objective=o.obj is not None)
    columns = parse_columns(
        label,
        weight=o.weight,
        qid=o.qid or o.group,
        base_margin=o.base_margin,
        features=o.features,
        categorical=o.categorical,
        missing=o.missing,
        densify=o.densify,
    )
    start = _start_state(o)
    named = _named_evals(o.evals)
    if o.early_stopping_rounds and not named:
        raise ParameterError("early_stopping_rounds needs evals to watch")

    connect(o.cluster)
    slices = workers * 4
    sources = {"train": open_source(data, "the training data", o.filesystem, slices)}
    check_workers(sources["train"], workers)
    resolved = {"train": sources["train"].resolve(columns)}
    evals: list[tuple[str, str]] = []
    seen = [("train", data)]
    for name, other in named:
        key = next((k for k, d in seen if same_data(d, other)), None)
        if key is None:
            key = f"eval{len(seen)}"
            seen.append((key, other))
            what = f"the eval set {name!r}"
            sources[key] = open_source(other, what, o.filesystem, slices)
            known = resolved["train"]
            wanted = replace(columns, features=(known.vector,) if known.vector else known.features)
            resolved[key] = sources[key].resolve(wanted)
        evals.append((key, name))

    scaling: Scaling = WaitingScaling()
    if o.elastic:
        scaling = ElasticScaling(min(o.min_workers, workers))
    return Plan(
        recipe=Recipe(checked, rounds, pickled((o.obj, o.custom_metric))),
        sources=sources,
        columns=resolved,
        evals=tuple(evals),
        start=start,
        workers=workers,
        cpus=o.cpus_per_worker,
        scaling=scaling,
        failures=FailurePolicy(o.max_failures),
        cuts=o.cuts,
        sample_rows=o.sample_rows,
        max_bin=max_bin_of(checked),
        memory_bytes=o.memory_per_worker,
        heartbeat_seconds=o.heartbeat_timeout,
        start_seconds=o.start_timeout,
        checkpoint_every=o.checkpoint_every,
        save_checkpoint=saver(o.checkpoint_path) if o.checkpoint_path else None,
    )


def _start_state(o: TrainOptions) -> TrainState:
    import xgboost as xgb

    callbacks = list(o.callbacks or [])
    for callback in callbacks:
        if not isinstance(callback, xgb.callback.TrainingCallback):
            kind = type(callback).__name__
            raise ParameterError(f"callbacks must be xgboost TrainingCallbacks, not {kind}")
    if o.early_stopping_rounds:
        rounds, maximize = o.early_stopping_rounds, o.maximize
        callbacks.append(xgb.callback.EarlyStopping(rounds=rounds, maximize=maximize))
    model = o.xgb_model
    start = TrainState(
        model=None if model is None else bytes(load_model(model).save_raw("ubj")),
        callbacks=pickled(callbacks),
    )
    if o.resume:
        if not o.checkpoint_path:
            raise ParameterError("resume=True needs checkpoint_path")
        return load_checkpoint(o.checkpoint_path, start)
    return start


def _named_evals(evals: Any) -> list[tuple[str, Any]]:
    if not evals:
        return []
    pairs = list(evals.items()) if isinstance(evals, Mapping) else [(n, d) for d, n in evals]
    names = [n for n, _ in pairs]
    for name in names:
        # XGBoost gives metrics as text: `NAME-METRIC:VALUE`, with blanks between.
        if not isinstance(name, str) or not name or any(c in "-:" or c.isspace() for c in name):
            raise ParameterError(
                f"the name of an eval set must be a word without '-' and ':', not {name!r}"
            )
    if len(set(names)) < len(names):
        raise ParameterError("two eval sets have the same name")
    return pairs
