"""The rows of kernels: how they are read, and how they change.

Every change of a kernel's state, owner or epoch is one UPDATE in `_change`, conditional on the
kernel, its epoch and its state, so that a gateway that was frozen changes nothing when it wakes;
each leaves an event behind.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, null, select, update

from gateway_ext.ownership.kernel_events import NewEvent, write_event
from gateway_ext.ownership.launch_status import NOT_RUN, stored_status
from gateway_ext.ownership.records import LABELLED_AS, KernelRecord
from gateway_ext.ownership.silence import present_silence, stored_silence
from gateway_ext.ownership.states import KernelState, check_transition
from gateway_ext.ownership.tables import kernel
from jupyter_ext.database.engine import now_utc

PUBLIC = [
    kernel.c[name]
    for name in (
        "kernel_id",
        "project",
        "path",
        "username",
        "kernel_name",
        "state",
        "owner",
        "epoch",
        "process",
        "execution_state",
        "connections",
        "last_activity",
        "created",
        "changed",
        "reason",
        "launch_status",
        "launch_options",
        "silence",
        "launch_id",
        "pool",
        "personal_project",
    )
]


def record_of(row: Row[*tuple[Any, ...]], *others: str) -> KernelRecord:
    """The record in a row of the columns PUBLIC, and `others`."""
    values = {name: value for name, value in row._mapping.items() if name not in others}
    values["state"] = KernelState(values["state"])
    personal_project = values.pop("personal_project")
    values["personal"] = personal_project is not None
    values["project"] = personal_project or values["project"]
    launching = values["state"] is KernelState.LAUNCHING
    values["not_run"] = values["launch_status"] == NOT_RUN
    values["launch_id"] = present_launch_id(values["launch_id"], values["process"])
    # A gateway of the version before leaves the status of an earlier launch behind.
    values["launch_status"] = stored_status(values["launch_status"]) if launching else None
    values["silence"] = present_silence(
        stored_silence(values["silence"]), values["state"], values["owner"], values["epoch"]
    )
    return KernelRecord(**values)


def present_launch_id(launch_id: str | None, process: Mapping[str, Any] | None) -> str | None:
    """The id under which the agent of a claimed kernel connects; None if it is the kernel's. Only
    what a claim has written says whose the labels are: a gateway of the version before launches a
    claimed kernel again with another agent, and leaves the id of the one before behind."""
    return launch_id if process and LABELLED_AS in process else None


def read_record(connection: Connection, kernel_id: str) -> KernelRecord | None:
    """The kernel's record; None if there is none."""
    row = connection.execute(select(*PUBLIC).where(kernel.c.kernel_id == kernel_id)).first()
    return None if row is None else record_of(row)


@dataclass(frozen=True)
class Held:
    """A kernel that is locked against others until the transaction ends."""

    kernel_id: str
    epoch: int
    state: KernelState


@dataclass(frozen=True)
class Transition:
    """A change of a kernel: its state, other values that change, and the events to add."""

    state: KernelState
    values: Mapping[str, Any]
    events: Sequence[NewEvent]


def transition(
    connection: Connection,
    gateway_name: str,
    which: ColumnElement[bool],
    decide: Callable[[Held, datetime], Transition | None],
) -> int:
    """Changes each of the kernels as `decide` says, which is given the database's time too and
    answers None for a kernel that stays as it is. Returns how many were changed.

    Deleted kernels stay as they are. Raises IllegalTransition.
    """
    now = now_utc(connection)
    changed = 0
    for held in _hold(connection, which):
        if held.state is KernelState.DELETED:
            continue
        decided = decide(held, now)
        if decided is None or not _change(connection, held, decided):
            continue
        changed += 1
        for event in decided.events:
            write_event(connection, now, held.kernel_id, gateway_name, event)
    return changed


def _hold(connection: Connection, which: ColumnElement[bool]) -> list[Held]:
    rows = connection.execute(
        select(kernel.c.kernel_id, kernel.c.epoch, kernel.c.state)
        .where(which)
        .order_by(kernel.c.kernel_id)
        .with_for_update()
    )
    return [Held(row.kernel_id, row.epoch, KernelState(row.state)) for row in rows]


def _change(connection: Connection, held: Held, decided: Transition) -> bool:
    """False if the kernel is not as it was held any more."""
    check_transition(held.state, decided.state)
    values = {**decided.values, **_launch_status(held.state, decided.state)}
    values.setdefault("silence", null())
    changed = connection.execute(
        update(kernel)
        .where(
            kernel.c.kernel_id == held.kernel_id,
            kernel.c.epoch == held.epoch,
            kernel.c.state == held.state.value,
        )
        .values(state=decided.state.value, **values)
    ).rowcount
    return bool(changed)


def _launch_status(before: KernelState, after: KernelState) -> dict[str, Any]:
    """What becomes of the column `launch_status`; nothing if that is the decision's to say."""
    if after is KernelState.LAUNCHING:
        return {}
    if after in (KernelState.RESTARTING, KernelState.DEAD):
        if before is KernelState.LAUNCHING:
            return {"launch_status": NOT_RUN}
        if before is not KernelState.RUNNING:
            return {}
    return {"launch_status": null()}


def deletion(held: Held, now: datetime, owner: str | None, event: NewEvent) -> Transition:
    """The end of a kernel; `owner` is the gateway that ends what runs, None if nothing is left to
    end. The epoch rises, so that no owner writes to the record any more."""
    values = {
        "execution_state": "dead",
        "owner": owner,
        "epoch": held.epoch + 1,
        "connections": 0,
        # What a launch needs contains people's secrets and is removed at once. The agent's key
        # stays, to prove to the agent that its kernel is deleted.
        "launch": "",
        "launch_options": null(),
        "changed": now,
    }
    return Transition(KernelState.DELETED, values, [event])


def stored_key(connection: Connection, kernel_id: str) -> str | None:
    """The key of the kernel's agent, encrypted; None if the record has been removed."""
    return connection.execute(
        select(kernel.c.agent_key).where(kernel.c.kernel_id == kernel_id)
    ).scalar_one_or_none()
