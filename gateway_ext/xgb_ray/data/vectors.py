"""Spark ML vectors (`struct<type, size, indices, values>`) from Arrow buffers to matrices.

Spark stores each row either sparse (`type` 0: `size`, `indices`, `values`) or dense (`type` 1:
`values` only) and VectorAssembler chooses row by row. Rows are therefore split by kind, each kind
becoming one matrix without a Python loop: the sparse rows a CSR matrix, the dense rows a dense
one. Nothing is decided here about what a gap in a sparse row means: see `columns.Columns`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gateway_ext.xgb_ray.errors import DataError

if TYPE_CHECKING:
    import pyarrow as pa
    import scipy.sparse as sp

SPARSE, DENSE = 0, 1


@dataclass(frozen=True)
class Vectors:
    """The rows of one vector column.

    `sparse` (CSR, float32, S rows) and `dense` (float32, D rows by `size`) with the row numbers
    of each, ascending, in the column that they came from. A null vector is an empty sparse row,
    listed in `null_rows`.
    """

    size: int
    sparse: sp.csr_matrix | None
    sparse_rows: np.ndarray
    dense: np.ndarray | None
    dense_rows: np.ndarray
    null_rows: np.ndarray

    @property
    def rows(self) -> int:
        return len(self.sparse_rows) + len(self.dense_rows)


def is_vector_type(type_: pa.DataType) -> bool:
    """Whether an Arrow type is that of a Spark ML vector."""
    import pyarrow as pa

    if not pa.types.is_struct(type_):
        return False
    names = {type_.field(i).name for i in range(type_.num_fields)}
    return names == {"type", "size", "indices", "values"}


def feature_names(field: pa.Field, schema: pa.Schema, size: int) -> list[str] | None:
    """The names that VectorAssembler wrote into the column's metadata, or None.

    Spark keeps them as JSON in the file's key-value metadata. Names that XGBoost refuses
    (brackets, `<`) or that do not cover every position are not used.
    """
    raw = (schema.metadata or {}).get(b"org.apache.spark.sql.parquet.row.metadata")
    if raw is None:
        return None
    names: list[str | None] = [None] * size
    for column in json.loads(raw).get("fields", []):
        if column.get("name") != field.name:
            continue
        groups = column.get("metadata", {}).get("ml_attr", {}).get("attrs", {})
        for attribute in (a for group in groups.values() for a in group):
            position = attribute.get("idx", -1)
            if 0 <= position < size:
                names[position] = attribute.get("name")
    whole = [n for n in names if n is not None and not set(n) & set("[]<")]
    return whole if len(whole) == size == len(set(whole)) else None


def read_vectors(column: pa.Array | pa.ChunkedArray, name: str) -> Vectors:
    """Read a vector column.

    Args:
        column: an Arrow struct array of Spark's layout; may be sliced, chunked and have nulls.
        name: what to call the column in errors.

    Raises:
        DataError: sizes differ between rows, an index is out of range, or indices of a row do
            not ascend.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):
            column = pa.concat_arrays(column.chunks) if column.num_chunks else column.chunk(0)
    # A slice of a struct array keeps whole children; `flatten` applies offset and validity.
    fields = {column.type.field(i).name: a for i, a in enumerate(column.flatten())}
    valid = column.is_valid().to_numpy(zero_copy_only=False)
    kind = pc.fill_null(fields["type"], SPARSE).to_numpy(zero_copy_only=False)
    dense_mask = (kind == DENSE) & valid
    dense_rows = np.flatnonzero(dense_mask)
    sparse_rows = np.flatnonzero(~dense_mask)
    null_rows = np.flatnonzero(~valid)

    size = _size_of(fields, dense_rows, sparse_rows, valid, name)
    if len(dense_rows) == 0:
        sparse_lists, dense_lists = (fields["indices"], fields["values"]), None
    elif len(sparse_rows) == 0:
        sparse_lists, dense_lists = None, fields["values"]
    else:
        mask = pa.array(dense_mask)
        sparse_lists = tuple(pc.filter(fields[f], pc.invert(mask)) for f in ("indices", "values"))
        dense_lists = pc.filter(fields["values"], mask)

    dense = None
    if dense_lists is not None:
        flat = dense_lists.flatten().to_numpy(zero_copy_only=False)
        dense = flat.astype(np.float32).reshape(len(dense_rows), size)
    sparse = None
    if sparse_lists is not None:
        sparse = _csr(sparse_lists[0], sparse_lists[1], size, name)
    return Vectors(size, sparse, sparse_rows, dense, dense_rows, null_rows)


