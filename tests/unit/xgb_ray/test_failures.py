"""How many failures a training survives."""

from __future__ import annotations

from gateway_ext.xgb_ray.training.failures import FailurePolicy


def test_failures() -> None:
    assert FailurePolicy(2).may_go_on(2)
    assert not FailurePolicy(2).may_go_on(3)
    assert FailurePolicy(0).may_go_on(0)
    assert not FailurePolicy(0).may_go_on(1)
    assert FailurePolicy(-1).may_go_on(1000)
