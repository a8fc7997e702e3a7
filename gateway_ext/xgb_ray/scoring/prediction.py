"""`predict` and `evaluate`: a model over data of any size, piece by piece."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from gateway_ext.xgb_ray.data.columns import Columns, parse_columns
from gateway_ext.xgb_ray.data.matrix import Layout, laid_out
from gateway_ext.xgb_ray.data.models import DATA_ATTRIBUTE, load_model
from gateway_ext.xgb_ray.data.shards import Shard, check_groups, make_shard
from gateway_ext.xgb_ray.data.sources import Piece, Source, open_source, plan_pieces, read_piece
from gateway_ext.xgb_ray.data.storage import locate
from gateway_ext.xgb_ray.errors import DataError, ParameterError
from gateway_ext.xgb_ray.ray_cluster.connect import check_task, connect
from gateway_ext.xgb_ray.ray_cluster.tasks import get_all
from gateway_ext.xgb_ray.scoring.calibration import Calibration

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.fs as pafs
    import xgboost as xgb

# A prediction task holds its rows as Arrow, as a matrix and as results.
_ROWS_A_TASK = 1 << 18
_PART = re.compile(r"part-\d{5}\.parquet")


def predict(
    model: Any,
    data: Any,
    out: str | None = None,
    *,
    keep: Sequence[str] = (),
    column: str = "prediction",
    output_margin: bool = False,
    pred_contribs: bool = False,
    pred_leaf: bool = False,
    iteration_range: tuple[int, int] | None = None,
    calibration: Calibration | None = None,
    base_margin: str | Sequence[str] | None = None,
    workers: int = 2,
    cpus_per_worker: float = 1,
    cluster: str | None = None,
    filesystem: pafs.FileSystem | None = None,
) -> np.ndarray | list[str]:
    """Predictions in the order of the rows.

    Args:
        model: a `TrainResult` or `TuneResult`, a Booster, or a path to a model.
        data: as for `train`; the feature columns are those that the model was trained on.
        out: a folder (path or URI) to write Parquet files to, one a piece, with the columns
            `keep` and the predictions (`column`, or `column_0` … if there are several a row).
            Files of an earlier call in the same folder (`part-00000.parquet` …) are replaced.
        iteration_range: rounds to use; those up to the best round if training stopped early,
            otherwise all.
        calibration: is applied to each prediction.

    Returns:
        The files written, or without `out` an array (rows,) or (rows, outputs).

    Raises:
        DataError, ParameterError: the data does not fit the model.
    """
    import ray

    booster = load_model(model)
    if calibration is not None and (output_margin or pred_contribs or pred_leaf):
        raise ParameterError("calibration is for probabilities, not for margins or leaves")
    options = {
        "output_margin": output_margin,
        "pred_contribs": pred_contribs,
        "pred_leaf": pred_leaf,
        "iteration_range": iteration_range or best_range(booster),
    }
    connect(cluster)
    source, columns, layout = _open(booster, data, base_margin, None, filesystem, workers)
    for name in keep:
        if name not in source.schema.names:
            raise DataError(f"{source.name} has no column {name!r} to keep")
    target = None if out is None else _target(out, source)
    pieces = _cut(source, workers)
    check_task(cpus_per_worker)
    shared = ray.put(bytes(booster.save_raw("ubj")))
    work = _Work(columns, layout, source.filesystem, max(1, int(cpus_per_worker)), options)
    task = ray.remote(num_cpus=cpus_per_worker)(_predict_piece)
    refs = []
    for i, piece in enumerate(pieces):
        where = None if target is None else (target[0], f"{target[1]}/part-{i:05d}.parquet")
        refs.append(task.remote(shared, piece, work, tuple(keep), column, where, calibration))
    results = get_all(refs)
    if target is not None:
        _remove_older(*target, {path.rsplit("/", 1)[-1] for path in results})
        return results
    return np.concatenate(results)


def evaluate(
    model: Any,
    data: Any,
    label: str | Sequence[str] | None = None,
    *,
    metrics: Sequence[str] | None = None,
    weight: str | None = None,
    qid: str | None = None,
    base_margin: str | Sequence[str] | None = None,
    iteration_range: tuple[int, int] | None = None,
    workers: int = 2,
    cpus_per_worker: float = 1,
    cluster: str | None = None,
    filesystem: pafs.FileSystem | None = None,
) -> dict[str, float]:
    """XGBoost's metrics of a model on data, exactly as if it were in one process.

    Args:
        label: the label column; by default the one of the training.
        metrics: XGBoost's names (`auc`, `logloss`, …); by default that of the objective.

    Returns:
        The value of each metric by its name.
    """
    import ray

    booster = load_model(model)
    known = json.loads(booster.attr(DATA_ATTRIBUTE) or "{}")
    label = label or known.get("label")
    if not label:
        raise ParameterError("label must name the column to compare with")
    connect(cluster)
    check_task(cpus_per_worker)
    parts = {"label": label, "weight": weight, "qid": qid}
    source, columns, layout = _open(booster, data, base_margin, parts, filesystem, workers)
    shared = ray.put(bytes(booster.save_raw("ubj")))
    options = {"output_margin": True, "iteration_range": iteration_range or best_range(booster)}
    work = _Work(columns, layout, source.filesystem, max(1, int(cpus_per_worker)), options)
    task = ray.remote(num_cpus=cpus_per_worker)(_margins_of_piece)
    found = get_all([task.remote(shared, piece, work) for piece in _cut(source, workers)])
    margin, labels, weights, groups = cast(
        tuple[np.ndarray, np.ndarray, np.ndarray | None, np.ndarray | None],
        tuple(
            None if part[0] is None else np.concatenate(part) for part in zip(*found, strict=True)
        ),
    )
    if groups is not None:
        check_groups(groups, qid, source.name)
    return _metrics(booster, margin, labels, weights, groups, metrics)


def best_range(booster: xgb.Booster) -> tuple[int, int]:
    """The rounds up to the best one under early stopping; (0, 0), that is all, without it."""
    if booster.attr("best_iteration") is None:
        return (0, 0)
    return (0, int(booster.best_iteration) + 1)


def _open(
    booster: xgb.Booster,
    data: Any,
    base_margin: Any,
    parts: dict[str, Any] | None,
    filesystem: Any,
    workers: int,
) -> tuple[Source, Columns, Layout]:
    """The data with the columns that the model needs."""
    known = json.loads(booster.attr(DATA_ATTRIBUTE) or "{}")
    source = open_source(data, "the data", filesystem, slices=workers * 4)
    features = known.get("features") or ([known["vector"]] if known.get("vector") else None)
    if features is None:
        features = booster.feature_names
    categories = {k: tuple(v) for k, v in known.get("categories", {}).items()}
    parts = parts or {"label": None}
    columns = parse_columns(
        parts["label"],
        weight=parts.get("weight"),
        qid=parts.get("qid"),
        base_margin=base_margin,
        features=features,
        categorical=list(categories),
        missing=known.get("missing"),
        densify=known.get("densify", False),
    )
    names = booster.feature_names
    layout = Layout(
        features=booster.num_features(),
        names=None if names is None else tuple(names),
        categories=categories,
        missing=columns.missing,
    )
    return source, source.resolve(columns), layout


def _cut(source: Source, workers: int) -> list[Piece]:
    a_worker = max(1, math.ceil(source.rows / (workers * _ROWS_A_TASK)))
    return plan_pieces(source.units, workers, a_worker)


def _target(out: str, source: Source) -> tuple[Any, str]:
    filesystem, inner = locate(out)
    if any(u.path and u.path.rsplit("/", 1)[0] == inner for u in source.units):
        raise ParameterError(f"{out} holds the data itself: give another folder to write to")
    try:
        filesystem.create_dir(inner, recursive=True)
    except OSError as error:
        raise ParameterError(f"predictions cannot be written to {out}: {error}") from error
    return filesystem, inner


def _remove_older(filesystem: pafs.FileSystem, folder: str, ours: set[str]) -> None:
    """Remove files of an earlier call that this one, which has fewer files, did not replace."""
    import pyarrow.fs as pafs

    for info in filesystem.get_file_info(pafs.FileSelector(folder)):
        if info.is_file and _PART.fullmatch(info.base_name) and info.base_name not in ours:
            filesystem.delete_file(info.path)


def _predict_rows(
    booster: xgb.Booster, shard: Shard, layout: Layout, threads: int, options: dict[str, Any]
) -> np.ndarray:
    """Predictions of a shard, its rows in their own order."""
    import xgboost as xgb

    out: np.ndarray | None = None
    for block in shard.blocks:
        matrix = xgb.DMatrix(
            laid_out(block.matrix, layout),
            missing=layout.missing,
            nthread=threads,
            base_margin=block.take(shard.margin),
            feature_names=booster.feature_names,
            feature_types=booster.feature_types,
            enable_categorical=bool(layout.categories),
        )
        values = booster.predict(matrix, **options)
        if block.rows is None:
            return values
        if out is None:
            out = np.empty((shard.rows, *values.shape[1:]), dtype=values.dtype)
        out[block.rows] = values
    return np.empty(0, dtype=np.float32) if out is None else out


def _booster(raw: bytes, threads: int) -> xgb.Booster:
    import xgboost as xgb

    booster = xgb.Booster(model_file=bytearray(raw))
    booster.set_param({"nthread": threads})
    return booster


@dataclass(frozen=True)
class _Work:
    """What all prediction tasks of a call have in common; `options` are those of
    `Booster.predict`."""

    columns: Columns
    layout: Layout
    filesystem: Any
    threads: int
    options: dict[str, Any]


def _predict_piece(
    raw: bytes,
    piece: Piece,
    work: _Work,
    keep: Sequence[str],
    name: str,
    where: tuple[Any, str] | None,
    calibration: Calibration | None,
) -> Any:
    """One task: predictions of a piece, or the name of the file that they were written to."""
    table, _, values = _read_and_predict(raw, piece, work, keep)
    if calibration is not None:
        values = calibration.apply(values)
    if where is None:
        return values
    import pyarrow as pa
    import pyarrow.parquet as pq

    written = table.select(list(keep))
    flat = values.reshape(len(values), -1)
    for i in range(flat.shape[1]):
        title = name if flat.shape[1] == 1 else f"{name}_{i}"
        written = written.append_column(title, pa.array(np.ascontiguousarray(flat[:, i])))
    target, path = where
    pq.write_table(written, path, filesystem=target)
    return path


def _margins_of_piece(raw: bytes, piece: Piece, work: _Work) -> tuple[Any, Any, Any, Any]:
    """One task: margins of a piece, with what metrics compare them to."""
    _, shard, margin = _read_and_predict(raw, piece, work)
    return margin, shard.label, shard.weight, shard.qid


def _read_and_predict(
    raw: bytes, piece: Piece, work: _Work, keep: Sequence[str] = ()
) -> tuple[pa.Table, Shard, np.ndarray]:
    table = read_piece(piece, work.columns, work.filesystem, work.threads, keep)
    shard, facts = make_shard(table, work.columns, piece.where)
    # Where all vectors are null there is nothing to tell how many features they have.
    if facts.features not in (0, work.layout.features):
        raise DataError(
            f"{piece.where} has {facts.features} features, the model has {work.layout.features}"
        )
    booster = _booster(raw, work.threads)
    return table, shard, _predict_rows(booster, shard, work.layout, work.threads, work.options)


def _metrics(
    booster: xgb.Booster,
    margin: np.ndarray,
    label: np.ndarray,
    weight: np.ndarray | None,
    qid: np.ndarray | None,
    metrics: Sequence[str] | None,
) -> dict[str, float]:
    """XGBoost's own metrics of margins: those of a model without trees that starts from them."""
    import xgboost as xgb

    config = json.loads(booster.save_config())["learner"]
    params: dict[str, Any] = {"objective": config["objective"]["name"]}
    for section in config["objective"].values():
        if isinstance(section, dict):
            params.update(section)
    classes = int(config["learner_model_param"].get("num_class", "0"))
    if classes > 1:
        params["num_class"] = classes
    if metrics:
        params["eval_metric"] = list(metrics)
    if qid is not None and weight is not None:
        weight = weight[np.concatenate([[True], qid[1:] != qid[:-1]])]
    if qid is not None:
        qid = np.cumsum(np.concatenate([[False], qid[1:] != qid[:-1]]))
    matrix = xgb.DMatrix(
        np.zeros((len(label), 1), dtype=np.float32),
        label=label,
        weight=weight,
        qid=qid,
        base_margin=margin,
    )
    text = xgb.Booster(params, [matrix]).eval_set([(matrix, "data")], 0)
    pairs = (item.split(":") for item in text.split("\t")[1:])
    return {name.removeprefix("data-"): float(value) for name, value in pairs}
