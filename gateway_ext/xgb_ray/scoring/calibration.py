"""Isotonic calibration of predicted probabilities, exact at 100 million rows.

Rows are first reduced to distinct predictions with their weight and mean label, in parallel by
pieces; then pool-adjacent-violators runs over what is left. Predictions in [0, 1] are float32
numbers whose bits sort like the numbers, so a prediction and its 0/1 label fit one 32-bit integer:
one plain sort replaces an argsort and two gathers.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway_ext.xgb_ray.display import curve_html
from gateway_ext.xgb_ray.errors import DataError, ParameterError

if TYPE_CHECKING:
    import pyarrow.fs as pafs

# Above this many rows `calibrate` uses bins unless told otherwise.
EXACT_ROWS = 100_000_000
DEFAULT_BINS = 1 << 20


@dataclass(frozen=True)
class Groups:
    """Distinct predictions, ascending: `prediction` float64 (n,), their `weight` float64 (n,)
    and the weighted sum of labels `total` float64 (n,)."""

    prediction: np.ndarray
    weight: np.ndarray
    total: np.ndarray


@dataclass(frozen=True)
class Calibration:
    """A monotone function from predictions to probabilities: linear between its points.

    `x` ascending predictions and `y` probabilities, both float64 (n,).
    """

    x: np.ndarray
    y: np.ndarray
    rows: int = 0

    def apply(self, prediction: Any) -> np.ndarray:
        """Calibrated values of predictions; beyond the ends the value at the end."""
        return np.interp(np.asarray(prediction, dtype=np.float64), self.x, self.y)

    def to_json(self) -> str:
        """The points as JSON."""
        return json.dumps({"x": self.x.tolist(), "y": self.y.tolist(), "rows": self.rows})

    @staticmethod
    def from_json(text: str) -> Calibration:
        """The inverse of `to_json`."""
        raw = json.loads(text)
        return Calibration(np.array(raw["x"]), np.array(raw["y"]), raw["rows"])

    def __repr__(self) -> str:
        return f"Calibration({len(self.x)} points from {self.rows} rows)"

    def _repr_html_(self) -> str:
        return curve_html(repr(self), self.x.tolist(), self.y.tolist())


def group_exact(
    prediction: np.ndarray, label: np.ndarray, weight: np.ndarray | None = None
) -> Groups:
    """Distinct predictions of one piece.

    Args:
        prediction: (rows,) numbers from 0 to 1; taken as float32.
        label: (rows,) numbers, usually 0 or 1.
        weight: (rows,) non-negative numbers, or None for 1.

    Raises:
        DataError: a prediction is outside [0, 1] or not a number.
    """
    p = np.ascontiguousarray(prediction, dtype=np.float32)
    # Zero may be negative, whose bits would sort above everything.
    bits = (p + np.float32(0)).view(np.uint32)
    if len(p) and (np.isnan(p).any() or p.min() < 0 or p.max() > 1):
        raise DataError("predictions to calibrate must be probabilities between 0 and 1")
    if weight is None and _is_binary(label):
        keys = (bits << np.uint32(1)) | label.astype(np.uint32)
        keys.sort()
        distinct = keys >> np.uint32(1)
        starts = _starts(distinct)
        ones = np.add.reduceat(keys & np.uint32(1), starts, dtype=np.int64) if len(p) else starts
        counts = np.diff(np.append(starts, len(p)))
        values = distinct[starts].view(np.float32)
        return Groups(values.astype(np.float64), counts.astype(np.float64), ones.astype(float))
    order = np.argsort(bits, kind="stable")
    w = np.ones(len(p)) if weight is None else np.asarray(weight, dtype=np.float64)
    if (w < 0).any():
        raise DataError("weights must not be negative")
    w = w[order]
    y = np.asarray(label, dtype=np.float64)[order] * w
    starts = _starts(bits[order])
    if not len(p):
        return Groups(np.empty(0), np.empty(0), np.empty(0))
    values = p[order][starts].astype(np.float64)
    return Groups(values, np.add.reduceat(w, starts), np.add.reduceat(y, starts))


def group_bins(
    prediction: np.ndarray, label: np.ndarray, weight: np.ndarray | None, bins: int
) -> Groups:
    """One group for each of `bins` equal ranges: constant size however many rows there are.

    Groups of different pieces can be added up; empty bins have weight 0.
    """
    p = np.asarray(prediction, dtype=np.float32)
    if len(p) and (np.isnan(p).any() or p.min() < 0 or p.max() > 1):
        raise DataError("predictions to calibrate must be probabilities between 0 and 1")
    at = np.minimum((p * np.float32(bins)).astype(np.int32), bins - 1)
    count = np.bincount(at, weight, bins).astype(np.float64)
    labels = np.asarray(label, dtype=np.float64)
    total = np.bincount(at, labels if weight is None else labels * weight, bins)
    centers = (np.arange(bins) + 0.5) / bins
    return Groups(centers, count, total)


def _is_binary(label: np.ndarray) -> bool:
    return bool(((label == 0) | (label == 1)).all())


def _starts(values: np.ndarray) -> np.ndarray:
    if len(values) == 0:
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))


def merge(parts: Sequence[Groups]) -> Groups:
    """Groups of all pieces as one, equal predictions put together."""
    if len(parts) == 1:
        return parts[0]
    prediction = np.concatenate([p.prediction for p in parts])
    order = np.argsort(prediction, kind="stable")
    prediction = prediction[order]
    starts = _starts(prediction)
    weight = np.concatenate([p.weight for p in parts])[order]
    total = np.concatenate([p.total for p in parts])[order]
    if not len(starts):
        return parts[0]
    return Groups(
        prediction[starts], np.add.reduceat(weight, starts), np.add.reduceat(total, starts)
    )


def fit(groups: Groups) -> Calibration:
    """The isotonic regression over groups: never decreasing, least squares by weight.

    Raises:
        DataError: there is no row with a weight.
    """
    from scipy.optimize import isotonic_regression

    used = groups.weight > 0
    if not used.any():
        raise DataError("there are no rows to calibrate on")
    x, w = groups.prediction[used], groups.weight[used]
    y = isotonic_regression(groups.total[used] / w, weights=w).x
    # Between the ends of a block of equal values nothing is needed.
    keep = np.ones(len(x), dtype=bool)
    if len(x) > 2:
        keep[1:-1] = (y[1:-1] != y[:-2]) | (y[1:-1] != y[2:])
    return Calibration(x[keep], y[keep], 0)


def calibrate(
    data: Any,
    label: Any,
    *,
    prediction: str = "prediction",
    weight: Any = None,
    bins: int | None = None,
    cpus_per_task: float = 1,
    cluster: str | None = None,
    filesystem: pafs.FileSystem | None = None,
) -> Calibration:
    """Fit an isotonic calibration.

    Args:
        data: Parquet paths, an Arrow table, a pandas DataFrame or a Ray Dataset with a column of
            predictions; or the predictions themselves as an array, with `label` and `weight` as
            arrays too, which needs no cluster.
        label: the label column (or array), usually 0 and 1.
        prediction: the column of predictions, between 0 and 1.
        weight: the weight column (or array).
        bins: equal ranges to put predictions into first; None for exact up to 10^8 rows and
            2^20 bins above, 0 for exact at any size.

    Raises:
        DataError: a column is missing, or a prediction is not between 0 and 1.
    """
    if bins is not None and bins != 0 and bins < 2:
        raise ParameterError("bins must be 0 (exact) or at least 2")
    if not isinstance(label, str):
        p, y = np.asarray(data), np.asarray(label)
        if p.ndim != 1 or p.shape != y.shape:
            raise DataError("predictions and labels must be arrays of the same length")
        w = None if weight is None else np.asarray(weight)
        groups = _group(p, y, w, _bins(len(p), bins))
        found = fit(groups)
        return Calibration(found.x, found.y, len(p))
    return _calibrate_pieces(
        data, label, prediction, weight, bins, cpus_per_task, cluster, filesystem
    )


def _bins(rows: int, bins: int | None) -> int:
    if bins is None:
        return DEFAULT_BINS if rows > EXACT_ROWS else 0
    return bins


def _group(p: np.ndarray, y: np.ndarray, w: np.ndarray | None, bins: int) -> Groups:
    return group_bins(p, y, w, bins) if bins else group_exact(p, y, w)


def _calibrate_pieces(
    data: Any,
    label: str,
    prediction: str,
    weight: str | None,
    bins: int | None,
    cpus: float,
    cluster: str | None,
    filesystem: Any,
) -> Calibration:
    import os

    import ray

    from gateway_ext.xgb_ray.data.columns import parse_columns
    from gateway_ext.xgb_ray.data.sources import open_source, plan_pieces, read_piece
    from gateway_ext.xgb_ray.ray_cluster.connect import check_task, connect
    from gateway_ext.xgb_ray.ray_cluster.tasks import get_all

    connect(cluster)
    check_task(cpus)
    source = open_source(data, "the data", filesystem, slices=os.cpu_count() or 1)
    wanted = parse_columns(label, weight=weight, features=[prediction])
    columns = source.resolve(wanted)
    used_bins = _bins(source.rows, bins)

    @ray.remote(num_cpus=cpus)
    def group_piece(piece: Any, columns: Any, filesystem: Any) -> Groups:
        from gateway_ext.xgb_ray.data.shards import make_shard

        table = read_piece(piece, columns, filesystem, 1)
        shard, _ = make_shard(table, columns, piece.where)
        matrix: Any = shard.blocks[0].matrix
        labels: Any = shard.label
        return _group(matrix.column(0).to_numpy(), labels[:, 0], shard.weight, used_bins)

    pieces = plan_pieces(source.units, workers=int(ray.cluster_resources().get("CPU", 1)))
    parts = get_all([group_piece.remote(p, columns, source.filesystem) for p in pieces])
    if used_bins:
        first = parts[0]
        groups = Groups(first.prediction, sum(p.weight for p in parts), sum(p.total for p in parts))
    else:
        groups = merge(parts)
    found = fit(groups)
    return Calibration(found.x, found.y, source.rows)
