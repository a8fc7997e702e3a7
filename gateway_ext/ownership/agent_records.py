"""The agents of kernels, by the ids under which they connect.

That is the kernel's id, or the `launch_id` of a kernel that was taken from a pool.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, null, select, update

from gateway_ext.ownership.kernel_rows import present_launch_id, read_record, stored_key
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import former_agent, kernel
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox


@dataclass(frozen=True)
class KnownAgent:
    """The agent that connects under some id: its key, and whose agent it is."""

    kernel_id: str
    agent_key: bytes


class AgentRecords:
    """What all gateways know of agents.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box

    async def ids(self) -> list[str]:
        """The ids under which the agents of all kernels connect that are not deleted."""

        def transaction(connection: Connection) -> list[str]:
            there = kernel.c.state != KernelState.DELETED.value
            never_claimed = kernel.c.launch_id.is_(None)
            rows = connection.execute(select(kernel.c.kernel_id).where(there, never_claimed))
            claimed = connection.execute(select(*_IDS).where(there, ~never_claimed))
            return [*rows.scalars(), *map(_agent_id, claimed)]

        return await self._database.run(transaction, read_only=True)

    async def find(self, agent_id: str) -> KnownAgent | None:
        """The agent that connects under this id; None if there is none. Raises DecryptionError."""

        def transaction(connection: Connection) -> tuple[str, str] | None:
            columns = select(*_IDS, kernel.c.agent_key)
            # A kernel's id is chosen by a client, a launch id never is: it comes first, whatever
            # the client has seen.
            for which in (kernel.c.launch_id == agent_id, kernel.c.kernel_id == agent_id):
                row = connection.execute(columns.where(which)).first()
                if row is not None and _agent_id(row) == agent_id:
                    return row.kernel_id, row.agent_key
            return None

        stored = await self._database.run(transaction, read_only=True)
        if stored is None:
            return None
        kernel_id, agent_key = stored
        return KnownAgent(kernel_id, self._box.decrypt(agent_key))

    async def is_claimed(self, agent_id: str) -> bool:
        """Whether the agent that connects under this id was taken from a pool."""
        return await self._database.run(
            lambda connection: is_agents_id(connection, agent_id), read_only=True
        )

    async def former_keys(self, agent_id: str) -> list[bytes]:
        """The keys of the agents that must end and connect under this id: their kernels have been
        launched again. Raises DecryptionError."""

        def transaction(connection: Connection) -> list[str]:
            # A gateway of the version before dismisses the agent of a claimed kernel under the
            # kernel's id.
            claimed = select(kernel.c.kernel_id).where(kernel.c.launch_id == agent_id)
            rows = connection.execute(
                select(former_agent.c.agent_key).where(
                    (former_agent.c.kernel_id == agent_id) | former_agent.c.kernel_id.in_(claimed)
                )
            )
            return list(rows.scalars())

        stored = await self._database.run(transaction, read_only=True)
        return [self._box.decrypt(key) for key in stored]


_IDS = (kernel.c.kernel_id, kernel.c.launch_id, kernel.c.process)


def _agent_id(row: Row[*tuple[Any, ...]]) -> str:
    """The id under which the agent connects of the kernel in a row of `_IDS`."""
    agent_id: str = present_launch_id(row.launch_id, row.process) or row.kernel_id
    return agent_id


def is_agents_id(connection: Connection, kernel_id: str) -> bool:
    """Whether the agent of a kernel that was taken from a pool connects under this id."""
    found = connection.execute(select(kernel.c.kernel_id).where(kernel.c.launch_id == kernel_id))
    return found.first() is not None


def drop_former_id(connection: Connection, kernel_id: str) -> None:
    """Drops the launch id of a locked kernel that a gateway of the version before has launched
    again. That one has dismissed the former agent under the kernel's id, which is not its own."""
    row = connection.execute(
        select(*_IDS).where(kernel.c.kernel_id == kernel_id, kernel.c.launch_id.is_not(None))
    ).first()
    if row is None or _agent_id(row) != kernel_id:
        return
    former = select(former_agent.c.agent_key, former_agent.c.at)
    for key, at in connection.execute(former.where(former_agent.c.kernel_id == kernel_id)).all():
        connection.execute(
            insert(former_agent).values(kernel_id=row.launch_id, agent_key=key, at=at)
        )
    connection.execute(
        update(kernel).where(kernel.c.kernel_id == kernel_id).values(launch_id=null())
    )


def dismiss_agent(connection: Connection, kernel_id: str, now: datetime) -> None:
    """Moves the agent of a locked kernel to the former agents, which must end if they live, under
    the id with which it connects."""
    key = stored_key(connection, kernel_id)
    record = read_record(connection, kernel_id)
    agent_id = kernel_id if record is None else record.agent_id
    connection.execute(insert(former_agent).values(kernel_id=agent_id, agent_key=key, at=now))
