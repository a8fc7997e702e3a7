"""The records of kernels that wait in pools and belong to nobody."""

import secrets
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.kernel_events import NewEvent, write_event
from gateway_ext.ownership.kernel_records import is_taken
from gateway_ext.ownership.kernel_rows import PUBLIC, read_record, record_of
from gateway_ext.ownership.launch_status import LaunchPhase, begun_status
from gateway_ext.ownership.new_kernel import NewKernel, begun_values, encrypted_launch
from gateway_ext.ownership.pool_plan import PoolMember, PoolPlan, WantedPool
from gateway_ext.ownership.records import LABELLED_AS, KernelRecord
from gateway_ext.ownership.start_limits import NO_LIMITS, Limits, check_limits
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import gateway, kernel, lock
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox

POOL = "pool"
"""The row of `fleet_lock` that a gateway holds while it decides what to start."""


@dataclass(frozen=True)
class Begun:
    """A launch whose record was written, and what it needs beside that."""

    record: KernelRecord
    agent_key: bytes = field(repr=False)
    launch_options: Mapping[str, Any] = field(repr=False)


Decide = Callable[[Sequence[PoolMember], datetime], PoolPlan]


class PoolRecords:
    """The pools of all gateways, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, box: SecretBox, name: str) -> None:
        self._database = database
        self._box = box
        self._name = name

    async def plan(self, decide: Decide, dead_for: timedelta) -> PoolPlan:
        """What `decide` says of the present members; nothing changes. A gateway that has not
        reported for `dead_for` has ended."""

        def transaction(connection: Connection) -> PoolPlan:
            now = now_utc(connection)
            return decide(self._members(connection, now, dead_for), now)

        return await self._database.run(transaction, read_only=True)

    async def start(self, decide: Decide, dead_for: timedelta) -> list[Begun]:
        """Writes the records of the kernels that `decide` wants started, as this gateway's. One
        gateway after the other decides, so that two do not start the same."""

        def transaction(connection: Connection) -> list[Begun]:
            connection.execute(select(lock.c.name).where(lock.c.name == POOL).with_for_update())
            now = now_utc(connection)
            plan = decide(self._members(connection, now, dead_for), now)
            return [self._insert(connection, pool, now) for pool in plan.start]

        return await self._database.run(transaction)

    def _insert(self, connection: Connection, pool: WantedPool, now: datetime) -> Begun:
        new = NewKernel(
            kernel_id=str(uuid.uuid4()),
            project="",
            path="",
            username="",
            kernel_name=pool.kernel_name,
            environment={},
            launch_options=pool.launch_options,
        )
        agent_key = secrets.token_bytes(32)
        connection.execute(
            insert(kernel).values(
                **begun_values(new, now),
                owner=self._name,
                epoch=1,
                agent_key=self._box.encrypt(agent_key),
                launch=encrypted_launch(self._box, new),
                process=None,
                launch_status=begun_status(now).stored(),
                pool=pool.shape,
            )
        )
        write_event(
            connection, now, new.kernel_id, self._name, NewEvent("launch", "", "for a pool")
        )
        record = read_record(connection, new.kernel_id)
        assert record is not None  # noqa: S101 - for the type checker
        return Begun(record, agent_key, pool.launch_options)

    def _members(
        self, connection: Connection, now: datetime, dead_for: timedelta
    ) -> list[PoolMember]:
        living = set(
            connection.execute(
                select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            ).scalars()
        )
        rows = connection.execute(
            select(*PUBLIC).where(
                kernel.c.pool.is_not(None),
                (kernel.c.state != KernelState.DELETED.value) | kernel.c.owner.is_not(None),
            )
        )
        return [
            PoolMember(
                kernel_id=record.kernel_id,
                kernel_name=record.kernel_name,
                shape=record.pool or "",
                state=record.state,
                here=record.owner == self._name or record.owner not in living,
                silent=record.silence is not None,
                created=record.created,
                changed=record.changed,
            )
            for record in map(record_of, rows)
        ]

    async def claim(
        self, member: KernelRecord, new: NewKernel, limits: Limits = NO_LIMITS
    ) -> Begun | None:
        """Makes a kernel of a pool, whose agent is connected to this gateway, the one that somebody
        asked for: its record in the pool goes, and the kernel's is written as if it was launching,
        with the same agent and a higher epoch.

        None if the member is not as it was read any more, or the new id is in use; raises
        LimitReached.
        """

        def transaction(connection: Connection) -> Begun | None:
            if is_taken(connection, new.kernel_id):
                return None
            # The lock of starts first, as all starts take it, then the member.
            check_limits(connection, limits, new.username)
            held = connection.execute(
                select(kernel.c.agent_key, kernel.c.process)
                .where(
                    kernel.c.kernel_id == member.kernel_id,
                    kernel.c.pool == member.pool,
                    kernel.c.owner == self._name,
                    kernel.c.epoch == member.epoch,
                    kernel.c.state == KernelState.RUNNING.value,
                )
                .with_for_update()
            ).first()
            if held is None or not held.process:
                return None
            now = now_utc(connection)
            # Names of what a gateway of the version before has launched lack it.
            process = {LABELLED_AS: member.kernel_id, **held.process}
            gone = connection.execute(delete(kernel).where(kernel.c.kernel_id == member.kernel_id))
            if not gone.rowcount:
                return None
            epoch = member.epoch + 1
            status = begun_status(now).after(LaunchPhase.CONNECTING, "", None, now)
            connection.execute(
                insert(kernel).values(
                    **begun_values(new, now),
                    owner=self._name,
                    epoch=epoch,
                    agent_key=held.agent_key,
                    launch=encrypted_launch(self._box, new),
                    process=process,
                    launch_status=status.stored(),
                    launch_id=member.kernel_id,
                )
            )
            event = NewEvent(
                "launch", new.username, f"from a pool as {member.kernel_id}, epoch {epoch}"
            )
            write_event(connection, now, new.kernel_id, self._name, event)
            record = read_record(connection, new.kernel_id)
            assert record is not None  # noqa: S101 - for the type checker
            return Begun(record, self._box.decrypt(held.agent_key), new.launch_options)

        try:
            return await self._database.run(transaction)
        except IntegrityError:
            return None

    async def count(self) -> int:
        """How many kernels wait in pools, or start there, at all gateways."""

        def transaction(connection: Connection) -> int:
            living = kernel.c.state.not_in([KernelState.DELETED.value, KernelState.DEAD.value])
            counted = select(func.count()).select_from(kernel)
            found: int = connection.execute(
                counted.where(kernel.c.pool.is_not(None) & living)
            ).scalar_one()
            return found

        return await self._database.run(transaction, read_only=True)

    async def owners(self, shape: str) -> set[str]:
        """The gateways that have a kernel of this shape ready in a pool."""

        def transaction(connection: Connection) -> set[str]:
            rows = connection.execute(
                select(*PUBLIC).where(
                    kernel.c.pool == shape, kernel.c.state == KernelState.RUNNING.value
                )
            )
            ready = [record for record in map(record_of, rows) if record.silence is None]
            return {record.owner for record in ready if record.owner is not None}

        return await self._database.run(transaction, read_only=True)
