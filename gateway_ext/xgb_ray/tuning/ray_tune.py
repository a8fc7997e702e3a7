"""Ray Tune's own run of a search, on data that is placed already."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from typing import Any

from gateway_ext.xgb_ray.training.plan import Plan
from gateway_ext.xgb_ray.tuning.board import Board
from gateway_ext.xgb_ray.tuning.search import Search
from gateway_ext.xgb_ray.tuning.space import is_range
from gateway_ext.xgb_ray.tuning.trial import run_trial


def run_search(
    search: Search,
    plan: Plan,
    folder: str,
    board: Board,
) -> Any:
    """Ray Tune's results of the trials; their models are in `folder`."""
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
            checkpoint_config=ray_tune.CheckpointConfig(num_to_keep=_kept_models(search)),
        ),
    )
    return tuner.fit()


def _kept_models(search: Search) -> int:
    """How many models of a trial are kept: the newest one, but with population based training
    another trial may still be copying an older one."""
    return 3 if search.scheduler == "pbt" else 1


@contextlib.contextmanager
def quiet() -> Iterator[None]:
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
