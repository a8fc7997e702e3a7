"""Which launches go on at another gateway when their own has ended."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.kernels.lifecycle.abandoned_launches import is_taken_over
from gateway_ext.ownership.launch_status import LaunchPhase, LaunchStatus, begun_status
from gateway_ext.ownership.states import KernelState

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
