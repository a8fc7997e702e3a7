"""Which launches go on at another gateway when their own has ended."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.lifecycle.abandoned_launches import (
    MOST_LOST,
    is_taken_over,
    why_not_again,
)
from gateway_ext.ownership.launch_status import (
    LaunchPhase,
    LaunchStatus,
    begun_again,
    begun_status,
)
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 2, tzinfo=UTC)
QUEUED = begun_status(NOW)
SCHEDULING = QUEUED.after(LaunchPhase.SCHEDULING, "", None, NOW)
STARTING = QUEUED.after(LaunchPhase.STARTING, "", None, NOW)
LOCAL, CLUSTER = SimpleNamespace(FOUND_BY_NAME=False), SimpleNamespace(FOUND_BY_NAME=True)


@pytest.mark.parametrize(
    ("state", "status", "proxy", "taken"),
    [
        (KernelState.LAUNCHING, QUEUED, None, True),
        # In a cluster, which was not asked yet.
        (KernelState.LAUNCHING, SCHEDULING, None, True),
        # Its agent may run, and connects then.
        (KernelState.LAUNCHING, STARTING, None, False),
        # A gateway of the version before.
        (KernelState.LAUNCHING, None, None, False),
        (KernelState.LAUNCHING, STARTING, LOCAL, False),
        (KernelState.LAUNCHING, STARTING, CLUSTER, True),
        (KernelState.LAUNCHING, None, CLUSTER, True),
        # Failed: what is left of it is ended.
        (KernelState.LAUNCHING, replace(STARTING, given_up="no"), LOCAL, True),
        (KernelState.LAUNCHING, replace(QUEUED, given_up="no"), None, False),
        (KernelState.RUNNING, None, CLUSTER, False),
        (KernelState.DELETED, None, CLUSTER, False),
        (KernelState.DEAD, None, CLUSTER, False),
    ],
)
def test_which_launches_are_taken_over(
    state: KernelState, status: LaunchStatus | None, proxy: Any, taken: bool
) -> None:
    record: Any = SimpleNamespace(state=state, launch_status=status)
    assert is_taken_over(record, proxy) is taken


def test_a_launch_begins_again_until_it_has_ended_with_several_gateways() -> None:
    status = STARTING
    for lost in range(1, MOST_LOST + 1):
        assert why_not_again(sample_record(KernelState.LAUNCHING, launch_status=status)) == ""
        # However often it waits in a queue of a gateway that ends, that is not counted.
        status = begun_again(begun_again(status, NOW), NOW).after(LaunchPhase.STARTING, "", 1, NOW)
        assert status.lost == lost
    reason = why_not_again(sample_record(KernelState.LAUNCHING, launch_status=status))
    assert reason == "the gateway ended before it had started the kernel"


def test_a_launch_that_was_given_up_or_is_for_a_pool_does_not_begin_again() -> None:
    given_up = replace(STARTING, given_up="no room")
    record = sample_record(KernelState.LAUNCHING, launch_status=given_up)
    assert why_not_again(record) == "no room"
    pooled = sample_record(KernelState.LAUNCHING, launch_status=STARTING, pool="shape")
    assert "ended before" in why_not_again(pooled)
    # A gateway of the version before has written nothing of it.
    assert "ended before" in why_not_again(sample_record(KernelState.LAUNCHING))
