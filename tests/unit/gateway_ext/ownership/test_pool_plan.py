"""How many kernels wait in pools, which of them end, and which one is claimed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway_ext.ownership.pool_plan import (
    FIRST_PAUSE,
    LONGEST_PAUSE,
    Candidate,
    ClaimStep,
    PoolMember,
    WantedPool,
    left_of_claim,
    members_to_claim,
    plan_pools,
)
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
POOL = WantedPool("small", "python", 2)


def member(
    kernel_id: str,
    state: KernelState = KernelState.RUNNING,
    *,
    shape: str = "small",
    name: str = "python",
    here: bool = True,
    silent: bool = False,
    age: float = 100.0,
    changed: float = 50.0,
) -> PoolMember:
    return PoolMember(
        kernel_id,
        name,
        shape,
        state,
        here,
        silent,
        NOW - timedelta(seconds=age),
        NOW - timedelta(seconds=changed),
    )


def test_a_pool_is_filled_to_its_size() -> None:
    assert plan_pools([POOL], [], limit=10, now=NOW).start == [POOL, POOL]
    launching = member("a", KernelState.LAUNCHING)
    assert plan_pools([POOL], [launching], limit=10, now=NOW).start == [POOL]
    plan = plan_pools([POOL], [launching, member("b")], limit=10, now=NOW)
    assert (plan.start, plan.end) == ([], {})


def test_those_of_other_gateways_count_too() -> None:
    others = [member("a", here=False), member("b", KernelState.LAUNCHING, here=False)]
    assert plan_pools([POOL], others, limit=10, now=NOW).start == []


def test_all_pools_together_stay_below_the_limit() -> None:
    big = WantedPool("big", "python", 5)
    plan = plan_pools([POOL, big], [], limit=4, now=NOW)
    assert plan.start == [POOL, POOL, big, big]
    assert plan_pools([POOL, big], [], limit=0, now=NOW).start == []
    # What is being ended is still there.
    ending = [member(f"e{n}", KernelState.DELETED) for n in range(3)]
    assert plan_pools([POOL, big], ending, limit=4, now=NOW).start == [POOL]


def test_a_lower_limit_ends_what_is_too_much_and_first_what_is_not_ready() -> None:
    ready = [member("a", age=1.0), member("b", age=2.0)]
    plan = plan_pools([POOL], [member("c", KernelState.LAUNCHING), *ready], limit=1, now=NOW)
    assert set(plan.end) == {"c", "a"}
    assert not plan.start


def test_a_smaller_pool_keeps_those_that_are_ready_and_the_oldest() -> None:
    one = WantedPool("small", "python", 1)
    members = [member("new", age=1.0), member("old"), member("starts", KernelState.LAUNCHING)]
    assert set(plan_pools([one], members, limit=10, now=NOW).end) == {"new", "starts"}


def test_kernels_of_a_shape_that_nobody_wants_are_replaced() -> None:
    plan = plan_pools([POOL], [member("a", shape="before")], limit=10, now=NOW)
    assert list(plan.end) == ["a"]
    assert plan.start == [POOL, POOL]


def test_no_gateway_ends_what_is_another_one_s() -> None:
    others = [member(f"o{n}", shape="theirs", here=False) for n in range(3)]
    plan = plan_pools([POOL], others, limit=10, now=NOW)
    assert plan.end == {}
    assert plan.start == [POOL, POOL]


def test_of_a_kernelspec_that_cannot_be_read_nothing_is_started_or_ended() -> None:
    members = [member("a", shape="before")]
    plan = plan_pools([POOL], members, limit=10, unsure={"python"}, now=NOW)
    assert (plan.start, plan.end) == ([], {})


def test_a_kernel_of_a_pool_whose_agent_does_not_wait_is_replaced() -> None:
    members = [member("a"), member("b"), member("c", here=False)]
    plan = plan_pools([POOL], members, limit=10, not_waiting={"a", "c"}, now=NOW)
    assert list(plan.end) == ["a"]
    alone = plan_pools([POOL], members[:1], limit=10, not_waiting={"a"}, now=NOW)
    assert alone.start == [POOL, POOL]


def test_a_silent_kernel_is_replaced() -> None:
    plan = plan_pools([POOL], [member("a", silent=True), member("b")], limit=10, now=NOW)
    assert list(plan.end) == ["a"]
    assert plan.start == [POOL]


@pytest.mark.parametrize("failures", [1, 2, 4, 20])
def test_after_failures_it_waits_longer_each_time(failures: int) -> None:
    pause = min(FIRST_PAUSE * 2 ** (failures - 1), LONGEST_PAUSE).total_seconds()

    def started(since_last: float) -> int:
        dead = [
            member(f"d{n}", KernelState.DEAD, changed=since_last + n / 100) for n in range(failures)
        ]
        return len(plan_pools([POOL], dead, limit=10, now=NOW).start)

    assert started(pause - 1) == 0
    assert started(pause + 1) == 2


def test_while_every_start_fails_the_pause_grows_to_the_longest_and_stays_there() -> None:
    failed: list[PoolMember] = []
    pauses: list[timedelta] = []
    now = last = NOW
    while len(failed) < 12:
        if plan_pools([POOL], failed, limit=10, now=now).start:
            pauses.append(now - last)
            # The start itself takes its time until it fails.
            now += timedelta(seconds=90)
            failed.append(replace(member("d", KernelState.DEAD), changed=now))
            last = now
        now += timedelta(seconds=5)
    assert pauses == sorted(pauses)
    assert pauses[-5:] == [LONGEST_PAUSE] * 5


def test_failures_long_ago_do_not_make_the_pause_longer() -> None:
    dead = [member(f"d{n}", KernelState.DEAD, changed=20 + n * 3600) for n in range(9)]
    assert len(plan_pools([POOL], dead, limit=10, now=NOW).start) == 2


def test_failures_of_another_shape_are_no_reason_to_wait() -> None:
    dead = member("d", KernelState.DEAD, shape="before", changed=1.0)
    assert len(plan_pools([POOL], [dead], limit=10, now=NOW).start) == 2


def test_the_oldest_kernel_of_the_same_shape_that_is_ready_is_claimed() -> None:
    def candidate(
        name: str, shape: str = "small", *, ready: bool = True, age: int = 1
    ) -> Candidate:
        return Candidate(name, shape, ready, NOW - timedelta(seconds=age))

    candidates = [
        candidate("new"),
        candidate("old", age=9),
        candidate("other", "big", age=20),
        candidate("not ready", ready=False, age=30),
    ]
    assert members_to_claim("small", candidates) == ["old", "new"]
    assert members_to_claim("huge", candidates) == []


RECORD = sample_record(
    KernelState.LAUNCHING,
    process={"proxy": "p", "kernel_id": "member"},
    launch_id="member",
    now=NOW,
)


def test_what_is_left_of_a_claim_is_done_in_its_order() -> None:
    both = left_of_claim(RECORD, agent_waits=True)
    assert both == [ClaimStep.TELL_AGENT, ClaimStep.LABEL]
    assert left_of_claim(RECORD, agent_waits=False) == [ClaimStep.LABEL]
    labeled = replace(RECORD, process={"proxy": "p", "kernel_id": "k"})
    assert left_of_claim(labeled, agent_waits=True) == [ClaimStep.TELL_AGENT]
    assert left_of_claim(labeled, agent_waits=False) == []


def test_nothing_is_left_of_a_claim_where_there_was_none() -> None:
    waiting = replace(RECORD, kernel_id="member", launch_id=None, pool="small")
    cold = replace(RECORD, launch_id=None, process={"proxy": "p", "kernel_id": "k"})
    for record in (waiting, cold, replace(cold, process=None)):
        assert left_of_claim(record, agent_waits=True) == []
