"""All SQL of the gateway, behind verbs of the domain.

Whoever may act on a kernel holds its (owner, epoch). Every change of a kernel's state, owner or
epoch is one UPDATE in `_change`, conditional on the kernel, its epoch and its state, so that a
gateway that was frozen changes nothing when it wakes; each leaves an event behind.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.resolution import KernelRecord, Member
from gateway_ext.ownership.states import KernelState, check_transition
from gateway_ext.ownership.stored_text import stored_text
from gateway_ext.ownership.tables import (
    former_agent,
    gateway,
    kernel,
    kernel_event,
    lock,
    project_uid,
)
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.counted import counted
from jupyter_ext.platform.encryption import SecretBox

FIRST_UID = 200_000
"""User ids of projects start here, above those of people, unless a gateway is told otherwise."""

STARTS = "starts"
"""The row of `fleet_lock` that starts hold where limits are set."""

_WITH_AGENT = (KernelState.LAUNCHING, KernelState.RUNNING, KernelState.RESTARTING)

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
class Limits:
    """How many kernels there may be at once at all gateways together; None for any number."""

    kernels: int | None = None
    kernels_per_user: int | None = None


NO_LIMITS = Limits()


class LimitReached(Exception):
    """A kernel more than a limit allows was asked for; the text says which."""


@dataclass(frozen=True)
class KernelEvent:
    """What happened to a kernel. `username` is empty if the fleet did it by itself."""

    at: datetime
    event: str
    username: str
    gateway: str
    detail: str


@dataclass(frozen=True)
class Secrets:
    """The encrypted part of a record."""

    agent_key: bytes
    environment: Mapping[str, str]


@dataclass(frozen=True)
class Observation:
    """What an owner saw of a kernel: written only while the epoch is still the owner's. `ended` is
    why its process has ended by itself since the last time, though it may run again."""

    kernel_id: str
    epoch: int
    state: KernelState | None
    execution_state: str
    connections: int
    last_activity: datetime
    reason: str
    ended: str = ""


def _record(row: Row[Any]) -> KernelRecord:
    values = dict(row._mapping)
    values["state"] = KernelState(values["state"])
    return KernelRecord(**values)


def _read(connection: Connection, kernel_id: str) -> KernelRecord | None:
    row = connection.execute(select(*_PUBLIC).where(kernel.c.kernel_id == kernel_id)).first()
    return None if row is None else _record(row)


def _hold(
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


def _change(
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


def _check_limits(connection: Connection, limits: Limits, username: str) -> None:
    """Raises LimitReached if no kernel more may be started for the user."""
    if limits.kernels is None and limits.kernels_per_user is None:
        return
    # One start after the other, at all gateways: two may not both take the last place.
    connection.execute(select(lock.c.name).where(lock.c.name == STARTS).with_for_update())
    # A dead kernel without an agent is but a line in the list.
    at_work = kernel.c.state != KernelState.DELETED.value
    at_work &= (kernel.c.state != KernelState.DEAD.value) | kernel.c.owner.is_not(None)
    count = select(func.count()).select_from(kernel).where(at_work)
    if limits.kernels is not None:
        kernels = connection.execute(count).scalar_one()
        if kernels >= limits.kernels:
            raise LimitReached(
                f"the fleet runs {counted(kernels, 'kernel')}, and no more than {limits.kernels} "
                "may run at once: end one, or ask for a higher max_kernels"
            )
    if limits.kernels_per_user is not None:
        kernels = connection.execute(count.where(kernel.c.username == username)).scalar_one()
        if kernels >= limits.kernels_per_user:
            raise LimitReached(
                f"{username} has {counted(kernels, 'kernel')}, and the limit for each user is "
                f"{limits.kernels_per_user}: end one of them first"
            )


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
            detail=stored_text(detail),
        )
    )


def _stored_key(connection: Connection, kernel_id: str) -> str | None:
    """The key of the kernel's agent, encrypted; None if the record has been removed."""
    return connection.execute(
        select(kernel.c.agent_key).where(kernel.c.kernel_id == kernel_id)
    ).scalar_one_or_none()


def _add_former_agent(connection: Connection, kernel_id: str, key: str, now: datetime) -> None:
    """Remembers the encrypted key of an agent that must end if it lives."""
    connection.execute(insert(former_agent).values(kernel_id=kernel_id, agent_key=key, at=now))


