"""One shard of a data set: rows decoded once, in the form that XGBoost reads fastest.

Scalar columns stay an Arrow table of contiguous 32-bit columns (measured at two thirds of the CPU
of a dense matrix in QuantileDMatrix); Spark vectors become CSR and dense blocks. A shard lives in
the object store and every pass over it is free of copies. CSR matrices have column numbers of as
few bytes as possible (`vectors.narrowed`), which together with the values are most of a shard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway_ext.xgb_ray.data.columns import Columns
from gateway_ext.xgb_ray.data.vectors import (
    Vectors,
    drop_zeros,
    feature_names,
    narrowed,
    read_vectors,
    scipy_indexed,
    to_dense,
)
from gateway_ext.xgb_ray.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Block:
    """A matrix and the positions of its rows in the shard (None: all rows in order)."""

    matrix: Any  # a pyarrow Table, a narrowed CSR matrix or a NumPy array, each (rows, features)
    rows: np.ndarray | None = None

    def take(self, values: np.ndarray | None) -> np.ndarray | None:
        """Those of a per-row array of the shard that belong to this block's rows."""
        if values is None or self.rows is None:
            return values
        return values[self.rows]


@dataclass(frozen=True)
class Shard:
    """Features in blocks; the rest as arrays over the shard's rows.

    Shapes: `label` (rows, targets) or None, `weight` (rows,), `qid` (rows,) int64, `margin`
    (rows, columns).
    """

    blocks: tuple[Block, ...]
    rows: int
    label: np.ndarray | None = None
    weight: np.ndarray | None = None
    qid: np.ndarray | None = None
    margin: np.ndarray | None = None


@dataclass(frozen=True)
class ShardFacts:
    """What the driver has to know of a shard without fetching it.

    `kinds` are the kinds of Spark vectors seen ("sparse", "dense"), `categories` the distinct
    values of each categorical column.
    """

    rows: int
    features: int
    nbytes: int
    names: tuple[str, ...] | None = None
    kinds: frozenset[str] = frozenset()
    categories: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    first_qid: int | None = None
    last_qid: int | None = None


def make_shard(table: pa.Table, columns: Columns, where: str) -> tuple[Shard, ShardFacts]:
    """Decode the rows of a table.

    Args:
        columns: resolved against this table's schema.
        where: the file and rows, for errors.

    Raises:
        DataError: a label, weight, qid or margin is null or not finite; a vector is malformed.
    """
    label = _numbers(table, columns.label, "label", where)
    weight = _numbers(table, [columns.weight] if columns.weight else [], "weight", where)
    if weight is not None:
        weight = weight[:, 0]
        if (weight < 0).any():
            raise DataError(f"weight column {columns.weight!r} has negative values in {where}")
    margin = _numbers(table, columns.base_margin, "base margin", where)
    qid = _group_ids(table, columns.qid, where)

    kinds: set[str] = set()
    categories: dict[str, tuple[Any, ...]] = {}
    names: Sequence[str] | None = columns.features
    if columns.vector is not None:
        vectors = read_vectors(table.column(columns.vector), columns.vector)
        kinds = _kinds(vectors)
        blocks = _vector_blocks(vectors, columns)
        features = vectors.size
        names = feature_names(table.schema.field(columns.vector), table.schema, features)
    else:
        features = len(columns.features or ())
        matrix, categories = _compact(table, columns, where)
        blocks = (Block(matrix),)
    shard = Shard(blocks, table.num_rows, label, weight, qid, margin)
    facts = replace(
        describe(shard),
        features=features,
        names=None if names is None else tuple(names),
        kinds=frozenset(kinds),
        categories=categories,
    )
    return shard, facts


def describe(shard: Shard) -> ShardFacts:
    """The facts that follow from a shard itself."""
    qid = shard.qid
    matrix = shard.blocks[0].matrix if shard.blocks else None
    features = 0
    if matrix is not None:
        features = matrix.num_columns if hasattr(matrix, "num_columns") else matrix.shape[1]
    return ShardFacts(
        rows=shard.rows,
        features=features,
        nbytes=_size(shard),
        first_qid=int(qid[0]) if qid is not None and len(qid) else None,
        last_qid=int(qid[-1]) if qid is not None and len(qid) else None,
    )


