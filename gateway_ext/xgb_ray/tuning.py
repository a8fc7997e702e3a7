"""`tune`: a search over parameters with Ray Tune, the data placed once and shared by all trials.

Each trial is a training of its own (`controller`) inside the room that Ray Tune reserved for the
trial, so that no second reservation can wait for the first. Trials do not grow or shrink.
"""

from __future__ import annotations

import ast
import json
import pickle
import re
import tempfile
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.boosting import TrainState
from gateway_ext.xgb_ray.controller import Controller
from gateway_ext.xgb_ray.errors import ClusterError, ParameterError, TrainingError
from gateway_ext.xgb_ray.params import check_params
from gateway_ext.xgb_ray.plan import Plan
from gateway_ext.xgb_ray.scaling import WaitingScaling
from gateway_ext.xgb_ray.training import make_plan, option_defaults

if TYPE_CHECKING:
    import xgboost as xgb

# Parameters that PBT may change between rounds; others are fixed with the first tree.
MUTABLE = frozenset(
    {
        "eta",
        "learning_rate",
        "gamma",
        "min_split_loss",
        "max_depth",
        "min_child_weight",
        "max_delta_step",
        "subsample",
        "colsample_bytree",
        "colsample_bylevel",
        "colsample_bynode",
        "lambda",
        "reg_lambda",
        "alpha",
        "reg_alpha",
    }
)
_CALL = re.compile(r"(uniform|loguniform|quniform|randint|lograndint|choice)\((.*)\)", re.DOTALL)


@dataclass
class TuneResult:
    """The result of `tune`.

    Attributes:
        best_params: all parameters of the best trial.
        best_value: its best value of `metric`.
        booster: its model.
        trials: for each trial its parameters, rounds, state and best value.
    """

    best_params: dict[str, Any]
    best_value: float
    metric: str
    booster: xgb.Booster | None
    trials: list[dict[str, Any]]

    def __repr__(self) -> str:
        return f"TuneResult({self.metric} {self.best_value:.6g} with {self.best_params})"

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            f"<tr><td>{t['value']:.6g}</td><td>{t['rounds']}</td>"
            f"<td style='text-align:left'><code>{escape(json.dumps(t['params'], default=str))}"
            "</code></td></tr>"
            for t in self.trials
        )
        head = f"<tr><th>{escape(self.metric)}</th><th>rounds</th><th>parameters</th></tr>"
        return f"<div><b>{escape(repr(self))}</b><table>{head}{rows}</table></div>"


def read_space(params: Mapping[str, Any]) -> dict[str, Any]:
    """A search space from text: `uniform(0, 1)`, `loguniform(1e-3, 1)`, `randint(2, 10)`,
    `choice([…])`, or a list, which is a choice; other values are fixed.

    Raises:
        ParameterError: the arguments of one of these are no plain values.
    """
    from ray import tune as ray_tune

    out: dict[str, Any] = {}
    for name, value in params.items():
        match = _CALL.fullmatch(value.strip()) if isinstance(value, str) else None
        if match:
            try:
                arguments = ast.literal_eval(f"({match.group(2)},)")
                out[name] = getattr(ray_tune, match.group(1))(*arguments)
            except (ValueError, SyntaxError, TypeError) as error:
                raise ParameterError(f"{name}: {value} is no search range ({error})") from error
        elif isinstance(value, list) and name not in ("eval_metric", "monotone_constraints"):
            out[name] = ray_tune.choice(value)
        else:
            out[name] = value
    return out


