"""All SQL of the gateway, behind verbs of the domain.

Whoever may act on a kernel holds its (owner, epoch). Every change of a record by an owner is
conditional on the epoch, so that a gateway that was frozen changes nothing when it wakes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, case, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.resolution import KernelRecord, Member
from gateway_ext.ownership.states import KernelState, sources_of
from gateway_ext.ownership.tables import gateway, kernel, kernel_event, project_uid
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox

FIRST_UID = 200_000
"""User ids of projects start here, above those of people, unless a gateway is told otherwise."""

_PUBLIC = [
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


@dataclass(frozen=True)
class NewKernel:
    """What somebody asked for. `environment` is the client's part of the kernel's environment."""

    kernel_id: str
    project: str
    path: str
    username: str
    kernel_name: str
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Secrets:
    """The encrypted part of a record."""

    agent_key: bytes
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Observation:
    """What an owner saw of a kernel: written only while the epoch is still the owner's."""

    kernel_id: str
    epoch: int
    state: KernelState | None
    execution_state: str
    connections: int
    last_activity: datetime
    reason: str


def _record(row: Row[Any]) -> KernelRecord:
    values = dict(row._mapping)
    values["state"] = KernelState(values["state"])
    return KernelRecord(**values)


def _read(connection: Connection, kernel_id: str) -> KernelRecord | None:
    row = connection.execute(select(*_PUBLIC).where(kernel.c.kernel_id == kernel_id)).first()
    return None if row is None else _record(row)


def _note(
    connection: Connection,
    now: datetime,
    kernel_id: str,
    event: str,
    username: str,
    gateway_name: str,
    detail: str = "",
) -> None:
    connection.execute(
        insert(kernel_event).values(
            kernel_id=kernel_id,
            at=now,
            event=event,
            username=username,
            gateway=gateway_name,
            detail=detail,
        )
    )