def leading(shard: Shard, group: int | None) -> int:
    """How many rows at the head of a shard belong to a ranking group."""
    if shard.qid is None:
        return 0
    other = np.flatnonzero(shard.qid != group)
    return int(other[0]) if len(other) else shard.rows


def _kinds(vectors: Vectors) -> set[str]:
    kinds = set()
    if len(vectors.sparse_rows) > len(vectors.null_rows):
        kinds.add("sparse")
    if len(vectors.dense_rows):
        kinds.add("dense")
    return kinds


def _vector_blocks(vectors: Vectors, columns: Columns) -> tuple[Block, ...]:
    """Blocks under the meaning of a gap that the user chose.

    Rows are reordered by kind, which costs no scatter of values, unless a ranking needs its
    groups kept together. Where every vector is null they are a CSR matrix without columns, as
    nothing here tells how many there are: see `widened`.
    """
    only_null = len(vectors.sparse_rows) == len(vectors.null_rows)
    if vectors.size and (columns.densify or (only_null and len(vectors.dense_rows))):
        return (Block(to_dense(vectors)),)
    if columns.missing == 0.0 and columns.qid is not None:
        return (Block(narrowed(drop_zeros(vectors))),)
    blocks = []
    both = len(vectors.dense_rows) > 0 and len(vectors.sparse_rows) > 0
    if vectors.sparse is not None and len(vectors.sparse_rows):
        blocks.append(Block(narrowed(vectors.sparse), vectors.sparse_rows if both else None))
    if vectors.dense is not None and len(vectors.dense_rows):
        blocks.append(Block(vectors.dense, vectors.dense_rows if both else None))
    return tuple(blocks)


def _numbers(table: pa.Table, names: Sequence[str], what: str, where: str) -> np.ndarray | None:
    """Columns that must be whole and finite, as float32 (rows, columns)."""
    import pyarrow as pa

    if not names:
        return None
    out = np.empty((table.num_rows, len(names)), dtype=np.float32)
    for i, name in enumerate(names):
        column = table.column(name)
        if column.null_count:
            raise DataError(
                f"{what} column {name!r} has {column.null_count} nulls in {where}: "
                "drop or fill those rows first"
            )
        out[:, i] = column.cast(pa.float32(), safe=False).to_numpy()
        if not np.isfinite(out[:, i]).all():
            bad = int((~np.isfinite(out[:, i])).sum())
            raise DataError(f"{what} column {name!r} has {bad} NaN or infinite values in {where}")
    return out


def _group_ids(table: pa.Table, name: str | None, where: str) -> np.ndarray | None:
    import pyarrow as pa

    if name is None:
        return None
    column = table.column(name)
    if column.null_count or not pa.types.is_integer(column.type):
        raise DataError(f"qid column {name!r} must hold integers without nulls ({where})")
    ids = column.cast(pa.int64()).to_numpy()
    check_groups(ids, name, where)
    return ids


def check_groups(ids: np.ndarray, column: str | None, where: str) -> None:
    """Raises `DataError` unless the rows of each ranking group, (rows,), follow each other."""
    if len(ids) and 1 + int((ids[1:] != ids[:-1]).sum()) != len(np.unique(ids)):
        raise DataError(
            f"rows of a group of column {column!r} do not follow each other in {where}: "
            f"sort the data by {column!r}"
        )