def tune(
    space: Mapping[str, Any],
    data: Any,
    label: str | Sequence[str],
    *,
    trials: int = 10,
    concurrent: int = 1,
    search: str = "optuna",
    scheduler: str = "asha",
    metric: str | None = None,
    mode: str | None = None,
    report_every: int = 5,
    seed: int = 0,
    time_budget: float | None = None,
    **options: Any,
) -> TuneResult:
    """Search for good parameters.

    Args:
        space: XGBoost's parameters; those to search as Ray Tune ranges (`ray.tune.uniform` …).
        trials: how many to try; `concurrent` at a time.
        search: "optuna", "cfo" (FLAML) or "random".
        scheduler: "asha" (ends bad trials early), "pbt" (bad trials go on from a copy of a good
            one with other parameters) or "none".
        metric: "NAME-METRIC" of an eval set; the last metric of the last eval set unless given.
        mode: "min" or "max"; known for XGBoost's own metrics.
        report_every: rounds between two looks at a trial.
        time_budget: seconds after which no new trial begins and the running ones end.
        options: those of `train` (`num_boost_round`, `evals`, `workers`, …); `evals` is needed.

    Raises:
        DataError, ParameterError, ClusterError: as `train`, before any trial.
        TrainingError: every trial failed.
    """
    from ray import tune as ray_tune

    if not options.get("evals"):
        raise ParameterError("tune needs evals to compare trials on")
    if search not in ("optuna", "cfo", "random"):
        raise ParameterError(f"search must be optuna, cfo or random, not {search!r}")
    if scheduler not in ("asha", "pbt", "none"):
        raise ParameterError(f"scheduler must be asha, pbt or none, not {scheduler!r}")
    fixed = {k: v for k, v in space.items() if not _is_range(v)}
    if _is_range(space.get("max_bin")):
        raise ParameterError("max_bin cannot be searched: the bins are made once for all trials")
    changing = set(space) - set(fixed)
    if scheduler == "pbt" and not changing <= MUTABLE:
        raise ParameterError(
            f"PBT cannot change {min(changing - MUTABLE)} between rounds; it can change "
            + ", ".join(sorted(MUTABLE))
        )
    plan = make_plan(fixed, data, label, **{**option_defaults(), **options, "elastic": False})
    if metric is None:
        name = plan.evals[-1][1]
        last = fixed.get("eval_metric")
        last = last[-1] if isinstance(last, list) else last
        if last is None:
            raise ParameterError("tune needs eval_metric among the parameters, or metric=…")
        metric = f"{name}-{last}"
    mode = mode or _mode_of(metric)
    _check_room(plan)
    placed = Controller(plan).place_data()
    shared = replace(
        plan,
        sources={},
        placed=placed,
        scaling=WaitingScaling(),
        save_checkpoint=None,
    )
    with tempfile.TemporaryDirectory(prefix="xgb-ray-tune-") as folder:
        bundles = [{"CPU": plan.cpus} for _ in range(plan.workers)]
        trainable = ray_tune.with_resources(
            ray_tune.with_parameters(
                _trial, plan=shared, report_every=report_every, exploit=scheduler == "pbt"
            ),
            ray_tune.PlacementGroupFactory([{}, *bundles], strategy="PACK"),
        )
        tuner = ray_tune.Tuner(
            trainable,
            param_space=dict(space),
            tune_config=ray_tune.TuneConfig(
                metric=metric,
                mode=mode,
                num_samples=trials,
                max_concurrent_trials=concurrent,
                search_alg=_search(search, seed),
                scheduler=_scheduler(scheduler, space, plan.recipe.rounds, report_every),
                time_budget_s=time_budget,
            ),
            run_config=ray_tune.RunConfig(storage_path=folder, name="tune", verbose=0),
        )
        return _summarise(tuner.fit(), metric, mode)


