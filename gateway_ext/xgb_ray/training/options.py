"""The options of a training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

from gateway_ext.xgb_ray.option_table import flag, option

if TYPE_CHECKING:
    import pyarrow.fs as pafs
    import xgboost as xgb


@dataclass(frozen=True, kw_only=True)
class TrainOptions:
    """The options of `train`, `start_training` and `tune`, with the help of each."""

    num_boost_round: int = option(
        10,
        "boosting rounds",
        flag=flag("-n", "--rounds", kind=int),
    )
    evals: Mapping[str, Any] | Sequence[tuple[Any, str]] | None = option(
        None,
        'data to evaluate after each round, by name: `{"test": "test.parquet"}` or pairs as '
        "in `xgboost.train`. It may include the training data",
    )
    weight: str | None = option(
        None,
        "the column with the rows' weights",
        flag=flag("--weight", metavar="COLUMN"),
    )
    qid: str | None = option(
        None,
        "the column with the ranking groups",
        flag=flag("--qid", metavar="COLUMN"),
    )
    group: str | None = option(
        None,
        "another name of `qid`",
    )
    base_margin: str | Sequence[str] | None = option(
        None,
        "the column with the initial margins, or one column for each class",
        flag=flag("--base-margin", metavar="COLUMN", repeated=True),
    )
    features: Sequence[str] | None = option(
        None,
        "feature columns; by default all columns that are not used otherwise. A single column "
        "of Spark ML vectors contains all features",
        flag=flag("--features", metavar="NAME,NAME…"),
    )
    categorical: Sequence[str] | None = option(
        None,
        "the categorical features",
        flag=flag("--categorical", metavar="NAME,NAME…"),
    )
    missing: float | None = option(
        None,
        "the value that means missing, which also determines the meaning of gaps in sparse "
        "vectors: with 0.0 they are missing, as in xgboost.spark",
        flag=flag("--missing", kind=float),
    )
    densify: bool = option(
        False,
        "gaps in sparse vectors are the value 0, as in Spark",
        flag=flag("--densify"),
    )
    workers: int = option(
        2,
        "number of Ray workers",
        flag=flag("--workers", kind=int),
    )
    cpus_per_worker: float = option(
        1,
        "CPUs of each worker, all of which it uses",
        flag=flag("--cpus", kind=float),
    )
    memory_per_worker: int | None = option(
        None,
        "bytes of memory to reserve for each worker on its node",
    )
    elastic: bool = option(
        True,
        "when a worker dies, continue with the others at once and add a replacement if that "
        "saves time; otherwise wait for the replacement",
        flag=flag("--elastic"),
    )
    min_workers: int = option(
        1,
        "with `elastic`, wait if fewer workers than this are left",
    )
    max_failures: int = option(
        3,
        "number of lost workers to tolerate; -1 for any number",
        flag=flag("--max-failures", kind=int),
    )
    cuts: str = option(
        "sample",
        '"sample" (bins from a sample of rows: needs no communication, and lost workers do not '
        'change the bins) or "full" (bins from all rows, sketched collectively)',
        flag=flag("--cuts", choices=("sample", "full")),
    )
    sample_rows: int | None = option(
        None,
        "rows to sample, instead of 512 per bin",
    )
    obj: Callable[..., Any] | None = option(
        None,
        "an objective, a Python function as in `xgboost.train`",
    )
    custom_metric: Callable[..., Any] | None = option(
        None,
        "a metric, a Python function as in `xgboost.train`; computed on the rows of each "
        "worker and averaged, weighted by the number of rows",
    )
    callbacks: Sequence[xgb.callback.TrainingCallback] | None = option(
        None,
        "called on every worker after every round, as in `xgboost.train`",
    )
    early_stopping_rounds: int | None = option(
        None,
        "rounds without improvement of the last metric of the last eval set after which "
        "the training ends, as in `xgboost.train`",
        flag=flag("--early-stop", metavar="ROUNDS", kind=int),
    )
    maximize: bool | None = option(
        None,
        "whether a higher metric is better, as in `xgboost.train`",
    )
    xgb_model: Any = option(
        None,
        "the model to continue from: a Booster, a result, or a path",
        flag=flag("--model"),
    )
    checkpoint_path: str | None = option(
        None,
        "a file or URI in which the model is saved during the training",
        flag=flag("--checkpoint", metavar="FILE"),
    )
    checkpoint_every: int = option(
        10,
        "rounds between two checkpoints",
    )
    resume: bool = option(
        False,
        "start from the checkpoint if it exists",
        flag=flag("--resume"),
    )
    heartbeat_timeout: float = option(
        15.0,
        "seconds without an answer after which a worker counts as frozen. A separate thread "
        "answers, which only a function that holds the GIL can block",
    )
    start_timeout: float = option(
        600.0,
        "seconds to wait for room in the cluster",
    )
    cluster: str | None = option(
        None,
        "where to train, see `connect`",
    )
    filesystem: pafs.FileSystem | None = option(
        None,
        "the pyarrow file system of the data's paths",
    )


class TrainKeywords(TypedDict, total=False):
    """`TrainOptions` as keyword arguments, for type checkers."""

    num_boost_round: int
    evals: Mapping[str, Any] | Sequence[tuple[Any, str]] | None
    weight: str | None
    qid: str | None
    group: str | None
    base_margin: str | Sequence[str] | None
    features: Sequence[str] | None
    categorical: Sequence[str] | None
    missing: float | None
    densify: bool
    workers: int
    cpus_per_worker: float
    memory_per_worker: int | None
    elastic: bool
    min_workers: int
    max_failures: int
    cuts: str
    sample_rows: int | None
    obj: Callable[..., Any] | None
    custom_metric: Callable[..., Any] | None
    callbacks: Sequence[xgb.callback.TrainingCallback] | None
    early_stopping_rounds: int | None
    maximize: bool | None
    xgb_model: Any
    checkpoint_path: str | None
    checkpoint_every: int
    resume: bool
    heartbeat_timeout: float
    start_timeout: float
    cluster: str | None
    filesystem: pafs.FileSystem | None
