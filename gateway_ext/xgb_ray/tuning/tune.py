"""`tune`: a search over parameters with Ray Tune, the data placed once and shared by all trials.

Each trial is a training of its own (`trial`) inside the room that Ray Tune reserved for the trial,
so that no second reservation can wait for the first. Trials do not grow or shrink.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gateway_ext.xgb_ray.background import Background
from gateway_ext.xgb_ray.errors import ClusterError, ParameterError, TrainingError, XGBRayError
from gateway_ext.xgb_ray.ray_cluster.connect import connect, of_a_client
from gateway_ext.xgb_ray.training.controller import Controller
from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.training.scaling import WaitingScaling
from gateway_ext.xgb_ray.training.train import make_plan, option_defaults
from gateway_ext.xgb_ray.tuning.space import check_space, is_range
from gateway_ext.xgb_ray.tuning.trial import booster_of, read_state, run_trial

if TYPE_CHECKING:
    import xgboost as xgb

SEARCHES = ("optuna", "cfo", "blendsearch", "random")
SCHEDULERS = ("asha", "pbt", "none")


@dataclass
class TuneResult:
    """The result of `tune`.

    Attributes:
        best_params: all parameters of the best trial.
        best_value: `metric` of its model: after its last round, or its best round if it stopped
            early.
        booster: its model.
        trials: of each trial `params`, `value`, `rounds`, `state` ("finished", "ended early",
            "stopped" or "failed") and `line`, its values by round; the best one first.
        state: "finished", or "stopped" if the search was interrupted.
        error: why trials failed, if some did.
    """

    best_params: dict[str, Any]
    best_value: float
    metric: str
    booster: xgb.Booster | None
    trials: list[dict[str, Any]]
    mode: str = "min"
    seconds: float = 0.0
    state: str = "finished"
    error: str = ""

    def __repr__(self) -> str:
        return (
            f"TuneResult({self.metric} {self.best_value:.6g} with {self.best_params}; "
            f"{self.state} after {len(self.trials)} trials in {self.seconds:.1f} s)"
        )

    def _repr_html_(self) -> str:
        from gateway_ext.xgb_ray.display import tuned_html

        return tuned_html(self)


@dataclass(frozen=True)
class TuneStatus:
    """A search at one moment: its trials as in `TuneResult`, those that run ("running") too."""

    metric: str
    mode: str
    total: int
    rounds: int
    seconds: float
    trials: list[dict[str, Any]] = field(default_factory=list)
    ended: str = ""

    def __str__(self) -> str:
        from gateway_ext.xgb_ray.display import tune_text

        return tune_text(self)

    def _repr_html_(self) -> str:
        from gateway_ext.xgb_ray.display import tune_html

        return tune_html(self)


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


class _Board:
    """What Ray Tune's loop and `Tuning` tell each other: how far each trial is, by its id, which
    have a metric whose model is not saved yet, and whether to stop."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.unsaved: set[str] = set()
        self.stop = threading.Event()

    def __reduce__(self) -> tuple[Any, ...]:
        # Ray Tune writes its whole set-up to disk, where nobody needs this.
        return _Board, ()


class Tuning(Background[TuneResult]):
    """A search in the background. `wait` for its result; `stop` keeps the best model so far."""

    what = "search"

    def __init__(self, search: Search, plan: Plan) -> None:
        self._search, self._plan = search, plan
        self._controller = Controller(plan)
        self._board = _Board()
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
        from gateway_ext.xgb_ray.display import trial_line

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
            stack.enter_context(_quiet())
            grid = _run(self._search, shared, folder, self._board)
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


def tune(
    space: Mapping[str, Any], data: Any, label: str | Sequence[str], **options: Any
) -> TuneResult:
    """Search for good parameters; as `start_tuning`, but waits for the result.

    An interrupt (^C) ends the search and returns what there is.
    """
    run = start_tuning(space, data, label, **options)
    run.wait_interruptibly()
    return run.wait()


