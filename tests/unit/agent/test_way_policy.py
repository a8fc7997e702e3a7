"""When a way to the internet that has ended is made again."""

from __future__ import annotations

from gateway_ext.agent.way_policy import LONGEST_PAUSE, STABLE_SECONDS, WayPolicy


def test_the_first_time_at_once_then_less_and_less_often_and_never_not() -> None:
    policy = WayPolicy()
    pauses = [policy.pause(0.1) for _ in range(2000)]
    assert pauses[:8] == [0, 1, 2, 4, 8, 16, 32, 60]
    assert {*pauses[8:]} == {LONGEST_PAUSE}


def test_one_that_has_led_out_for_long_is_made_again_at_once() -> None:
    policy = WayPolicy()
    for _ in range(5):
        policy.pause(0.1)
    assert policy.pause(STABLE_SECONDS) == 0
    assert policy.pause(0.1) == 1
