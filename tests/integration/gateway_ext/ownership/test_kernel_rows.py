"""How the rows of kernels change, on SQLite and MariaDB."""

import asyncio
from datetime import timedelta

from sqlalchemy import event

from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import Database
from tests.integration.gateway_ext.ownership.new_kernels import KEY, launched, observation


def test_every_change_of_a_kernel_is_conditional_and_leaves_an_event(
    database: Database, records: KernelRecords
) -> None:
    statements: list[str] = []

    def look(connection, cursor, statement, *others):  # type: ignore[no-untyped-def]
        if statement.startswith("UPDATE fleet_kernel SET"):
            statements.append(statement)

    async def run() -> list[str]:
        kernel_id = await launched(records)
        claim = await records.claim(kernel_id, KEY, 0)
        assert claim is not None
        for state in (
            KernelState.RUNNING,
            KernelState.RUNNING,
            KernelState.RESTARTING,
            KernelState.RUNNING,
            KernelState.DEAD,
        ):
            await records.observe([observation(kernel_id, claim.epoch, state)])
        assert await records.set_dead(kernel_id, claim.epoch, "its agent has ended")
        dead = await records.get(kernel_id)
        assert dead is not None
        assert await records.launch_again(dead, KEY, "bob")
        assert await records.delete(kernel_id, "eve")
        other = await launched(records)
        assert await records.set_dead(other, 1, "no such program")
        await Leftovers(database, "gateway-a").forget(
            deleted=timedelta(days=1), dead=timedelta(days=-1)
        )
        forgotten = await records.get(other)
        assert forgotten is not None
        assert forgotten.state is KernelState.DELETED
        events = await KernelEvents(database, "gateway-a").of(kernel_id)
        return [f"{e.event} {e.username}".strip() for e in events]

    event.listen(database.engine, "before_cursor_execute", look)
    events = asyncio.run(run())
    # Running was reported twice and happened once.
    assert events == [
        "launch ada",
        "claim",
        "running",
        "restarting",
        "running",
        "dead",
        "dead",
        "launch bob",
        "delete eve",
    ]
    assert len(statements) == 11
    for statement in statements:
        assignments, condition = statement.split(" WHERE ")
        assert "state=" in assignments
        for column in ("kernel_id", "epoch", "state"):
            assert f"fleet_kernel.{column} =" in condition, statement