def start_tuning(
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
    storage: str | None = None,
    **options: Any,
) -> Background[TuneResult]:
    """Start a search for good parameters in the background.

    Args:
        space: XGBoost's parameters; those to search as Ray Tune ranges (`ray.tune.uniform` …).
        trials: how many to try; `concurrent` at a time.
        search: "optuna", "cfo" or "blendsearch" (FLAML's), or "random".
        scheduler: "asha" (ends bad trials early), "pbt" (bad trials go on from a copy of a good
            one with other parameters) or "none".
        metric: "NAME-METRIC" of an eval set; the last metric of the last eval set unless given.
        mode: "min" or "max"; known for XGBoost's own metrics.
        report_every: rounds between two looks at a trial.
        seed: of the search.
        time_budget: seconds after which no new trial begins and the running ones end.
        storage: a folder or URI that all machines of the cluster reach, for the trials' models;
            needed when there are several machines.
        options: those of `train` (`num_boost_round`, `evals`, `workers`, …); `evals` is needed.

    Raises:
        DataError, ParameterError, ClusterError: as `train`, before any trial.
        TrainingError: from `wait`, when every trial failed.
    """
    arguments = {k: v for k, v in locals().items() if k != "options"}
    if not options.get("evals"):
        raise ParameterError("tune needs evals to compare trials on")
    for name, value, known in (
        ("search", search, SEARCHES),
        ("scheduler", scheduler, SCHEDULERS),
        ("mode", mode, (None, "min", "max")),
    ):
        if value not in known:
            words = ", ".join(k for k in known if k)
            raise ParameterError(f"{name} must be one of {words}, not {value!r}")
    for name, count in (
        ("trials", trials),
        ("concurrent", concurrent),
        ("report_every", report_every),
    ):
        if not isinstance(count, int) or count < 1:
            raise ParameterError(f"{name} must be a whole number above 0, not {count!r}")
    unknown = set(options) - set(option_defaults())
    if unknown:
        raise ParameterError(f"tune has no option {min(unknown)!r}")
    fixed = check_space(space, scheduler)
    connect(options.get("cluster"))
    if of_a_client():
        from gateway_ext.xgb_ray.tuning.remote import RemoteTuning

        return RemoteTuning({**arguments, **options, "cluster": None})
    plan = make_plan(fixed, data, label, **{**option_defaults(), **options, "elastic": False})
    metric = metric or _default_metric(plan, fixed)
    names = [name for _, name in plan.evals]
    if metric.split("-", 1)[0] not in names or "-" not in metric:
        raise ParameterError(
            f"metric must be NAME-METRIC of an eval set ({', '.join(names)}), not {metric!r}"
        )
    _check_room(plan, storage)
    what = Search(
        space=dict(space),
        trials=trials,
        concurrent=concurrent,
        search=search,
        scheduler=scheduler,
        metric=metric,
        mode=mode or _mode_of(metric),
        report_every=report_every,
        seed=seed,
        time_budget=time_budget,
        storage=storage,
    )
    return Tuning(what, plan)


def _default_metric(plan: Plan, fixed: Mapping[str, Any]) -> str:
    last = fixed.get("eval_metric")
    last = last[-1] if isinstance(last, list) else last
    if last is None:
        raise ParameterError("tune needs eval_metric among the parameters, or metric=…")
    return f"{plan.evals[-1][1]}-{last}"


