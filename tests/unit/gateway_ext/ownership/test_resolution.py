"""Whom a kernel's agent is sent to."""

from datetime import UTC, datetime, timedelta

from gateway_ext.ownership.resolution import (
    KernelRecord,
    Member,
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
