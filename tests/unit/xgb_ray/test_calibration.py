"""Isotonic calibration against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.isotonic import IsotonicRegression

from gateway_ext.xgb_ray.scoring.calibration import (
    Calibration,
    calibrate,
    fit,
    group_bins,
    group_exact,
    merge,
)

probability = st.floats(0, 1, width=32)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(probability, st.integers(0, 1), st.integers(1, 5)), min_size=1))
def test_the_fit_is_that_of_scikit_learn(rows: list[tuple[float, int, int]]) -> None:
    p, y, w = (np.array(c) for c in zip(*rows, strict=True))
    for weight in (None, w.astype(float)):
        model = IsotonicRegression(out_of_bounds="clip").fit(p.astype("f4"), y, weight)
        ours = calibrate(p, y, weight=weight)
        # scikit-learn joins predictions closer than 1e-10 or so; compare where ours are apart.
        if len(ours.x) > 1 and np.diff(ours.x).min() < 1e-6:
            continue
        np.testing.assert_allclose(
            ours.apply(p.astype("f4")), model.predict(p.astype("f4")), atol=1e-5
        )


def test_pieces_merge_to_the_whole() -> None:
    rng = np.random.default_rng(0)
    p = rng.random(5000).astype("f4").round(3)
    y = (rng.random(5000) < p).astype(int)
    whole = group_exact(p, y)
    parts = merge([group_exact(p[i::7], y[i::7]) for i in range(7)])
    for name in ("prediction", "weight", "total"):
        np.testing.assert_allclose(getattr(parts, name), getattr(whole, name))
    weighted = group_exact(p, y, np.ones(5000))
    np.testing.assert_allclose(weighted.total, whole.total)
    binned = fit(group_bins(p, y, None, 1 << 16))
    assert np.abs(binned.apply(p) - fit(whole).apply(p)).max() < 0.02


def test_negative_zero_is_zero() -> None:
    groups = group_exact(np.array([-0.0, 0.0, 0.5], dtype="f4"), np.array([0, 1, 1]))
    assert groups.prediction.tolist() == [0.0, 0.5]
    assert groups.weight.tolist() == [2.0, 1.0]


def test_json_and_back() -> None:
    found = calibrate(np.array([0.1, 0.2, 0.8]), np.array([0, 1, 1]))
    again = Calibration.from_json(found.to_json())
    assert again.apply([0.15]) == pytest.approx(found.apply([0.15]))
    assert again.rows == 3
