"""The options of a search, beside those of the trainings that are its trials."""

from __future__ import annotations

from dataclasses import dataclass

from gateway_ext.xgb_ray.option_table import option
from gateway_ext.xgb_ray.training.options import TrainKeywords

SEARCHES = ("optuna", "cfo", "blendsearch", "random")
SCHEDULERS = ("asha", "pbt", "none")


@dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """The options of `tune` and `start_tuning` beside `TrainOptions`, with the help of each."""

    trials: int = option(10, "how many sets of parameters to try")
    concurrent: int = option(1, "trials at a time")
    search: str = option("optuna", '"optuna", "cfo" or "blendsearch" (FLAML\'s), or "random"')
    scheduler: str = option(
        "asha",
        '"asha" (ends bad trials early), "pbt" (bad trials go on from a copy of a good one with '
        'other parameters) or "none"',
    )
    metric: str | None = option(
        None,
        '"NAME-METRIC" of an eval set; the last metric of the last eval set unless given',
    )
    mode: str | None = option(None, '"min" or "max"; known for XGBoost\'s own metrics')
    report_every: int = option(5, "rounds between two looks at a trial")
    seed: int = option(0, "of the search")
    time_budget: float | None = option(
        None, "seconds after which no new trial begins and the running ones end"
    )
    storage: str | None = option(
        None,
        "a folder or URI that all machines of the cluster reach, for the models of the trials; "
        "needed when there are several machines",
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
