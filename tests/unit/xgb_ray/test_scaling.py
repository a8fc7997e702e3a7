"""With how many workers a training goes on."""

from __future__ import annotations

from gateway_ext.xgb_ray.scaling import ElasticScaling, Pace, WaitingScaling, Workforce


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
