"""Bin edges ("cuts") from a sample, once, for every worker and every change of the group.

XGBoost's hist method sketches quantiles of the whole data in a collective call, and does it again
whenever the set of workers changes. Here they come from a weighted sample of rows, column by
column; `Cuts.reference` is a tiny matrix (at most `max_bin` rows) whose sketch gives exactly these
cuts back, so that `QuantileDMatrix(shards, ref=reference)` needs no communication and bins the
same anywhere. A row sample alone would lose rare values, so each column adds its extremes and, if
it has few distinct values, every one that the sample missed.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway_ext.xgb_ray.data.shards import Block, Shard
from gateway_ext.xgb_ray.data.vectors import scipy_indexed

if TYPE_CHECKING:
    import pyarrow as pa
    import xgboost as xgb

SAMPLES_PER_BIN = 512
SAMPLE_BYTES = 256 << 20


@dataclass(frozen=True)
class Sample:
    """Sampled rows of a shard: matrices as in its blocks.

    `picked` are matrices with the user's weight of each row (None: all alike), `rare` those with
    what the picked rows miss, where NaN or a gap stands for nothing. `scale` is how many rows of
    the shard a picked row stands for, `whole` whether all were picked.
    """

    picked: tuple[tuple[Any, np.ndarray | None], ...]
    rare: tuple[Any, ...] = ()
    scale: float = 1.0
    whole: bool = False


@dataclass(frozen=True)
class Cuts:
    """The cuts of every column, as `QuantileDMatrix.get_quantile_cut` gives them.

    `indptr` (features + 1,), `values`: for each column its lower bound, then its cuts.
    """

    indptr: np.ndarray
    values: np.ndarray
    max_bin: int

    def reference(self) -> np.ndarray:
        """A float32 matrix (rows, features) whose sketch has these cuts.

        The last cut of a column is dropped: XGBoost puts one beyond the largest value anyway,
        and whatever is above the last but one is in the last bin.
        """
        widths = np.maximum(np.diff(self.indptr) - 1, 1)
        out = np.full((int(widths.max(initial=1)), len(widths)), np.nan, dtype=np.float32)
        for column, (start, width) in enumerate(zip(self.indptr, widths, strict=False)):
            if self.indptr[column + 1] > start:
                out[:width, column] = self.values[start : start + width]
        return out


def join_cuts(parts: Sequence[Cuts]) -> Cuts:
    """Cuts of column ranges, in order, as the cuts of all columns."""
    offsets = np.cumsum([0, *(p.indptr[-1] for p in parts)])
    indptr = np.concatenate(
        [[0], *(p.indptr[1:] + o for p, o in zip(parts, offsets, strict=False))]
    )
    return Cuts(indptr, np.concatenate([p.values for p in parts]), parts[0].max_bin)


def sample_fraction(rows: int, features: int, max_bin: int, wanted: int | None = None) -> float:
    """The share of rows to sample: enough for the bins, and never more than fits in memory."""
    if wanted is None:
        by_memory = SAMPLE_BYTES // (4 * max(features, 1))
        wanted = min(SAMPLES_PER_BIN * max_bin, max(by_memory, 32 * max_bin))
    return min(1.0, wanted / max(rows, 1))


def sample_shard(shard: Shard, fraction: float, seed: int, max_bin: int) -> Sample:
    """A sample of a shard's rows, with what a sample would miss."""
    if shard.blocks and not shard.blocks[0].matrix.shape[1]:
        # Nothing but null vectors.
        return Sample((), whole=True)
    if fraction >= 1.0:
        whole = ((_for_scipy(b.matrix), b.take(shard.weight)) for b in shard.blocks)
        return Sample(tuple(whole), whole=True)
    rng = np.random.default_rng(seed)
    picked: list[tuple[Any, np.ndarray | None]] = []
    rare = []
    for block in shard.blocks:
        table = hasattr(block.matrix, "num_rows")
        rows = block.matrix.num_rows if table else block.matrix.shape[0]
        weights = block.take(shard.weight)
        count = min(rows, max(1, round(rows * fraction)))
        chosen = np.sort(rng.choice(rows, count, replace=False))
        some = block.matrix.take(chosen) if table else _for_scipy(block.matrix)[chosen]
        picked.append((some, None if weights is None else weights[chosen]))
        extra = _rare_values(block, some, max_bin)
        if extra is not None:
            rare.append(extra)
    return Sample(tuple(picked), tuple(rare), 1 / fraction)


def _for_scipy(matrix: Any) -> Any:
    return scipy_indexed(matrix) if hasattr(matrix, "indptr") else matrix


def _rare_values(block: Block, picked: Any, max_bin: int) -> Any:
    """Values that the sampled rows miss, one column at a time, as rows with gaps elsewhere."""
    if hasattr(block.matrix, "indptr"):
        return _rare_in_sparse(block.matrix, max_bin)
    columns = _dense_columns(block.matrix)
    sampled = _dense_columns(picked)
    found = [_rare_in_column(c, s, max_bin) for c, s in zip(columns, sampled, strict=True)]
    rows = max((len(f) for f in found), default=0)
    if rows == 0:
        return None
    out = np.full((rows, len(found)), np.nan, dtype=np.float32)
    for i, values in enumerate(found):
        out[: len(values), i] = values
    return out


