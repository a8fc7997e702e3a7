"""The options of a search, in addition to those of its trials' trainings."""

from __future__ import annotations

from dataclasses import dataclass

from gateway_ext.xgb_ray.option_table import flag, option
from gateway_ext.xgb_ray.training.options import TrainKeywords

SEARCHES = ("optuna", "cfo", "blendsearch", "random")
SCHEDULERS = ("asha", "pbt", "none")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The options of `tune` and `start_tuning` in addition to `TrainOptions`, with their help."""

    trials: int = option(10, "how many sets of parameters to try", flag=flag("--trials", kind=int))
    concurrent: int = option(1, "trials at a time", flag=flag("--concurrent", kind=int))
    search: str = option(
        "optuna",
        '"optuna", "cfo" or "blendsearch" (FLAML\'s), or "random"',
        flag=flag("--search", choices=SEARCHES),
    )
    scheduler: str = option(
        "asha",
        '"asha" (ends bad trials early), "pbt" (bad trials continue from a copy of a good one '
        'with other parameters) or "none"',
        flag=flag("--scheduler", choices=SCHEDULERS),
    )
    metric: str | None = option(
        None,
        '"NAME-METRIC" of an eval set; by default the last metric of the last eval set',
        flag=flag("--metric"),
    )
    mode: str | None = option(
        None,
        '"min" or "max"; not needed for XGBoost\'s own metrics',
        flag=flag("--mode", choices=("min", "max")),
    )
    report_every: int = option(
        5, "rounds between two reports of a trial", flag=flag("--report-every", kind=int)
    )
    seed: int = option(0, "seed of the search", flag=flag("--seed", kind=int))
    time_budget: float | None = option(
        None,
        "seconds after which no new trial begins and the running ones end",
        flag=flag("--time-budget", metavar="SECONDS", kind=float),
    )
    storage: str | None = option(
        None,
        "a folder or URI that all machines can reach, for the models of the trials; required if "
        "the cluster has several machines",
        flag=flag("--storage"),
    )


class TuneKeywords(TrainKeywords, total=False):
    """`SearchOptions` and `TrainOptions` as keyword arguments, for type checkers."""

    trials: int
    concurrent: int
    search: str
    scheduler: str
    metric: str | None
    mode: str | None
    report_every: int
    seed: int
    time_budget: float | None
    storage: str | None
