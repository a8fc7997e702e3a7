"""What the owner of a kernel sees of it, and what that changes in its record."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gateway_ext.ownership.kernel_events import NewEvent
from gateway_ext.ownership.kernel_rows import Held, Transition
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.stored_text import stored_text


@dataclass(frozen=True)
class Observation:
    """What an owner saw of a kernel, written only if the epoch is still the owner's. `ended` is
    why its process has ended by itself since the last observation, even if it runs again."""

    kernel_id: str
    epoch: int
    state: KernelState | None
    execution_state: str
    connections: int
    last_activity: datetime
    reason: str
    ended: str = ""


def observed(held: Held, seen: Observation, now: datetime) -> Transition:
    """The change of a kernel that follows from its owner's observation."""
    values: dict[str, Any] = {
        "execution_state": seen.execution_state,
        "connections": seen.connections,
        "last_activity": seen.last_activity,
        "changed": now,
    }
    if seen.state is not None:
        values["reason"] = stored_text(seen.reason)
    state = seen.state or held.state
    is_news = state is not held.state
    events = []
    if seen.ended and not (is_news and state is not KernelState.RUNNING):
        # It was started again too quickly for the record to say so.
        events.append(NewEvent(KernelState.RESTARTING.value, detail=seen.ended))
    if is_news:
        events.append(NewEvent(state.value, detail=seen.reason))
    return Transition(state, values, events)