def _trial(config: dict[str, Any], plan: Plan, report_every: int, exploit: bool) -> None:
    """One trial, inside Ray Tune: a training that reports, and ends when Tune ends it."""
    import ray
    from ray import tune as ray_tune

    recipe = replace(plan.recipe, params=check_params(config))
    start = plan.start
    checkpoint = ray_tune.get_checkpoint()
    if checkpoint is not None:
        with checkpoint.as_directory() as folder:
            # Written by another trial of this same search.
            start = pickle.loads((Path(folder) / "state.pkl").read_bytes())  # noqa: S301
    group: Any = ray.util.get_current_placement_group()
    # Tune leaves the empty bundle of the trial itself out of the group.
    first = group.bundle_count - plan.workers
    controller = Controller(replace(plan, recipe=recipe, start=start, placement=(group, first)))
    record = controller.record
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
            for rounds, values in list(record.log):
                if rounds > reported and rounds % report_every == 0 and rounds < recipe.rounds:
                    _report(values, rounds, record.state if exploit else None)
                    reported = rounds
    finally:
        controller.stop_now()
        thread.join(10)
    if failed:
        raise failed[0]
    last = {d: {m: v[-1] for m, v in ms.items()} for d, ms in record.state.history.items()}
    _report(last, record.state.rounds, record.state)


def _report(
    values: Mapping[str, Mapping[str, float]], rounds: int, state: TrainState | None
) -> None:
    from ray import tune as ray_tune

    flat: dict[str, Any] = {f"{d}-{m}": v for d, ms in values.items() for m, v in ms.items()}
    flat["rounds"] = rounds
    if state is None or state.model is None:
        ray_tune.report(flat)
        return
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "state.pkl").write_bytes(pickle.dumps(state))
        ray_tune.report(flat, checkpoint=ray_tune.Checkpoint.from_directory(folder))


def _search(name: str, seed: int) -> Any:
    if name == "random":
        return None
    if name == "optuna":
        from ray.tune.search.optuna import OptunaSearch

        return OptunaSearch(seed=seed)
    from flaml import CFO

    return CFO(seed=seed)


def _scheduler(name: str, space: Mapping[str, Any], rounds: int, report_every: int) -> Any:
    from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining

    if name == "none":
        return None
    if name == "asha":
        return ASHAScheduler(
            time_attr="rounds", max_t=rounds, grace_period=min(rounds, 2 * report_every)
        )
    return PopulationBasedTraining(
        time_attr="rounds",
        perturbation_interval=2 * report_every,
        hyperparam_mutations={k: v for k, v in space.items() if _is_range(v)},
    )


def _is_range(value: Any) -> bool:
    from ray.tune.search.sample import Domain

    return isinstance(value, Domain)


def _mode_of(metric: str) -> str:
    name = metric.split("-", 1)[-1]
    return "max" if name.startswith(("auc", "aucpr", "map", "ndcg", "pre")) else "min"


def _check_room(plan: Plan) -> None:
    import ray

    wanted = plan.workers * plan.cpus
    total = ray.cluster_resources().get("CPU", 0)
    if wanted > total:
        raise ClusterError(
            f"a trial needs {wanted:g} CPUs, but the cluster has {total:g}: "
            "use fewer workers or cpus_per_worker"
        )


def _summarise(grid: Any, metric: str, mode: str) -> TuneResult:
    import xgboost as xgb

    trials = []
    for result in grid:
        if result.error is not None or metric not in (result.metrics or {}):
            continue
        trials.append(
            {
                "params": dict(result.config),
                "value": float(result.metrics[metric]),
                "rounds": int(result.metrics["rounds"]),
                "checkpoint": result.checkpoint,
            }
        )
    if not trials:
        error = next((r.error for r in grid if r.error is not None), None)
        raise TrainingError(f"every trial failed: {_last_line(error)}")
    trials.sort(key=lambda t: t["value"], reverse=mode == "max")
    best = trials[0]
    booster = None
    if best["checkpoint"] is not None:
        with best["checkpoint"].as_directory() as folder:
            state = pickle.loads((Path(folder) / "state.pkl").read_bytes())  # noqa: S301
        booster = xgb.Booster(model_file=bytearray(state.model))
    for trial in trials:
        del trial["checkpoint"]
    return TuneResult(best["params"], best["value"], metric, booster, trials)


def _last_line(error: BaseException | None) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else "no result"
