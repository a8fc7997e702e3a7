"""Shards put together."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from gateway_ext.xgb_ray.shards import Block, Shard, join_shards


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
