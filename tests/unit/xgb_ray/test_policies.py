"""The decisions of a training."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.xgb_ray.policies import (
    ElasticScaling,
    FailurePolicy,
    Pace,
    WaitingScaling,
    Workforce,
    assign,
    spread,
)


def test_elastic_begins_with_survivors_but_not_with_one_of_many_newcomers() -> None:
    policy = ElasticScaling()
    assert policy.may_begin(Workforce(4, ready=3, holding=3, starting=1), overdue=False)
    assert not policy.may_begin(Workforce(4, ready=1, holding=0, starting=3), overdue=False)
    assert policy.may_begin(Workforce(4, ready=1, holding=0, starting=3), overdue=True)
    assert not policy.may_begin(Workforce(4, ready=0, holding=0, starting=0), overdue=True)
    few = ElasticScaling(min_workers=3)
    assert not few.may_begin(Workforce(4, ready=2, holding=2, starting=2), overdue=False)


def test_waiting_begins_with_everyone() -> None:
    policy = WaitingScaling()
    assert not policy.may_begin(Workforce(4, 3, 3, 1), overdue=True)
    assert policy.may_begin(Workforce(4, 4, 3, 0), overdue=False)
    assert not policy.may_grow(Pace(100, 1.0, 0.1, 3), 1)


def test_growing_must_pay() -> None:
    policy = ElasticScaling()
    assert policy.may_grow(Pace(100, 0.1, 1.0, members=3), newcomers=1)  # saves 2.5 s of 10
    assert not policy.may_grow(Pace(10, 0.1, 1.0, members=3), newcomers=1)
    assert not policy.may_grow(Pace(100, 0.1, 1.0, members=3), newcomers=0)


def test_failures() -> None:
    assert FailurePolicy(2).may_go_on(2)
    assert not FailurePolicy(2).may_go_on(3)
    assert FailurePolicy(-1).may_go_on(1000)


rows = st.lists(st.integers(1, 1000), min_size=1, max_size=60)


@given(rows, st.integers(1, 8))
def test_spread_is_even_and_gives_everyone_something(rows: list[int], workers: int) -> None:
    homes = spread(rows, workers)
    load = [sum(r for r, h in zip(rows, homes, strict=True) if h == w) for w in range(workers)]
    assert max(load) - min(load) <= max(rows)
    if len(rows) >= workers:
        assert set(homes) == set(range(workers))


@given(rows, st.integers(1, 8), st.data())
def test_every_shard_has_one_member_and_stays_at_home(
    rows: list[int], workers: int, data: st.DataObject
) -> None:
    homes = spread(rows, workers)
    members = data.draw(st.sets(st.integers(0, workers - 1), min_size=1).map(sorted))
    shares = assign(rows, homes, members)
    assert sorted(i for mine in shares.values() for i in mine) == list(range(len(rows)))
    for shard, home in enumerate(homes):
        if home in members:
            assert shard in shares[home]
