"""What a search takes for better."""

from __future__ import annotations

import pytest

from gateway_ext.xgb_ray.tuning.search import _mode_of


@pytest.mark.parametrize(
    ("metric", "mode"),
    [
        ("test-auc", "max"),
        ("test-ndcg@5", "max"),
        ("test-map", "max"),
        ("test-mape", "min"),
        ("test-rmse", "min"),
    ],
)
def test_which_way_metrics_are_compared(metric: str, mode: str) -> None:
    assert _mode_of(metric) == mode