def _gone(epoch: int, now: datetime, owner: str | None) -> dict[str, Any]:
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

    async def insert_launching(
        self, new: NewKernel, agent_key: bytes, limits: Limits = NO_LIMITS
    ) -> KernelRecord | None:
        """Writes the record of a kernel that this gateway is about to launch, owned by it with
        epoch 1. None if a record of that id exists already; raises LimitReached."""
        encrypted_key = self._box.encrypt(agent_key)
        launch = self._encrypt_launch(new.environment)

        def transaction(connection: Connection) -> KernelRecord | None:
            if _read(connection, new.kernel_id) is not None:
                return None
            _check_limits(connection, limits, new.username)
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
            _note(connection, now, new.kernel_id, "launch", new.username, self._name, "epoch 1")
            return _read(connection, new.kernel_id)

        try:
            return await self._database.run(transaction)
        except IntegrityError:
            return None

    async def launch_again(
        self, dead: KernelRecord, agent_key: bytes, username: str, limits: Limits = NO_LIMITS
    ) -> bool:
        """Makes a dead kernel that has no agent one that this gateway is about to launch, with a
        new agent key and a higher epoch. False if it has changed since `dead` was read; raises
        LimitReached.

        The key of before is kept: should its agent live after all, it is told to end.
        """
        encrypted_key = self._box.encrypt(agent_key)

        def transaction(connection: Connection) -> bool:
            _check_limits(connection, limits, dead.username)
            now = now_utc(connection)
            former = _stored_key(connection, dead.kernel_id)
            if former is None:
                return False
            changed = _change(
                connection,
                (dead.kernel_id, dead.epoch, KernelState.DEAD),
                KernelState.LAUNCHING,
                {
                    "owner": self._name,
                    "epoch": dead.epoch + 1,
                    "agent_key": encrypted_key,
                    "process": None,
                    "execution_state": "starting",
                    "reason": "",
                    "changed": now,
                },
            )
            if changed:
                _add_former_agent(connection, dead.kernel_id, former, now)
                detail = f"again, epoch {dead.epoch + 1}"
                _note(connection, now, dead.kernel_id, "launch", username, self._name, detail)
            return changed

        return await self._database.run(transaction)

    async def set_process(
        self,
        kernel_id: str,
        agent_key: bytes,
        process: Mapping[str, Any],
        *,
        if_unknown: bool = False,
    ) -> bool:
        """Stores how to look at the agent's process; with `if_unknown` only if nothing is stored.

        Not conditional on the epoch: the agent may have gone to another gateway already, and it is
        the same process there. False if the agent with that key is not wanted any more, because the
        kernel was deleted or launched again meanwhile.
        """

        def transaction(connection: Connection) -> bool:
            held = _hold(
                connection,
                kernel.c.kernel_id == kernel_id,
                kernel.c.state != KernelState.DELETED.value,
            )
            if not held or not self._is_key(connection, kernel_id, agent_key):
                return False
            record = _read(connection, kernel_id)
            if if_unknown and record is not None and record.process:
                return True
            connection.execute(
                update(kernel).where(kernel.c.kernel_id == kernel_id).values(process=dict(process))
            )
            return True

        return await self._database.run(transaction)

    async def claim(
        self,
        kernel_id: str,
        agent_key: bytes,
        agent_epoch: int,
        wanted: Callable[[], bool] = lambda: True,
        *,
        epoch: int | None = None,
    ) -> KernelRecord | None:
        """Makes this gateway the owner, with an epoch above the record's and the agent's; with
        `epoch` only if that is still the record's.

        Of any number of claimers each gets an epoch of its own. None if the kernel is deleted or
        unknown, if another agent is its agent by now, or if it is not `wanted` any more: that is
        asked, on another thread, when the database has answered and nothing is changed yet.
        """

        def transaction(connection: Connection) -> KernelRecord | None:
            now = now_utc(connection)
            for held in _hold(connection, kernel.c.kernel_id == kernel_id):
                _, present, state = held
                if state is KernelState.DELETED or not self._is_key(
                    connection, kernel_id, agent_key
                ):
                    continue
                if epoch not in (None, present) or not wanted():
                    continue
                raised = max(present, agent_epoch) + 1
                values = {"owner": self._name, "epoch": raised, "changed": now}
                if _change(connection, held, state, values):
                    detail = f"epoch {raised}"
                    _note(connection, now, kernel_id, "claim", "", self._name, detail)
                    return _read(connection, kernel_id)
            return None

        return await self._database.run(transaction)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """Writes what this gateway saw of its kernels, each only if its epoch still stands."""

        def transaction(connection: Connection) -> None:
            now = now_utc(connection)
            by_id = {seen.kernel_id: seen for seen in observations}
            for held in _hold(connection, kernel.c.kernel_id.in_(by_id)):
                kernel_id, epoch, state = held
                seen = by_id[kernel_id]
                if epoch != seen.epoch or state is KernelState.DELETED:
                    continue
                target = seen.state or state
                values = {
                    "execution_state": seen.execution_state,
                    "connections": seen.connections,
                    "last_activity": seen.last_activity,
                    "changed": now,
                }
                if seen.state is not None:
                    values["reason"] = stored_text(seen.reason)
                if not _change(connection, held, target, values):
                    continue
                is_news = target is not state
                if seen.ended and not (is_news and target is not KernelState.RUNNING):
                    # It was started again too quickly for the record to say so.
                    event = KernelState.RESTARTING.value
                    _note(connection, now, kernel_id, event, "", self._name, seen.ended)
                if is_news:
                    _note(connection, now, kernel_id, target.value, "", self._name, seen.reason)

        if observations:
            await self._database.run(transaction)

    async def set_dead(self, kernel_id: str, epoch: int, reason: str) -> bool:
        """Marks a kernel whose agent is known to be gone. False if the epoch no longer stands.

        The epoch rises: what its owner has seen before, and not written yet, is of the past. So is
        a launch: whoever waited for it may have started another kernel, so its agent, should it
        come after all, is told to end.
        """

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            for held in _hold(connection, kernel.c.kernel_id == kernel_id):
                if held[1] != epoch or held[2] is KernelState.DELETED:
                    continue
                values = {
                    "execution_state": "dead",
                    "owner": None,
                    "epoch": epoch + 1,
                    "connections": 0,
                    "reason": stored_text(reason),
                    "changed": now,
                }
                if held[2] is KernelState.LAUNCHING:
                    values["agent_key"] = self._dismiss_agent(connection, kernel_id, now)
                if _change(connection, held, KernelState.DEAD, values):
                    _note(connection, now, kernel_id, "dead", "", self._name, reason)
                    return True
            return False

        return await self._database.run(transaction)

    async def give_up(self, kernel_id: str, epoch: int, reason: str) -> bool:
        """Gives a launch up of which something may go on: its agent is told to end by whichever
        gateway it finds. It stays a launch until that is known to have ended, so that nothing is
        started under its id beside it. False if it is no launch any more or the epoch no longer
        stands."""

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            for held in _hold(connection, kernel.c.kernel_id == kernel_id):
                if held[1] != epoch or held[2] is not KernelState.LAUNCHING:
                    continue
                values = {"agent_key": self._dismiss_agent(connection, kernel_id, now)}
                if _change(connection, held, KernelState.LAUNCHING, values):
                    _note(
                        connection, now, kernel_id, "launch", "", self._name, f"given up: {reason}"
                    )
                    return True
            return False

        return await self._database.run(transaction)

    def _dismiss_agent(self, connection: Connection, kernel_id: str, now: datetime) -> str:
        """Makes the kernel's agent a former one; the encrypted key, which no agent has, that takes
        the place of its key."""
        former = _stored_key(connection, kernel_id)
        if former is not None:
            _add_former_agent(connection, kernel_id, former, now)
        return self._box.encrypt(secrets.token_bytes(32))

    async def delete(
        self, kernel_id: str, username: str, *, epoch: int | None = None, reason: str = ""
    ) -> bool:
        """Marks a kernel as deleted, whoever owns it: a user said so. With `epoch` only if that
        still stands: an owner said so. The epoch rises, so that no owner writes to the record any
        more. False if there was none to delete."""

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            for held in _hold(connection, kernel.c.kernel_id == kernel_id):
                if held[2] is KernelState.DELETED or epoch not in (None, held[1]):
                    continue
                values = _gone(held[1] + 1, now, self._name)
                if _change(connection, held, KernelState.DELETED, values):
                    _note(connection, now, kernel_id, "delete", username, self._name, reason)
                    return True
            return False

        return await self._database.run(transaction)

    async def ended(self, kernel_id: str) -> None:
        """Says that of a deleted kernel nothing runs and nothing is left any more."""

        def transaction(connection: Connection) -> None:
            connection.execute(
                update(kernel)
                .where(
                    kernel.c.kernel_id == kernel_id,
                    kernel.c.state == KernelState.DELETED.value,
                )
                .values(owner=None)
            )

        await self._database.run(transaction)

    async def note(self, kernel_id: str, event: str, username: str, detail: str = "") -> None:
        """Writes down what somebody did to a kernel that changes nothing in its record."""

        def transaction(connection: Connection) -> None:
            now = now_utc(connection)
            _note(connection, now, kernel_id, event, username, self._name, detail)

        await self._database.run(transaction)

    async def events(self, kernel_id: str) -> list[KernelEvent]:
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

    async def get(self, kernel_id: str) -> KernelRecord | None:
        """The record, deleted ones too; None if there never was one or it was forgotten."""
        return await self._database.run(
            lambda connection: _read(connection, kernel_id), read_only=True
        )

    async def owned(self) -> dict[str, int]:
        """The kernels that this gateway owns, with the epoch of each."""

        def transaction(connection: Connection) -> dict[str, int]:
            rows = connection.execute(
                select(kernel.c.kernel_id, kernel.c.epoch).where(
                    kernel.c.owner == self._name, kernel.c.state != KernelState.DELETED.value
                )
            )
            return {row.kernel_id: row.epoch for row in rows}

        return await self._database.run(transaction, read_only=True)

    async def kernel_ids(self) -> list[str]:
        """The ids of all kernels that are not deleted."""

        def transaction(connection: Connection) -> list[str]:
            rows = connection.execute(
                select(kernel.c.kernel_id).where(kernel.c.state != KernelState.DELETED.value)
            )
            return list(rows.scalars())

        return await self._database.run(transaction, read_only=True)

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

    async def former_keys(self, kernel_id: str) -> list[bytes]:
        """The keys of agents that the kernel had before it was launched again; raises
        DecryptionError."""

        def transaction(connection: Connection) -> list[str]:
            rows = connection.execute(
                select(former_agent.c.agent_key).where(former_agent.c.kernel_id == kernel_id)
            )
            return list(rows.scalars())

        stored = await self._database.run(transaction, read_only=True)
        return [self._box.decrypt(key) for key in stored]

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
            old = _hold(
                connection,
                kernel.c.state == KernelState.DEAD.value,
                kernel.c.owner.is_(None),
                kernel.c.changed < now - dead,
            )
            for held in old:
                values = _gone(held[1] + 1, now, None)
                if _change(connection, held, KernelState.DELETED, values):
                    _note(connection, now, held[0], "delete", "", self._name, "dead for long")
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
        with_agent = kernel.c.state.in_([state.value for state in _WITH_AGENT])
        dead_with_agent = (kernel.c.state == KernelState.DEAD.value) & kernel.c.owner.is_not(None)
        return await self._unattended(with_agent | dead_with_agent, dead_for)

    async def unended(self, dead_for: timedelta) -> list[KernelRecord]:
        """Deleted kernels of which something may be left: whoever deleted them has been dead for so
        long, or is this gateway and could not end it all."""
        unended = (kernel.c.state == KernelState.DELETED.value) & kernel.c.owner.is_not(None)
        return await self._unattended(unended, dead_for)

    async def _unattended(
        self, which: ColumnElement[bool], dead_for: timedelta
    ) -> list[KernelRecord]:
        def transaction(connection: Connection) -> list[KernelRecord]:
            now = now_utc(connection)
            living = select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            rows = connection.execute(
                select(*_PUBLIC).where(
                    which,
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

    def _is_key(self, connection: Connection, kernel_id: str, agent_key: bytes) -> bool:
        stored = _stored_key(connection, kernel_id)
        return stored is not None and self._box.decrypt(stored) == agent_key

    def _encrypt_launch(self, environment: Mapping[str, str]) -> str:
        return self._box.encrypt(json.dumps({"environment": dict(environment)}).encode())