def _dense_columns(matrix: Any) -> list[np.ndarray]:
    if isinstance(matrix, np.ndarray):
        return [matrix[:, i] for i in range(matrix.shape[1])]
    return [_column_values(c) for c in matrix.columns]


def _column_values(column: pa.ChunkedArray) -> np.ndarray:
    """A column as numbers, null as NaN (a dictionary by its codes)."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if pa.types.is_dictionary(column.type):
        # Categories have cuts of their own, made from all categories, not from the sample.
        return np.empty(0, dtype=np.float32)
    if column.null_count:
        column = pc.fill_null(column.cast(pa.float32(), safe=False), float("nan"))
    return column.to_numpy()


def _rare_in_column(values: np.ndarray, sampled: np.ndarray, max_bin: int) -> np.ndarray:
    if len(values) == 0:
        return values
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    if np.isnan(low):
        return np.empty(0, dtype=np.float32)
    ends = np.array([low, high], dtype=np.float32)
    head = np.unique(sampled[: 8 * max_bin])
    if len(head) > max_bin:
        return ends
    known = np.unique(sampled)
    known = known[~np.isnan(known)]
    if len(known) > max_bin:
        return ends
    if len(known) == 0:
        rest = values
    else:
        at = np.minimum(np.searchsorted(known, values), len(known) - 1)
        rest = values[known[at] != values]
    rest = np.unique(rest[~np.isnan(rest)]).astype(np.float32)
    if len(rest) > max_bin:
        rest = rest[np.linspace(0, len(rest) - 1, max_bin).astype(int)]
    return np.concatenate([ends, rest])


def _rare_in_sparse(matrix: Any, max_bin: int) -> Any:
    """For columns of few distinct values all of them, for others the extremes, as CSR rows."""
    import scipy.sparse as sp

    if matrix.nnz == 0:
        return None
    # Column and value in one integer that sorts like the pair: one fast sort instead of a loop
    # over what may be thousands of columns.
    bits = matrix.data.view(np.uint32)
    ordered = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
    keys = (matrix.indices.astype(np.uint64) << np.uint64(32)) | ordered
    # Not `np.unique`, which hashes: twenty times as slow here.
    keys.sort()
    keys = keys[np.concatenate([[True], keys[1:] != keys[:-1]])]
    column = (keys >> np.uint64(32)).astype(np.int64)
    back = keys.astype(np.uint32)
    bits = np.where(back >> 31, back & np.uint32(0x7FFFFFFF), ~back)
    value = bits.astype(np.uint32).view(np.float32)
    starts = np.flatnonzero(np.concatenate([[True], column[1:] != column[:-1]]))
    counts = np.diff(np.concatenate([starts, [len(column)]]))
    rank = np.arange(len(column)) - np.repeat(starts, counts)
    total = np.repeat(counts, counts)
    keep = (total <= max_bin) | (rank == 0) | (rank == total - 1)
    row = np.where((total > max_bin) & (rank > 0), 1, rank)[keep]
    shape = (int(row.max()) + 1, matrix.shape[1])
    return sp.csr_matrix((value[keep], (row, column[keep])), shape=shape, dtype=np.float32)


def make_cuts(
    samples: Sequence[Sample],
    start: int,
    stop: int,
    *,
    max_bin: int,
    missing: float,
    nthread: int,
    categories: Sequence[int] = (),
) -> Cuts:
    """The cuts of columns [start, stop) from samples.

    Args:
        categories: for each of all columns the number of its categories, 0 for a number; may be
            empty if there are none.
    """
    weighted = any(w is not None for s in samples for _, w in s.picked)
    if weighted or all(s.whole for s in samples):
        cuts = _sketched(samples, start, stop, max_bin=max_bin, missing=missing, nthread=nthread)
    else:
        cuts = _quantiles(samples, start, stop, max_bin=max_bin, missing=missing)
    cards = list(categories[start:stop])
    return _with_categories(cuts, cards) if any(cards) else cuts


def _sketched(
    samples: Sequence[Sample], start: int, stop: int, *, max_bin: int, missing: float, nthread: int
) -> Cuts:
    """The cuts of XGBoost's own sketch: with all rows, exactly those of one process."""
    import xgboost as xgb

    parts: list[tuple[Any, np.ndarray | None]] = []
    for sample in samples:
        weights = [w for _, w in sample.picked if w is not None]
        for matrix, weight in sample.picked:
            parts.append((matrix, None if weight is None else weight * np.float32(sample.scale)))
        for matrix in sample.rare:
            mean = float(np.concatenate(weights).mean()) if weights else 1.0
            parts.append((matrix, np.full(matrix.shape[0], mean or 1.0, dtype=np.float32)))

    class Parts(xgb.DataIter):
        def __init__(self) -> None:
            self.at = 0
            super().__init__()

        def reset(self) -> None:
            self.at = 0

        def next(self, input_data: Any) -> bool:
            if self.at == len(parts):
                return False
            matrix, weight = parts[self.at]
            self.at += 1
            data = _column_range(matrix, start, stop)
            if weight is None:
                input_data(data=data)
            else:
                input_data(data=data, weight=weight)
            return True

    matrix = xgb.QuantileDMatrix(Parts(), max_bin=max_bin, missing=missing, nthread=nthread)
    return cuts_of(matrix, max_bin)


