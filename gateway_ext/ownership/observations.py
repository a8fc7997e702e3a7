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
    why its process has ended by itself and was started again since the last observation, for each
    time."""

    kernel_id: str
    epoch: int
    state: KernelState | None
    execution_state: str
    connections: int
    last_activity: datetime
    reason: str
    ended: tuple[str, ...] = ()


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
    # Those for which it was started again too quickly for the record to say so.
    missed = seen.ended[:-1] if is_news and state is KernelState.RESTARTING else seen.ended
    events = [NewEvent(KernelState.RESTARTING.value, detail=reason) for reason in missed]
    if is_news:
        events.append(NewEvent(state.value, detail=seen.reason))
    return Transition(state, values, events)
