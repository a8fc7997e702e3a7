"""Spark ML vectors from Arrow, cell by cell."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.xgb_ray.data.vectors import drop_zeros, feature_names, read_vectors, to_dense
from gateway_ext.xgb_ray.errors import DataError

TYPE = pa.struct(
    [
        ("type", pa.int8()),
        ("size", pa.int32()),
        ("indices", pa.list_(pa.int32())),
        ("values", pa.list_(pa.float64())),
    ]
)
SIZE = 5


def sparse(cells: dict[int, float], size: int = SIZE) -> dict[str, Any]:
    at = sorted(cells)
    return {"type": 0, "size": size, "indices": at, "values": [cells[i] for i in at]}


def dense(values: list[float]) -> dict[str, Any]:
    return {"type": 1, "size": None, "indices": None, "values": values}


value = st.sampled_from([0.0, 1.5, -2.0, 7.0])
row = st.one_of(
    st.none(),
    st.dictionaries(st.integers(0, SIZE - 1), value).map(sparse),
    st.lists(value, min_size=SIZE, max_size=SIZE).map(dense),
)


def expected(rows: list[dict[str, Any] | None], gap: float) -> np.ndarray:
    out = np.full((len(rows), SIZE), np.nan)
    for i, r in enumerate(rows):
        if r is None:
            continue
        if r["type"] == 1:
            out[i] = r["values"]
        else:
            out[i] = gap
            out[i, r["indices"]] = r["values"]
    return out


@settings(deadline=None)
@given(st.lists(row, min_size=1, max_size=12), st.integers(0, 3), st.integers(0, 3))
def test_cells_with_slices_and_chunks(rows: list[Any], skip: int, cut: int) -> None:
    array = pa.array(rows, TYPE)[min(skip, len(rows) - 1) :]
    shown = rows[min(skip, len(rows) - 1) :]
    cut = min(cut, len(array))
    column = pa.chunked_array([array[:cut], array[cut:]], TYPE)
    vectors = read_vectors(column, "v")
    if all(r is None for r in shown):
        assert vectors.size == 0
        return
    np.testing.assert_array_equal(to_dense(vectors), expected(shown, 0.0).astype("f4"))
    without_zeros = np.nan_to_num(expected(shown, 0.0))
    np.testing.assert_array_equal(drop_zeros(vectors).toarray(), without_zeros.astype("f4"))
    assert (drop_zeros(vectors).data != 0).all()
    if vectors.sparse is not None:
        gaps = expected(shown, np.nan)[vectors.sparse_rows]
        found = np.full(gaps.shape, np.nan)
        coo = vectors.sparse.tocoo()
        found[coo.row, coo.col] = coo.data
        np.testing.assert_array_equal(found, gaps)


def test_different_sizes_are_an_error() -> None:
    with pytest.raises(DataError, match="different sizes"):
        read_vectors(pa.array([sparse({0: 1.0}, 3), dense([1.0, 2.0])], TYPE), "v")


def test_an_index_outside_is_an_error() -> None:
    with pytest.raises(DataError, match="has an index outside its vectors' size 4"):
        read_vectors(pa.array([sparse({4: 1.0}, 4)], TYPE), "v")


def test_names_come_from_spark_metadata() -> None:
    attributes = {"numeric": [{"idx": 1, "name": "b"}, {"idx": 0, "name": "a"}]}
    meta = {"fields": [{"name": "v", "metadata": {"ml_attr": {"attrs": attributes}}}]}
    raw = {b"org.apache.spark.sql.parquet.row.metadata": json.dumps(meta).encode()}
    schema = pa.schema([pa.field("v", TYPE)], metadata=raw)
    assert feature_names(schema.field("v"), schema, 2) == ["a", "b"]
    assert feature_names(schema.field("v"), schema, 3) is None