class Records:
    """Kernel records, membership and user ids, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(
        self, database: Database, box: SecretBox, name: str, first_uid: int = FIRST_UID
    ) -> None:
        self._database = database
        self._box = box
        self._name = name
        self._first_uid = first_uid

    # Kernels

    async def insert_launching(self, new: NewKernel, agent_key: bytes) -> KernelRecord | None:
        """Writes the record of a kernel that this gateway is about to launch, owned by it with
        epoch 1. None if a record of that id exists already."""
        encrypted_key = self._box.encrypt(agent_key)
        launch = self._encrypt_launch(new.environment)

        def transaction(connection: Connection) -> KernelRecord | None:
            now = now_utc(connection)
            connection.execute(
                insert(kernel).values(
                    kernel_id=new.kernel_id,
                    project=new.project,
                    path=new.path,
                    username=new.username,
                    kernel_name=new.kernel_name,
                    state=KernelState.LAUNCHING.value,
                    owner=self._name,
                    epoch=1,
                    agent_key=encrypted_key,
                    launch=launch,
                    process=None,
                    execution_state="starting",
                    connections=0,
                    last_activity=now,
                    created=now,
                    changed=now,
                    reason="",
                )
            )
            _note(connection, now, new.kernel_id, "launch", new.username, self._name)
            return _read(connection, new.kernel_id)

        try:
            return await self._database.run(transaction)
        except IntegrityError:
            return None

    async def launch_again(self, dead: KernelRecord, agent_key: bytes, username: str) -> bool:
        """Makes a dead kernel that has no agent one that this gateway is about to launch, with a
        new agent key and a higher epoch. False if it has changed since `dead` was read."""
        encrypted_key = self._box.encrypt(agent_key)

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            changed = connection.execute(
                update(kernel)
                .where(
                    kernel.c.kernel_id == dead.kernel_id,
                    kernel.c.epoch == dead.epoch,
                    kernel.c.state == KernelState.DEAD.value,
                )
                .values(
                    state=KernelState.LAUNCHING.value,
                    owner=self._name,
                    epoch=kernel.c.epoch + 1,
                    agent_key=encrypted_key,
                    process=None,
                    execution_state="starting",
                    reason="",
                    changed=now,
                )
            ).rowcount
            if changed:
                _note(connection, now, dead.kernel_id, "launch", username, self._name, "again")
            return bool(changed)

        return await self._database.run(transaction)

    async def set_process(self, kernel_id: str, process: Mapping[str, Any]) -> None:
        """Stores how to look at the agent's process. Not conditional on the epoch: the agent may
        have gone to another gateway already, and it is the same process there."""

        def transaction(connection: Connection) -> None:
            connection.execute(
                update(kernel).where(kernel.c.kernel_id == kernel_id).values(process=dict(process))
            )

        await self._database.run(transaction)

    async def claim(self, kernel_id: str, agent_epoch: int) -> KernelRecord | None:
        """Makes this gateway the owner, with an epoch above the record's and the agent's.

        One conditional UPDATE: of any number of claimers each gets an epoch of its own. None if
        the kernel is deleted or unknown.
        """

        def transaction(connection: Connection) -> KernelRecord | None:
            now = now_utc(connection)
            highest = case((kernel.c.epoch > agent_epoch, kernel.c.epoch), else_=agent_epoch)
            changed = connection.execute(
                update(kernel)
                .where(
                    kernel.c.kernel_id == kernel_id,
                    kernel.c.state != KernelState.DELETED.value,
                )
                .values(owner=self._name, epoch=highest + 1, changed=now)
            ).rowcount
            if not changed:
                return None
            record = _read(connection, kernel_id)
            if record is not None:
                detail = f"epoch {record.epoch}"
                _note(connection, now, kernel_id, "claim", "", self._name, detail)
            return record

        return await self._database.run(transaction)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """Writes what this gateway saw of its kernels, each only if its epoch still stands."""

        def transaction(connection: Connection) -> None:
            now = now_utc(connection)
            for seen in observations:
                values: dict[str, Any] = {
                    "execution_state": seen.execution_state,
                    "connections": seen.connections,
                    "last_activity": seen.last_activity,
                    "changed": now,
                }
                condition = [kernel.c.kernel_id == seen.kernel_id, kernel.c.epoch == seen.epoch]
                if seen.state is not None:
                    values["state"] = seen.state.value
                    values["reason"] = seen.reason
                    condition.append(
                        kernel.c.state.in_([state.value for state in sources_of(seen.state)])
                    )
                else:
                    condition.append(kernel.c.state != KernelState.DELETED.value)
                connection.execute(update(kernel).where(*condition).values(**values))

        if observations:
            await self._database.run(transaction)

    async def set_dead(self, kernel_id: str, epoch: int, reason: str) -> bool:
        """Marks a kernel whose agent is known to be gone. False if the epoch no longer stands."""

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            changed = connection.execute(
                update(kernel)
                .where(
                    kernel.c.kernel_id == kernel_id,
                    kernel.c.epoch == epoch,
                    kernel.c.state.in_([state.value for state in sources_of(KernelState.DEAD)]),
                )
                .values(
                    state=KernelState.DEAD.value,
                    execution_state="dead",
                    owner=None,
                    connections=0,
                    reason=reason,
                    changed=now,
                )
            ).rowcount
            if changed:
                _note(connection, now, kernel_id, "dead", "", self._name, reason)
            return bool(changed)

        return await self._database.run(transaction)

    async def delete(self, kernel_id: str, username: str) -> bool:
        """Marks a kernel as deleted, whoever owns it: a user said so. The epoch rises, so that no
        owner writes to the record any more. False if there was none to delete."""

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            changed = connection.execute(
                update(kernel)
                .where(
                    kernel.c.kernel_id == kernel_id,
                    kernel.c.state != KernelState.DELETED.value,
                )
                .values(
                    state=KernelState.DELETED.value,
                    execution_state="dead",
                    owner=None,
                    epoch=kernel.c.epoch + 1,
                    connections=0,
                    # What a launch needs holds people's secrets: it goes at once. The agent's key
                    # stays, to prove to the agent that its kernel is deleted.
                    launch="",
                    changed=now,
                )
            ).rowcount
            if changed:
                _note(connection, now, kernel_id, "delete", username, self._name)
            return bool(changed)

        return await self._database.run(transaction)

    async def get(self, kernel_id: str) -> KernelRecord | None:
        """The record, deleted ones too; None if there never was one or it was forgotten."""
        return await self._database.run(
            lambda connection: _read(connection, kernel_id), read_only=True
        )

    async def list_kernels(self) -> list[KernelRecord]:
        """Every kernel that is not deleted, oldest first."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            rows = connection.execute(
                select(*_PUBLIC)
                .where(kernel.c.state != KernelState.DELETED.value)
                .order_by(kernel.c.created, kernel.c.kernel_id)
            )
            return [_record(row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    async def secrets(self, kernel_id: str) -> Secrets | None:
        """The agent's key and the client's environment; raises DecryptionError."""

        def transaction(connection: Connection) -> tuple[str, str] | None:
            row = connection.execute(
                select(kernel.c.agent_key, kernel.c.launch).where(kernel.c.kernel_id == kernel_id)
            ).first()
            return None if row is None else (row.agent_key, row.launch)

        stored = await self._database.run(transaction, read_only=True)
        if stored is None:
            return None
        agent_key, launch = stored
        environment = json.loads(self._box.decrypt(launch))["environment"] if launch else {}
        return Secrets(self._box.decrypt(agent_key), environment)

    async def forget(self, *, deleted: timedelta, dead: timedelta) -> int:
        """Removes the rows of kernels that were deleted, or are dead without an agent, for longer
        than this, and events of the same age as deleted kernels; the number of kernels."""

        def transaction(connection: Connection) -> int:
            now = now_utc(connection)
            connection.execute(delete(kernel_event).where(kernel_event.c.at < now - deleted))
            gone = connection.execute(
                delete(kernel).where(
                    kernel.c.state == KernelState.DELETED.value, kernel.c.changed < now - deleted
                )
            ).rowcount
            # Not removed but marked: their agents, should one come back, must be told.
            connection.execute(
                update(kernel)
                .where(
                    kernel.c.state == KernelState.DEAD.value,
                    kernel.c.owner.is_(None),
                    kernel.c.changed < now - dead,
                )
                .values(
                    state=KernelState.DELETED.value,
                    epoch=kernel.c.epoch + 1,
                    launch="",
                    changed=now,
                )
            )
            return gone

        return await self._database.run(transaction)

    # Gateways

    async def heartbeat(self, url: str, *, draining: bool) -> None:
        """Says that this gateway lives, by the database's clock."""

        def transaction(connection: Connection) -> None:
            values = {"url": url, "heartbeat": now_utc(connection), "draining": draining}
            changed = connection.execute(
                update(gateway).where(gateway.c.name == self._name).values(**values)
            ).rowcount
            if not changed:
                connection.execute(insert(gateway).values(name=self._name, **values))

        await self._database.run(transaction)

    async def leave(self) -> None:
        """Takes this gateway off the list."""

        def transaction(connection: Connection) -> None:
            connection.execute(delete(gateway).where(gateway.c.name == self._name))

        await self._database.run(transaction)

    async def members(self, living: timedelta) -> list[Member]:
        """The gateways that gave a sign of life within `living`, by name."""

        def transaction(connection: Connection) -> list[Member]:
            now = now_utc(connection)
            owned = (
                select(kernel.c.owner, func.count().label("kernels"))
                .where(kernel.c.state != KernelState.DELETED.value, kernel.c.owner.is_not(None))
                .group_by(kernel.c.owner)
                .subquery()
            )
            rows = connection.execute(
                select(
                    gateway.c.name,
                    gateway.c.url,
                    gateway.c.draining,
                    func.coalesce(owned.c.kernels, 0),
                )
                .join_from(gateway, owned, owned.c.owner == gateway.c.name, isouter=True)
                .where(gateway.c.heartbeat > now - living)
                .order_by(gateway.c.name)
            )
            return [Member(*row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    async def orphans(self, dead_for: timedelta) -> list[KernelRecord]:
        """Kernels that should have an agent, of which nothing has been heard for so long, and
        whose owner has been dead for so long or is this gateway."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            now = now_utc(connection)
            living = select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            rows = connection.execute(
                select(*_PUBLIC).where(
                    kernel.c.state.in_([KernelState.LAUNCHING.value, KernelState.RUNNING.value])
                    | ((kernel.c.state == KernelState.DEAD.value) & kernel.c.owner.is_not(None)),
                    kernel.c.changed < now - dead_for,
                    kernel.c.owner.is_(None)
                    | (kernel.c.owner == self._name)
                    | kernel.c.owner.not_in(living),
                )
            )
            return [_record(row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    # Projects

    async def assign_uid(self, project: str) -> int:
        """The user id under which the kernels of `project` run, chosen at its first use."""

        def transaction(connection: Connection) -> int:
            known = connection.execute(
                select(project_uid.c.uid).where(project_uid.c.project == project)
            ).scalar()
            if known is not None:
                return known
            highest = connection.execute(select(func.max(project_uid.c.uid))).scalar()
            # Ids that were given before the first one was changed stay with their projects.
            uid = self._first_uid if highest is None else max(self._first_uid, highest + 1)
            connection.execute(insert(project_uid).values(project=project, uid=uid))
            return uid

        while True:
            try:
                return await self._database.run(transaction)
            except IntegrityError:
                # Another gateway took this number or named this project meanwhile: look again.
                continue

    def _encrypt_launch(self, environment: Mapping[str, str]) -> str:
        return self._box.encrypt(json.dumps({"environment": dict(environment)}).encode())