def _size_of(
    fields: dict[str, pa.Array],
    dense_rows: np.ndarray,
    sparse_rows: np.ndarray,
    valid: np.ndarray,
    name: str,
) -> int:
    """The one length that all vectors of the column have (0 if every row is null)."""
    import pyarrow.compute as pc

    lengths = pc.fill_null(pc.list_value_length(fields["values"]), 0)
    dense_sizes = lengths.to_numpy(zero_copy_only=False)[dense_rows]
    declared = pc.fill_null(fields["size"], -1).to_numpy(zero_copy_only=False)
    sparse_sizes = declared[sparse_rows][valid[sparse_rows]]
    sizes = np.union1d(np.unique(dense_sizes), np.unique(sparse_sizes))
    if len(sizes) > 1:
        shown = ", ".join(str(int(s)) for s in sizes[:4])
        raise DataError(
            f"column {name!r} has vectors of different sizes ({shown}): "
            "every row must have the same number of features"
        )
    return int(sizes[0]) if len(sizes) else 0


def _csr(indices: pa.Array, values: pa.Array, size: int, name: str) -> sp.csr_matrix:
    """Two list arrays of the same shape as a CSR matrix; null lists are empty rows."""
    import pyarrow.compute as pc
    import scipy.sparse as sp

    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    index_lengths = pc.fill_null(pc.list_value_length(indices), 0).to_numpy(zero_copy_only=False)
    if not np.array_equal(lengths, index_lengths):
        raise DataError(f"column {name!r} has a sparse vector with more values than indices")
    indptr = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=indptr[1:])
    # `flatten` and not `.values`: the latter ignores slices and keeps what is under null lists.
    flat_indices = indices.flatten().to_numpy(zero_copy_only=False)
    flat_values = values.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    if len(flat_indices) and (flat_indices.min() < 0 or flat_indices.max() >= size):
        raise DataError(f"column {name!r} has an index outside its vectors' size {size}")
    if len(flat_values) <= np.iinfo(np.int32).max:
        indptr = indptr.astype(np.int32)
    else:
        # SciPy wants both index arrays of one width.
        flat_indices = flat_indices.astype(np.int64)
    matrix = sp.csr_matrix((len(lengths), size), dtype=np.float32)
    matrix.indptr = indptr
    matrix.indices = flat_indices
    matrix.data = flat_values
    return matrix


def narrowed(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """The same CSR matrix with column numbers of as few bytes as its width needs.

    XGBoost reads them as they are. SciPy's own functions need `scipy_indexed`.
    """
    narrow = np.min_scalar_type(max(matrix.shape[1] - 1, 0))
    if narrow.itemsize >= matrix.indices.itemsize:
        return matrix
    return _with_indices(matrix, matrix.indices.astype(narrow))


def scipy_indexed(matrix: sp.csr_matrix) -> sp.csr_matrix:
    """What `narrowed` was given."""
    return _with_indices(matrix, matrix.indices.astype(matrix.indptr.dtype, copy=False))


def _with_indices(matrix: sp.csr_matrix, indices: np.ndarray) -> sp.csr_matrix:
    import scipy.sparse as sp

    # Not by the constructor, which makes all index arrays of one width.
    other = sp.csr_matrix(matrix.shape, dtype=matrix.dtype)
    other.indptr, other.indices, other.data = matrix.indptr, indices, matrix.data
    return other


def to_dense(vectors: Vectors) -> np.ndarray:
    """All rows as one dense float32 matrix in their order; gaps are 0, null vectors are NaN."""
    out = np.zeros((vectors.rows, vectors.size), dtype=np.float32)
    if vectors.sparse is not None:
        counts = np.diff(vectors.sparse.indptr)
        out[np.repeat(vectors.sparse_rows, counts), vectors.sparse.indices] = vectors.sparse.data
    if vectors.dense is not None:
        if len(vectors.sparse_rows) == 0:
            return vectors.dense
        out[vectors.dense_rows] = vectors.dense
    out[vectors.null_rows] = np.nan
    return out


def drop_zeros(vectors: Vectors) -> sp.csr_matrix:
    """All rows as one CSR matrix in their order, holding what is not 0 (`missing=0.0`)."""
    import scipy.sparse as sp

    blocks, rows = [], []
    if vectors.sparse is not None:
        sparse = vectors.sparse.copy()
        sparse.eliminate_zeros()
        blocks.append(sparse)
        rows.append(vectors.sparse_rows)
    if vectors.dense is not None:
        blocks.append(sp.csr_matrix(vectors.dense))
        rows.append(vectors.dense_rows)
    if not blocks:
        return sp.csr_matrix((0, vectors.size), dtype=np.float32)
    if len(blocks) == 1:
        return blocks[0]
    order = np.argsort(np.concatenate(rows), kind="stable")
    return sp.vstack(blocks, format="csr")[order]