def _compact(
    table: pa.Table, columns: Columns, where: str
) -> tuple[pa.Table, dict[str, tuple[Any, ...]]]:
    """Feature columns as contiguous numbers of at most 32 bits; categories as dictionaries."""
    import pyarrow as pa
    import pyarrow.compute as pc

    arrays: list[pa.Array] = []
    categories: dict[str, tuple[Any, ...]] = {}
    features = columns.features or ()
    narrow = {pa.int8(), pa.uint8(), pa.int16(), pa.uint16(), pa.int32(), pa.float32()}
    for name in features:
        column = table.column(name)
        if name in columns.categorical:
            if pa.types.is_dictionary(column.type):
                column = column.cast(column.type.value_type)
            encoded = column.combine_chunks().dictionary_encode()
            array = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
            categories[name] = tuple(array.dictionary.drop_null().to_pylist())
        else:
            if column.type not in narrow:
                column = column.cast(pa.float32(), safe=False)
            array = column.combine_chunks()
            if isinstance(array, pa.ChunkedArray):
                array = pa.concat_arrays(array.chunks)
            if pa.types.is_floating(array.type) and pc.any(pc.is_inf(array)).as_py():
                raise DataError(f"column {name!r} has infinite values in {where}")
        arrays.append(array)
    return pa.table(dict(zip(features, arrays, strict=True))), categories


def _size(shard: Shard) -> int:
    total = 0
    for block in shard.blocks:
        matrix = block.matrix
        if hasattr(matrix, "indptr"):
            total += matrix.data.nbytes + matrix.indices.nbytes + matrix.indptr.nbytes
        else:
            total += matrix.nbytes
    for extra in (shard.label, shard.weight, shard.qid, shard.margin):
        total += 0 if extra is None else extra.nbytes
    return total


def join_shards(shards: Sequence[Shard]) -> Shard:
    """Shards of one data set, put after each other (each must have one block)."""
    import pyarrow as pa
    import scipy.sparse as sp

    matrices = [s.blocks[0].matrix for s in shards]
    if isinstance(matrices[0], pa.Table):
        whole: Any = pa.concat_tables(matrices, promote_options="permissive").combine_chunks()
    elif all(isinstance(m, np.ndarray) for m in matrices):
        whole = np.concatenate(matrices)
    else:
        features = max(m.shape[1] for m in matrices)
        every = [_with_every_cell(widened(m, features)) for m in matrices]
        whole = narrowed(sp.vstack(every, format="csr"))

    def joined(name: str) -> np.ndarray | None:
        parts = [getattr(s, name) for s in shards]
        return None if parts[0] is None else np.concatenate(parts)

    return Shard(
        (Block(whole),),
        sum(s.rows for s in shards),
        joined("label"),
        joined("weight"),
        joined("qid"),
        joined("margin"),
    )


def widened(matrix: Any, features: int) -> Any:
    """A matrix of null vectors only, which has no columns, with all of them; others as they are."""
    import scipy.sparse as sp

    if not hasattr(matrix, "indptr") or matrix.shape[1]:
        return matrix
    return sp.csr_matrix((matrix.shape[0], features), dtype=np.float32)


def _with_every_cell(matrix: Any) -> Any:
    """A dense matrix as CSR that holds its zeros too, a CSR matrix as SciPy wants it."""
    import scipy.sparse as sp

    if not isinstance(matrix, np.ndarray):
        return scipy_indexed(matrix)
    rows, columns = matrix.shape
    indices = np.tile(np.arange(columns, dtype=np.int32), rows)
    indptr = np.arange(0, rows * columns + 1, columns or 1)[: rows + 1]
    return sp.csr_matrix((matrix.ravel(), indices, indptr), shape=matrix.shape)


def slice_shard(shard: Shard, start: int, stop: int) -> Shard:
    """Rows [start, stop) of a shard with one block, as a shard of its own."""

    def part(values: np.ndarray | None) -> np.ndarray | None:
        return None if values is None else values[start:stop]

    matrix: Any = shard.blocks[0].matrix
    if hasattr(matrix, "slice"):
        rows = matrix.slice(start, stop - start)
    elif hasattr(matrix, "indptr"):
        rows = narrowed(scipy_indexed(matrix)[start:stop])
    else:
        rows = matrix[start:stop]
    return Shard(
        (Block(rows),),
        stop - start,
        part(shard.label),
        part(shard.weight),
        part(shard.qid),
        part(shard.margin),
    )
