"""A kernel's record for tests that need one."""

from datetime import UTC, datetime
from typing import Any

from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def sample_record(
    state: KernelState = KernelState.RUNNING, *, now: datetime = NOW, **changes: Any
) -> KernelRecord:
    """The record of ada's kernel `k` in the project `demo`, owned by gateway `a` with epoch 7, as
    of `now`; `changes` are other values of its fields."""
    idle = "starting" if state is KernelState.LAUNCHING else "idle"
    values: dict[str, Any] = {
        "kernel_id": "k",
        "project": "demo",
        "path": "",
        "username": "ada",
        "kernel_name": "python",
        "state": state,
        "owner": "a",
        "epoch": 7,
        "process": None,
        "execution_state": "dead" if state is KernelState.DEAD else idle,
        "connections": 0,
        "last_activity": now,
        "created": now,
        "changed": now,
        "reason": "",
    }
    return KernelRecord(**values | changes)
