"""The plan of a search, from the arguments of `tune`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from gateway_ext.xgb_ray.errors import ClusterError, ParameterError
from gateway_ext.xgb_ray.training.options import TrainOptions
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.planning import make_plan
from gateway_ext.xgb_ray.tuning.options import SCHEDULERS, SEARCHES, SearchOptions
from gateway_ext.xgb_ray.tuning.space import check_space


@dataclass(frozen=True)
class Search:
    """How to search; see `tune`."""

    space: dict[str, Any]
    trials: int
    concurrent: int
    search: str
    scheduler: str
    metric: str
    mode: str
    report_every: int
    seed: int
    time_budget: float | None
    storage: str | None


def check_options(options: SearchOptions, training: TrainOptions) -> None:
    """Raises `ParameterError` for what can be told without data and cluster."""
    if not training.evals:
        raise ParameterError("tune needs evals to compare trials on")
    for name, value, known in (
        ("search", options.search, SEARCHES),
        ("scheduler", options.scheduler, SCHEDULERS),
        ("mode", options.mode, (None, "min", "max")),
    ):
        if value not in known:
            words = ", ".join(k for k in known if k)
            raise ParameterError(f"{name} must be one of {words}, not {value!r}")
    for name, count in (
        ("trials", options.trials),
        ("concurrent", options.concurrent),
        ("report_every", options.report_every),
    ):
        if not isinstance(count, int) or count < 1:
            raise ParameterError(f"{name} must be a whole number above 0, not {count!r}")


def make_search(
    space: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    options: SearchOptions,
    training: TrainOptions,
) -> tuple[Search, Plan]:
    """The search, and the plan of the training that each trial is with other parameters.

    Raises:
        DataError, ParameterError, ClusterError: as `start_tuning`.
    """
    fixed = check_space(space, options.scheduler)
    plan = make_plan(fixed, data, label, replace(training, elastic=False))
    metric = options.metric or _default_metric(plan, fixed)
    names = [name for _, name in plan.evals]
    if metric.split("-", 1)[0] not in names or "-" not in metric:
        raise ParameterError(
            f"metric must be NAME-METRIC of an eval set ({', '.join(names)}), not {metric!r}"
        )
    _check_room(plan, options.storage)
    search = Search(
        space=dict(space),
        trials=options.trials,
        concurrent=options.concurrent,
        search=options.search,
        scheduler=options.scheduler,
        metric=metric,
        mode=options.mode or _mode_of(metric),
        report_every=options.report_every,
        seed=options.seed,
        time_budget=options.time_budget,
        storage=options.storage,
    )
    return search, plan


def _default_metric(plan: Plan, fixed: Mapping[str, Any]) -> str:
    last = fixed.get("eval_metric")
    last = last[-1] if isinstance(last, list) else last
    if last is None:
        raise ParameterError("tune needs eval_metric among the parameters, or metric=…")
    return f"{plan.evals[-1][1]}-{last}"


def _mode_of(metric: str) -> str:
    name = metric.split("-", 1)[-1]
    better_if_high = name.startswith(("auc", "aucpr", "map", "ndcg", "pre")) and name != "mape"
    return "max" if better_if_high else "min"


def _check_room(plan: Plan, storage: str | None) -> None:
    import ray

    wanted = plan.workers * plan.cpus
    total = ray.cluster_resources().get("CPU", 0)
    if wanted > total:
        raise ClusterError(
            f"a trial needs {wanted:g} CPUs, but the cluster has {total:g}: "
            "use fewer workers or cpus_per_worker"
        )
    machines = sum(node["Alive"] for node in ray.nodes())
    if machines > 1 and storage is None:
        raise ParameterError(
            f"the cluster has {machines} machines: give storage=, a folder or URI that all of "
            "them reach, for the models of the trials"
        )
