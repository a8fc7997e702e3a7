"""Bins from a sample: the same as XGBoost's own, everywhere, and without losing rare values."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import scipy.sparse as sp
import xgboost as xgb
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway_ext.xgb_ray.data.cuts import (
    Cuts,
    column_cuts,
    join_cuts,
    make_cuts,
    sample_fraction,
    sample_shard,
)
from gateway_ext.xgb_ray.data.matrix import Layout, build_matrix, make_reference
from gateway_ext.xgb_ray.data.shards import Block, Shard

BINS = 64


def shards_of(matrix: np.ndarray, parts: int, weight: np.ndarray | None = None) -> list[Shard]:
    out = []
    for rows in np.array_split(np.arange(len(matrix)), parts):
        columns = {f"f{i}": matrix[rows, i].copy() for i in range(matrix.shape[1])}
        part = None if weight is None else weight[rows]
        out.append(Shard((Block(pa.table(columns)),), len(rows), weight=part))
    return out


def cuts_from(shards: Sequence[Shard], features: int, fraction: float) -> Cuts:
    samples = [sample_shard(s, fraction, i, BINS) for i, s in enumerate(shards)]
    edges = [0, features // 2, features]
    return join_cuts(
        [
            make_cuts(samples, a, b, max_bin=BINS, missing=np.nan, nthread=1)
            for a, b in itertools.pairwise(edges)
        ]
    )


def rebuilt(cuts: Cuts, shards: Sequence[Shard], features: int) -> xgb.QuantileDMatrix:
    names = tuple(f"f{i}" for i in range(features))
    layout = Layout(features, names, max_bin=BINS)
    reference = make_reference(cuts, layout, 1)
    return build_matrix([lambda s=s: s for s in shards], layout, nthread=1, reference=reference)


def test_whole_data_gives_the_bins_and_the_model_of_one_process() -> None:
    rng = np.random.default_rng(0)
    data = rng.standard_normal((3000, 6)).astype("f4")
    data[:, 1] = rng.integers(0, 9, 3000)
    data[rng.random((3000, 6)) < 0.1] = np.nan
    data[:, 5] = np.nan
    label = (np.nan_to_num(data[:, 0]) > 0).astype("f4")
    shards = [
        Shard(s.blocks, s.rows, label=label[i * 1000 : (i + 1) * 1000, None])
        for i, s in enumerate(shards_of(data, 3))
    ]
    ours = rebuilt(cuts_from(shards, 6, 1.0), shards, 6)
    plain = xgb.QuantileDMatrix(data, label, max_bin=BINS, feature_names=ours.feature_names)
    params = {"objective": "binary:logistic", "nthread": 1, "max_bin": BINS}
    models = []
    for matrix in (ours, plain):
        booster = xgb.Booster(params, [matrix])
        for i in range(4):
            booster.update(matrix, i)
        models.append(booster.get_dump())
    assert models[0] == models[1]


def test_rare_values_have_bins_of_their_own() -> None:
    rng = np.random.default_rng(1)
    data = np.zeros((40_000, 4), dtype="f4")
    data[:, 0] = rng.integers(0, 5, 40_000)
    data[[17, 39_000], 0] = 99  # 2 rows in 40,000
    data[:, 1] = rng.standard_normal(40_000)
    data[5, 1] = 50
    data[:, 2] = np.nan
    data[123, 2] = 3.0  # one value in all
    cuts = cuts_from(shards_of(data, 4), 4, 0.02)
    column = [cuts.values[a:b] for a, b in zip(cuts.indptr, cuts.indptr[1:], strict=False)]
    assert np.any((column[0] > 4) & (column[0] <= 99))
    assert column[1].max() > 50
    assert np.any(np.isclose(column[2], 3.0)) or column[2].max() > 3.0
    assert len(column[1]) > BINS // 2


@settings(deadline=None)
@given(
    st.lists(st.integers(-40, 40), max_size=60),
    st.lists(st.integers(-40, 40), max_size=9, unique=True),
    st.integers(2, 30),
)
def test_cuts_of_a_column(sampled: list[int], missed: list[int], bins: int) -> None:
    values, rare = np.array(sampled, dtype="f4"), np.array(missed, dtype="f4")
    cuts = column_cuts(values, rare, bins)
    everything = np.unique(np.concatenate([values, rare]))
    if len(everything) == 0:
        assert len(cuts) == 0
        return
    assert (np.diff(cuts) > 0).all()
    assert cuts[0] == everything[0]
    assert cuts[-1] > everything[-1]
    assert len(cuts) - 1 <= bins
    if len(everything) <= bins:
        np.testing.assert_array_equal(cuts[:-1], everything)
    elif len(np.unique(values)) > bins:
        # No bin has more than its share and one value.
        held = np.histogram(values, np.append(cuts[:-1], np.inf))[0]
        most = np.unique(values, return_counts=True)[1].max()
        assert held.max() <= -(-len(values) // bins) + most


def test_weights_shift_the_bins() -> None:
    rng = np.random.default_rng(2)
    data = rng.random((20_000, 2)).astype("f4")
    weight = np.where(data[:, 0] < 0.1, 100.0, 1.0).astype("f4")
    cuts = cuts_from(shards_of(data, 4, weight), 2, 0.25)
    first = cuts.values[: cuts.indptr[1]]
    # The tenth of the rows with nearly all of the weight gets most of the bins.
    assert (first < 0.1).mean() > 0.7


def test_ten_thousand_sparse_columns_split_as_well_as_with_all_rows() -> None:
    rng = np.random.default_rng(3)
    rows, columns = 6000, 10_000
    data = sp.random(rows, columns, density=0.002, format="csr", dtype="f4", random_state=3)
    signal = (
        data[:, :40].sum(axis=1).A1
        if hasattr(data, "A1")
        else np.asarray(data[:, :40].sum(axis=1)).ravel()
    )
    label = (signal + 0.01 * rng.standard_normal(rows) > 0.02).astype("f4")
    data = sp.csr_matrix(data)
    shards = [
        Shard(
            (Block(data[i * 2000 : (i + 1) * 2000]),),
            2000,
            label=label[i * 2000 : (i + 1) * 2000, None],
        )
        for i in range(3)
    ]
    layout = Layout(columns, max_bin=BINS)
    scores = []
    for fraction in (0.1, 1.0):
        samples = [sample_shard(s, fraction, i, BINS) for i, s in enumerate(shards)]
        cuts = make_cuts(samples, 0, columns, max_bin=BINS, missing=np.nan, nthread=2)
        matrix = build_matrix(
            [lambda s=s: s for s in shards],
            layout,
            nthread=2,
            reference=make_reference(cuts, layout, 2),
        )
        booster = xgb.train(
            {"objective": "binary:logistic", "eval_metric": "auc", "nthread": 2, "max_bin": BINS},
            matrix,
            5,
        )
        scores.append(float(booster.eval(matrix).split(":")[-1]))
    assert scores[0] > 0.6
    assert scores[0] >= scores[1] - 0.005


def test_a_sample_is_bounded_by_memory() -> None:
    assert sample_fraction(1000, 10, 256) == 1.0
    assert 0.12 < sample_fraction(1_000_000, 50, 256) < 0.14
    wide = sample_fraction(10_000_000, 100_000, 256)
    assert wide * 10_000_000 == 32 * 256
    assert sample_fraction(1000, 10, 256, wanted=100) == 0.1
