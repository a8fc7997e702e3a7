"""Whom a kernel's agent is sent to."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from gateway_ext.ownership.resolution import (
    CullRules,
    KernelRecord,
    Member,
    cull_time,
    in_order_of,
    is_lost,
    living_owner,
    targets_for_handover,
)
from gateway_ext.ownership.states import KernelState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def record(owner: str | None) -> KernelRecord:
    return KernelRecord(
        kernel_id="id",
        project="demo",
        path="",
        username="ada",
        kernel_name="python",
        state=KernelState.RUNNING,
        owner=owner,
        epoch=1,
        process=None,
        execution_state="idle",
        connections=0,
        last_activity=NOW,
        created=NOW,
        changed=NOW,
        reason="",
    )


def member(name: str, kernels: int, *, draining: bool = False) -> Member:
    return Member(name, f"http://{name}", draining, kernels)


def test_loads_end_up_even() -> None:
    members = [member("a", 7), member("b", 3), member("c", 0), member("d", 0, draining=True)]
    targets = targets_for_handover(7, members, "a")
    first = [urls[0] for urls in targets]
    assert first.count("http://b") == 2
    assert first.count("http://c") == 5
    # The second choice is the other one that stays: neither the leaving one nor one that drains.
    assert all(sorted(urls) == ["http://b", "http://c"] for urls in targets)


def test_nobody_stays() -> None:
    members = [member("a", 2), member("b", 0, draining=True)]
    assert targets_for_handover(2, members, "a") == [[], []]


def test_an_owner_that_is_not_alive_is_none() -> None:
    members = [member("a", 1), member("b", 1)]
    assert living_owner(record("b"), members) == members[1]
    assert living_owner(record("c"), members) is None
    assert living_owner(record(None), members) is None


def test_a_kernel_is_lost_after_a_while() -> None:
    lost = timedelta(seconds=30)
    assert not is_lost(record(None), NOW + timedelta(seconds=30), lost)
    assert is_lost(record(None), NOW + timedelta(seconds=31), lost)


def test_each_kernel_has_its_own_next_gateway() -> None:
    urls = [f"http://{name}" for name in "abc"]
    kernels = [str(number) for number in range(300)]
    first = [in_order_of(kernel_id, urls)[0] for kernel_id in kernels]
    assert all(70 < first.count(url) < 130 for url in urls)
    assert first == [in_order_of(kernel_id, reversed(urls))[0] for kernel_id in kernels]
    # One gateway less: only its own kernels go elsewhere, and to both of the others.
    left = [in_order_of(kernel_id, urls[:2])[0] for kernel_id in kernels]
    moved = [(old, new) for old, new in zip(first, left, strict=True) if old != new]
    assert {old for old, _ in moved} == {"http://c"}
    assert {new for _, new in moved} == {"http://a", "http://b"}


@pytest.mark.parametrize(
    ("connections", "execution_state", "rules", "seconds"),
    [
        (0, "idle", CullRules(60, connected=False, busy=False), 60),
        (1, "idle", CullRules(60, connected=False, busy=False), None),
        (0, "busy", CullRules(60, connected=False, busy=False), None),
        (0, "dead", CullRules(60, connected=False, busy=False), 60),
        (1, "idle", CullRules(60, connected=True, busy=False), 60),
        (0, "busy", CullRules(60, connected=False, busy=True), 60),
        (0, "idle", CullRules(0, connected=True, busy=True), None),
    ],
)
def test_when_a_kernel_is_culled(
    connections: int, execution_state: str, rules: CullRules, seconds: float | None
) -> None:
    expected = None if seconds is None else NOW + timedelta(seconds=seconds)
    assert cull_time(NOW, connections, execution_state, rules) == expected


def test_nobody_s_kernel_is_culled_without_a_warning() -> None:
    # Gateways that were away while kernels were idle.
    begun = NOW + timedelta(hours=5)
    rules = CullRules(3600, connected=True, busy=False, warning_seconds=600, begun=begun)
    assert cull_time(NOW, 1, "idle", rules) == begun + timedelta(minutes=10)
    assert cull_time(NOW, 0, "idle", rules) == NOW + timedelta(hours=1)
    assert cull_time(begun, 1, "idle", rules) == begun + timedelta(hours=1)
    assert replace(rules, idle_seconds=60).warning == timedelta(seconds=30)
