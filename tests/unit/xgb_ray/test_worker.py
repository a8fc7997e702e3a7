"""A worker, in worlds of its own."""

from __future__ import annotations

import pytest

from gateway_ext.xgb_ray.worker import worker
from gateway_ext.xgb_ray.worker.worker import RankAssignment, Worker


def test_an_older_world_does_not_take_the_place_of_a_newer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "_end_with_the_node", lambda: None)
    one = Worker(1)
    newer = [RankAssignment(2, 0, 1)]
    assert one.join(newer)
    held = one._joined(newer)
    assert not one.join([RankAssignment(1, 0, 1)])
    assert one._joined(newer) is held