def _quantiles(
    samples: Sequence[Sample], start: int, stop: int, *, max_bin: int, missing: float
) -> Cuts:
    """Exact quantiles of rows without weights, by sorting: a twentieth of the sketch's time."""
    picked = [_by_column(m, start, stop) for s in samples for m, _ in s.picked]
    rare = [_by_column(m, start, stop) for s in samples for m in s.rare]
    columns = []
    for i in range(stop - start):
        values, more = (
            np.concatenate([part[i] for part in parts]) if parts else np.empty(0, np.float32)
            for parts in (picked, rare)
        )
        columns.append(
            column_cuts(
                values[~np.isnan(values) & (values != missing)],
                more[~np.isnan(more) & (more != missing)],
                max_bin,
            )
        )
    indptr = np.concatenate([[0], np.cumsum([len(c) for c in columns])])
    return Cuts(indptr, np.concatenate(columns), max_bin)


def column_cuts(values: np.ndarray, rare: np.ndarray, max_bin: int) -> np.ndarray:
    """The lower bound and the cuts of one column.

    Args:
        values: its sampled values, without gaps.
        rare: others that are in the data; those that the sample missed, extremes among them.

    Returns:
        Every value, if there are at most `max_bin`; otherwise as many quantiles. The last is
        beyond all. Empty if there is no value.
    """
    everything = np.concatenate([values, rare])
    if len(everything) == 0:
        return everything
    values = np.sort(values)
    first = np.ones(len(values), dtype=bool)
    np.not_equal(values[1:], values[:-1], out=first[1:])
    if first.sum() <= max_bin:
        # All of the sampled: then the rare ones are all that it missed.
        values = np.union1d(values[first], rare)
    if len(values) > max_bin:
        inner = values[np.arange(1, max_bin) * len(values) // max_bin]
        values = np.unique(np.append(inner, everything.min()))
    end = everything.max()
    return np.append(values, end + np.abs(end) + 1e-5).astype(np.float32)


def _by_column(matrix: Any, start: int, stop: int) -> list[np.ndarray]:
    """The values of each of the columns [start, stop); of a sparse matrix those that it holds."""
    if hasattr(matrix, "indptr"):
        by_column = matrix[:, start:stop].tocsc()
        edges = itertools.pairwise(by_column.indptr)
        return [by_column.data[a:b] for a, b in edges]
    return _dense_columns(matrix)[start:stop]


def _with_categories(cuts: Cuts, cards: Sequence[int]) -> Cuts:
    """Columns of categories get one bin a category, whatever the sample held."""
    pieces = []
    for i, card in enumerate(cards):
        if card:
            # A lower bound that no code reaches, then the codes; the last stands for "beyond".
            pieces.append(np.concatenate([np.arange(card), [card]]).astype(np.float32))
        else:
            pieces.append(cuts.values[cuts.indptr[i] : cuts.indptr[i + 1]])
    indptr = np.concatenate([[0], np.cumsum([len(p) for p in pieces])])
    return Cuts(indptr, np.concatenate(pieces), cuts.max_bin)


def _column_range(matrix: Any, start: int, stop: int) -> Any:
    if isinstance(matrix, np.ndarray) or hasattr(matrix, "indptr"):
        return matrix if (start, stop) == (0, matrix.shape[1]) else matrix[:, start:stop]
    import pyarrow as pa

    table = matrix.select(range(start, stop))
    numbers = [
        pa.nulls(len(c), pa.float32()) if pa.types.is_dictionary(c.type) else c
        for c in (col.combine_chunks() for col in table.columns)
    ]
    return pa.table(dict(zip(table.column_names, numbers, strict=True)))


def cuts_of(matrix: xgb.QuantileDMatrix, max_bin: int) -> Cuts:
    """The cuts that a matrix was built with (after a collective sketch, of the whole data)."""
    indptr, values = matrix.get_quantile_cut()
    indptr = indptr.astype(np.int64)
    # Since XGBoost 3.3 a column's lower bound is -inf, which no matrix takes; any number below
    # the first cut says the same.
    bounds = np.flatnonzero(np.isneginf(values))
    if len(bounds):
        first = values[bounds + 1]
        values = values.copy()
        values[bounds] = first - (np.abs(first) + np.float32(1e-5))
    return Cuts(indptr, values, max_bin)