def _run(
    search: Search,
    plan: Plan,
    folder: str,
    board: _Board,
) -> Any:
    """Ray Tune's own run, on placed data."""
    from ray import tune as ray_tune

    class Watch(ray_tune.Callback):
        def on_trial_start(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            row: dict[str, Any] = {
                "params": dict(trial.config),
                "value": None,
                "rounds": 0,
                "line": [],
            }
            board.rows.setdefault(trial.trial_id, row)["state"] = "running"

        def on_trial_result(
            self, iteration: int, trials: Any, trial: Any, result: Any, **_: Any
        ) -> None:
            row, value = board.rows[trial.trial_id], result.get(search.metric)
            row["params"] = dict(trial.config)
            if value is not None:
                row.update(value=value, rounds=result["rounds"])
                row["line"] = [*row["line"], value]
                board.unsaved.add(trial.trial_id)

        def on_checkpoint(
            self, iteration: int, trials: Any, trial: Any, checkpoint: Any, **_: Any
        ) -> None:
            board.unsaved.discard(trial.trial_id)

        def on_trial_complete(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            # A trial of its own accord reports its end; one that Tune ends does not.
            done = bool((trial.last_result or {}).get("done_by_itself"))
            ended = "stopped" if board.stop.is_set() else "ended early"
            board.rows[trial.trial_id]["state"] = "finished" if done else ended

        def on_trial_error(self, iteration: int, trials: Any, trial: Any, **_: Any) -> None:
            board.rows[trial.trial_id]["state"] = "failed"
            board.unsaved.discard(trial.trial_id)

    class Stop(ray_tune.Stopper):
        def __call__(self, trial_id: str, result: Any) -> bool:
            return board.stop.is_set()

        def stop_all(self) -> bool:
            # Ray Tune would not wait for the models of metrics that it has told us already.
            return board.stop.is_set() and not board.unsaved

    trainable = ray_tune.with_resources(
        ray_tune.with_parameters(run_trial, plan=plan, report_every=search.report_every),
        ray_tune.PlacementGroupFactory(
            [{}, *({"CPU": plan.cpus} for _ in range(plan.workers))], strategy="PACK"
        ),
    )
    tuner = ray_tune.Tuner(
        trainable,
        param_space=search.space,
        tune_config=ray_tune.TuneConfig(
            metric=search.metric,
            mode=search.mode,
            num_samples=search.trials,
            max_concurrent_trials=None if search.search == "random" else search.concurrent,
            search_alg=_searcher(search),
            scheduler=_scheduler(search, plan.recipe.rounds),
            time_budget_s=search.time_budget,
        ),
        run_config=ray_tune.RunConfig(
            storage_path=folder,
            name="tune",
            verbose=0,
            callbacks=[Watch()],
            stop=Stop(),
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=1),
        ),
    )
    return tuner.fit()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep Ray Tune's own tables and advice out of the notebook, which shows ours."""
    wanted = {
        "RAY_AIR_NEW_OUTPUT": "0",
        "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    }
    before = {k: os.environ.get(k) for k in wanted}
    loggers = [logging.getLogger(n) for n in ("ray.tune", "ray.train", "optuna", "flaml")]
    levels = [logger.level for logger in loggers]
    os.environ.update(wanted)
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _searcher(search: Search) -> Any:
    name, seed = search.search, search.seed
    if name == "random":
        from ray.tune.search.basic_variant import BasicVariantGenerator

        return BasicVariantGenerator(max_concurrent=search.concurrent, random_state=seed)
    if name == "optuna":
        from ray.tune.search.optuna import OptunaSearch

        return OptunaSearch(seed=seed)
    import flaml

    return (flaml.CFO if name == "cfo" else flaml.BlendSearch)(seed=seed)


def _scheduler(search: Search, rounds: int) -> Any:
    from ray.tune.schedulers import ASHAScheduler, PopulationBasedTraining

    if search.scheduler == "none":
        return None
    if search.scheduler == "asha":
        return ASHAScheduler(
            time_attr="rounds", max_t=rounds, grace_period=min(rounds, 2 * search.report_every)
        )
    return PopulationBasedTraining(
        time_attr="rounds",
        perturbation_interval=2 * search.report_every,
        hyperparam_mutations={k: v for k, v in search.space.items() if is_range(v)},
        log_config=False,
    )


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


def sorted_trials(trials: Any, mode: str) -> list[dict[str, Any]]:
    """Trials with the best first, those without a value last."""

    def rank(trial: Mapping[str, Any]) -> tuple[bool, float]:
        value = trial["value"]
        if value is None or math.isnan(value):
            return True, 0.0
        return False, value if mode == "min" else -value

    return sorted((dict(t) for t in trials), key=rank)


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "no result"
