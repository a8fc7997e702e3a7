"""The history of kernels."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, insert, select

from gateway_ext.ownership.stored_text import stored_text
from gateway_ext.ownership.tables import kernel_event
from jupyter_ext.database.engine import Database, now_utc


@dataclass(frozen=True)
class KernelEvent:
    """What happened to a kernel. `username` is empty if the fleet did it by itself."""

    at: datetime
    event: str
    username: str
    gateway: str
    detail: str


@dataclass(frozen=True)
class NewEvent:
    """The data of an event, without its kernel, time and gateway."""

    event: str
    username: str = ""
    detail: str = ""


def write_event(
    connection: Connection, now: datetime, kernel_id: str, gateway_name: str, new: NewEvent
) -> None:
    """Adds an event, in the transaction of the change that it describes."""
    connection.execute(
        insert(kernel_event).values(
            kernel_id=kernel_id,
            at=now,
            event=new.event,
            username=new.username,
            gateway=gateway_name,
            detail=stored_text(new.detail),
        )
    )


class KernelEvents:
    """What happened to kernels, as the gateway called `name` writes and reads it.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name

    async def note(self, kernel_id: str, event: str, username: str) -> None:
        """Records an action of a user that does not change the kernel's record."""

        def transaction(connection: Connection) -> None:
            now = now_utc(connection)
            write_event(connection, now, kernel_id, self._name, NewEvent(event, username))

        await self._database.run(transaction)

    async def of(self, kernel_id: str) -> list[KernelEvent]:
        """What happened to a kernel, oldest first, as far back as events are kept."""

        def transaction(connection: Connection) -> list[KernelEvent]:
            rows = connection.execute(
                select(
                    kernel_event.c.at,
                    kernel_event.c.event,
                    kernel_event.c.username,
                    kernel_event.c.gateway,
                    kernel_event.c.detail,
                )
                .where(kernel_event.c.kernel_id == kernel_id)
                .order_by(kernel_event.c.id)
            )
            return [KernelEvent(*row) for row in rows]

        return await self._database.run(transaction, read_only=True)
