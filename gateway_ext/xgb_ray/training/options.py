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
        "rounds to compute",
        flag=flag("-n", "--rounds", kind=int),
    )
    evals: Mapping[str, Any] | Sequence[tuple[Any, str]] | None = option(
        None,
        'data to measure on after each round, by name: `{"test": "test.parquet"}` or '
        "pairs as in `xgboost.train`. The training data itself may be among them",
    )
    weight: str | None = option(
        None,
        "the column of the weights of rows",
        flag=flag("--weight", metavar="COLUMN"),
    )
    qid: str | None = option(
        None,
        "the column of the groups of a ranking",
        flag=flag("--qid", metavar="COLUMN"),
    )
    group: str | None = option(
        None,
        "another name of `qid`",
    )
    base_margin: str | Sequence[str] | None = option(
        None,
        "the column of the margin to start from, or one for each class",
        flag=flag("--base-margin", metavar="COLUMN", repeated=True),
    )
    features: Sequence[str] | None = option(
        None,
        "feature columns; all without another part unless given. A single column of Spark "
        "ML vectors holds all features",
        flag=flag("--features", metavar="NAME,NAME…"),
    )
    categorical: Sequence[str] | None = option(
        None,
        "those of the features that are categories",
        flag=flag("--categorical", metavar="NAME,NAME…"),
    )
    missing: float | None = option(
        None,
        "a value that means missing; what a gap in a sparse vector means then, see `Columns`",
        flag=flag("--missing", kind=float),
    )
    densify: bool = option(
        False,
        "gaps of sparse vectors are 0, see `Columns`",
        flag=flag("--densify"),
    )
    workers: int = option(
        2,
        "Ray actors to train with",
        flag=flag("--workers", kind=int),
    )
    cpus_per_worker: float = option(
        1,
        "CPUs of each, all used in reading and in training",
        flag=flag("--cpus", kind=float),
    )
    memory_per_worker: int | None = option(
        None,
        "bytes to reserve for each on its node",
    )
    elastic: bool = option(
        True,
        "when a worker dies go on with the others at once and take a replacement in when "
        "that pays; otherwise hold until the replacement is there",
        flag=flag("--elastic"),
    )
    min_workers: int = option(
        1,
        "with `elastic`, hold when fewer than these are left",
    )
    max_failures: int = option(
        3,
        "lost workers to survive; -1 for any number",
        flag=flag("--max-failures", kind=int),
    )
    cuts: str = option(
        "sample",
        '"sample" (bins from a sample of rows: no communication, the same bins whatever '
        'happens to workers) or "full" (bins from all rows, sketched together)',
        flag=flag("--cuts", choices=("sample", "full")),
    )
    sample_rows: int | None = option(
        None,
        "rows to sample, instead of 512 a bin",
    )
    obj: Callable[..., Any] | None = option(
        None,
        "an objective, a Python function as in `xgboost.train`",
    )
    custom_metric: Callable[..., Any] | None = option(
        None,
        "a metric, a Python function as in `xgboost.train`; computed on the rows of each "
        "worker and averaged by rows",
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
        "a Booster, a result with one, or a path to one, to continue from",
        flag=flag("--model"),
    )
    checkpoint_path: str | None = option(
        None,
        "a file or URI to keep the model in during the training",
        flag=flag("--checkpoint", metavar="FILE"),
    )
    checkpoint_every: int = option(
        10,
        "rounds between two checkpoints",
    )
    resume: bool = option(
        False,
        "begin from the checkpoint if it is there",
        flag=flag("--resume"),
    )
    heartbeat_timeout: float = option(
        15.0,
        "seconds without an answer after which a worker is taken for frozen. A thread of "
        "its own answers, which a function that holds Python's lock keeps from it",
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
        "a pyarrow file system that the paths of the data are on",
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
