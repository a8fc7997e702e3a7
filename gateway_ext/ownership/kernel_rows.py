"""The rows of kernels: how they are read, and the one way in which their state, owner and epoch
change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, select, update

from gateway_ext.ownership.resolution import KernelRecord
from gateway_ext.ownership.states import KernelState, check_transition
from gateway_ext.ownership.tables import kernel

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
    )
]


def record_of(row: Row[Any]) -> KernelRecord:
    values = dict(row._mapping)
    values["state"] = KernelState(values["state"])
    return KernelRecord(**values)


def read_record(connection: Connection, kernel_id: str) -> KernelRecord | None:
    row = connection.execute(select(*PUBLIC).where(kernel.c.kernel_id == kernel_id)).first()
    return None if row is None else record_of(row)


def hold(
    connection: Connection, *conditions: ColumnElement[bool]
) -> list[tuple[str, int, KernelState]]:
    """(kernel_id, epoch, state) of kernels, locked against others until the transaction ends."""
    rows = connection.execute(
        select(kernel.c.kernel_id, kernel.c.epoch, kernel.c.state)
        .where(*conditions)
        .order_by(kernel.c.kernel_id)
        .with_for_update()
    )
    return [(row.kernel_id, row.epoch, KernelState(row.state)) for row in rows]


def change(
    connection: Connection,
    held: tuple[str, int, KernelState],
    target: KernelState,
    values: Mapping[str, Any],
) -> bool:
    """Takes a kernel that is as in `held` to the state `target`, with other values; False if it is
    not any more. Raises IllegalTransition."""
    kernel_id, epoch, state = held
    check_transition(state, target)
    changed = connection.execute(
        update(kernel)
        .where(
            kernel.c.kernel_id == kernel_id,
            kernel.c.epoch == epoch,
            kernel.c.state == state.value,
        )
        .values(state=target.value, **values)
    ).rowcount
    return bool(changed)


def values_of_deleted(epoch: int, now: datetime, owner: str | None) -> dict[str, Any]:
    """The other values of a kernel that gets deleted; `owner` is the gateway that ends what ran,
    None if nothing is left to be ended."""
    return {
        "execution_state": "dead",
        "owner": owner,
        "epoch": epoch,
        "connections": 0,
        # What a launch needs holds people's secrets: it goes at once. The agent's key stays, to
        # prove to the agent that its kernel is deleted.
        "launch": "",
        "changed": now,
    }


def stored_key(connection: Connection, kernel_id: str) -> str | None:
    """The key of the kernel's agent, encrypted; None if the record has been removed."""
    return connection.execute(
        select(kernel.c.agent_key).where(kernel.c.kernel_id == kernel_id)
    ).scalar_one_or_none()
