"""Shards put together."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp
import xgboost as xgb

from gateway_ext.xgb_ray.data.cuts import sample_shard
from gateway_ext.xgb_ray.data.shards import Block, Shard, join_shards, slice_shard
from gateway_ext.xgb_ray.data.vectors import narrowed


def test_dense_and_sparse_rows_of_one_ranking_group_keep_every_cell() -> None:
    dense = np.array([[1, 0, 2], [0, np.nan, 3]], dtype=np.float32)
    sparse = sp.csr_matrix(np.array([[0, 5, 0]], dtype=np.float32))
    for blocks in ((dense, sparse), (sparse, dense)):
        joined = join_shards([Shard((Block(b),), b.shape[0]) for b in blocks])
        matrix = joined.blocks[0].matrix
        assert joined.rows == 3
        # Written zeros are there, gaps are not.
        assert matrix.nnz == dense.size + 1
        whole = np.vstack([b if isinstance(b, np.ndarray) else b.toarray() for b in blocks])
        np.testing.assert_array_equal(matrix.toarray(), whole)


@pytest.mark.parametrize(("columns", "kind"), [(256, "u1"), (257, "u2"), (70_000, "i4")])
def test_narrow_column_numbers_mean_the_same(columns: int, kind: str) -> None:
    wide = sp.random(60, columns, density=0.05, format="lil", dtype="f4", random_state=1)
    wide[:, columns - 1] = 7
    whole = wide.tocsr()
    block = Block(narrowed(whole))
    assert block.matrix.indices.dtype == kind
    np.testing.assert_array_equal(xgb.DMatrix(block.matrix).get_data().indices, whole.indices)
    shard = Shard((block,), 60)
    parts = [slice_shard(shard, 0, 25), slice_shard(shard, 25, 60)]
    joined = join_shards(parts).blocks[0].matrix
    for matrix in (joined, *(p.blocks[0].matrix for p in parts)):
        assert matrix.indices.dtype == kind
    np.testing.assert_array_equal(xgb.DMatrix(joined).get_data().toarray(), whole.toarray())
    picked, _ = sample_shard(shard, 1.0, 0, 16).picked[0]
    np.testing.assert_array_equal(picked.toarray(), whole.toarray())
    some, _ = sample_shard(shard, 0.5, 0, 16).picked[0]
    assert some.shape == (30, columns)
