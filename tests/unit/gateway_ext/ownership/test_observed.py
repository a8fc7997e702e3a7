"""What becomes of a record by what a kernel's owner saw."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway_ext.ownership.kernel_events import NewEvent
from gateway_ext.ownership.kernel_rows import Held
from gateway_ext.ownership.observations import Observation, observed
from gateway_ext.ownership.states import KernelState

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SEEN = Observation("k", 7, None, "busy", 2, NOW, "out of memory")


def test_an_agent_that_has_not_reported_a_process_keeps_state_and_reason() -> None:
    change = observed(Held("k", 7, KernelState.LAUNCHING), SEEN, NOW)
    assert change.state is KernelState.LAUNCHING
    assert change.events == []
    assert change.values == {
        "execution_state": "busy",
        "connections": 2,
        "last_activity": NOW,
        "changed": NOW,
    }


@pytest.mark.parametrize(
    ("before", "seen", "ended", "events"),
    [
        (KernelState.RUNNING, KernelState.RUNNING, (), []),
        (KernelState.LAUNCHING, KernelState.RUNNING, (), [("running", "out of memory")]),
        (KernelState.RUNNING, KernelState.DEAD, (), [("dead", "out of memory")]),
        # It ended and was started again between two observations.
        (KernelState.RUNNING, KernelState.RUNNING, ("killed",), [("restarting", "killed")]),
        (
            KernelState.RESTARTING,
            KernelState.RUNNING,
            ("killed",),
            [("restarting", "killed"), ("running", "out of memory")],
        ),
        # The new state says the last one already.
        (
            KernelState.RUNNING,
            KernelState.RESTARTING,
            ("killed",),
            [("restarting", "out of memory")],
        ),
        (
            KernelState.RUNNING,
            KernelState.RESTARTING,
            ("killed", "exit 3"),
            [("restarting", "killed"), ("restarting", "out of memory")],
        ),
        # Of a kernel that is not started again any more each restart is told of.
        (
            KernelState.RESTARTING,
            KernelState.DEAD,
            ("killed", "exit 3"),
            [("restarting", "killed"), ("restarting", "exit 3"), ("dead", "out of memory")],
        ),
    ],
)
def test_each_change_and_each_end_is_one_event(
    before: KernelState, seen: KernelState, ended: tuple[str, ...], events: list[tuple[str, str]]
) -> None:
    change = observed(Held("k", 7, before), replace(SEEN, state=seen, ended=ended), NOW)
    assert change.state is seen
    assert change.events == [NewEvent(event, detail=detail) for event, detail in events]
    assert change.values["reason"] == "out of memory"
