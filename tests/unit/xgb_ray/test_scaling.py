"""With how many workers a training goes on."""

from __future__ import annotations

from gateway_ext.xgb_ray.training.scaling import ElasticScaling, Pace, WaitingScaling, Workforce


def test_elastic_begins_with_survivors_but_not_with_one_of_many_newcomers() -> None:
    policy = ElasticScaling()
    assert policy.may_begin(Workforce(4, ready=3, holding=3, starting=1), overdue=False)
    assert policy.may_begin(Workforce(4, ready=1, holding=1, starting=3), overdue=False)
    assert policy.may_begin(Workforce(4, ready=1, holding=0, starting=0), overdue=False)
    for starting in (1, 3):
        force = Workforce(4, ready=1, holding=0, starting=starting)
        assert not policy.may_begin(force, overdue=False)
    assert policy.may_begin(Workforce(4, ready=1, holding=0, starting=3), overdue=True)
    assert not policy.may_begin(Workforce(4, ready=0, holding=0, starting=0), overdue=True)
    few = ElasticScaling(min_workers=3)
    assert not few.may_begin(Workforce(4, ready=2, holding=2, starting=2), overdue=False)


def test_waiting_begins_with_everyone() -> None:
    policy = WaitingScaling()
    assert not policy.may_begin(Workforce(4, 3, 3, 1), overdue=True)
    assert policy.may_begin(Workforce(4, 4, 3, 0), overdue=False)
    assert not policy.may_grow(Pace(100, 1.0, 0.1, gain=0.5))


def test_growing_must_pay() -> None:
    policy = ElasticScaling()
    assert policy.may_grow(Pace(10, 0.1, 9.0, gain=0.5))  # saves 0.5 s
    assert not policy.may_grow(Pace(4, 0.1, 0.0, gain=0.5))  # saves what the pause costs
    assert not policy.may_grow(Pace(3, 0.1, 0.0, gain=0.5))
    assert not policy.may_grow(Pace(100, 0.1, 0.0, gain=0))


def test_a_replacement_must_save_more_than_it_takes_to_come_up() -> None:
    policy = ElasticScaling(min_workers=2)
    three = Workforce(4, ready=3, holding=3, starting=0)
    assert policy.may_replace(three, Pace(100, 0.1, 4.9, gain=0.5))  # saves 5 s
    assert policy.may_replace(three, Pace(10, 1.0, 4.9, gain=0.5))
    for slow in (Pace(100, 0.1, 5.1, gain=0.5), Pace(100, 0.1, 5.0, gain=0.5)):
        for holding, ready in ((3, 3), (2, 2), (1, 2)):
            force = Workforce(4, ready=ready, holding=holding, starting=0)
            assert not policy.may_replace(force, slow)
    # Not while survivors come together, nor before it is known how fast they are.
    assert not policy.may_replace(three, None)
    assert not policy.may_replace(three, Pace(100, 0.0, 1.0, gain=0.5))
    # Nobody is left who could go on, or too few.
    assert policy.may_replace(Workforce(4, ready=0, holding=0, starting=0), None)
    assert policy.may_replace(Workforce(4, ready=1, holding=1, starting=0), None)
    assert WaitingScaling().may_replace(three, None)
