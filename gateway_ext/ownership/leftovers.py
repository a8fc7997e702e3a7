"""Finds what dead gateways left behind, and removes rows that are no longer needed."""

from datetime import timedelta

from sqlalchemy import ColumnElement, Connection, delete, select

from gateway_ext.ownership.kernel_events import NewEvent
from gateway_ext.ownership.kernel_rows import PUBLIC, deletion, record_of, transition
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import former_agent, gateway, kernel, kernel_event
from jupyter_ext.database.engine import Database, now_utc

_WITH_AGENT = (KernelState.LAUNCHING, KernelState.RUNNING, KernelState.RESTARTING)


class Leftovers:
    """What the gateway called `name` cleans up without being asked.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def orphans(self, dead_for: timedelta) -> list[KernelRecord]:
        """Kernels that should have an agent, that have not been heard of for this long, and whose
        owner has been dead for this long or is this gateway."""
        with_agent = kernel.c.state.in_([state.value for state in _WITH_AGENT])
        dead_with_agent = (kernel.c.state == KernelState.DEAD.value) & kernel.c.owner.is_not(None)
        return await self._unattended(with_agent | dead_with_agent, dead_for)

    async def unended(self, dead_for: timedelta) -> list[KernelRecord]:
        """Deleted kernels of which something may be left, because the gateway that deleted them has
        been dead for this long, or is this one and could not end everything."""
        unended = (kernel.c.state == KernelState.DELETED.value) & kernel.c.owner.is_not(None)
        return await self._unattended(unended, dead_for)

    async def not_ended(self) -> list[KernelRecord]:
        """All deleted kernels of which something may be left, whoever will remove it."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            deleted = kernel.c.state == KernelState.DELETED.value
            rows = connection.execute(select(*PUBLIC).where(deleted & kernel.c.owner.is_not(None)))
            return [record_of(row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    async def _unattended(
        self, which: ColumnElement[bool], dead_for: timedelta
    ) -> list[KernelRecord]:
        def transaction(connection: Connection) -> list[KernelRecord]:
            now = now_utc(connection)
            living = select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            rows = connection.execute(
                select(*PUBLIC).where(
                    which,
                    kernel.c.changed < now - dead_for,
                    kernel.c.owner.is_(None)
                    | (kernel.c.owner == self._name)
                    | kernel.c.owner.not_in(living),
                )
            )
            return [record_of(row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    async def forget(self, *, deleted: timedelta, dead: timedelta) -> int:
        """Removes the rows of kernels that were deleted, or are dead without an agent, for longer
        than this, and events and former agents of the same age as deleted kernels; the number of
        kernels."""

        def transaction(connection: Connection) -> int:
            now = now_utc(connection)
            for table in (kernel_event, former_agent):
                connection.execute(delete(table).where(table.c.at < now - deleted))
            gone = connection.execute(
                delete(kernel).where(
                    kernel.c.state == KernelState.DELETED.value, kernel.c.changed < now - deleted
                )
            ).rowcount
            # Not removed but marked: their agents, should one come back, must be told.
            event = NewEvent("delete", detail="dead for long")
            transition(
                connection,
                self._name,
                (kernel.c.state == KernelState.DEAD.value)
                & kernel.c.owner.is_(None)
                & (kernel.c.changed < now - dead),
                lambda held, now: deletion(held, now, None, event),
            )
            return gone

        return await self._database.run(transaction)
