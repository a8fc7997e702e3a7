"""Kernel records, behind verbs of the domain.

Whoever may act on a kernel holds its (owner, epoch). Every change of a kernel's state, owner or
epoch is one UPDATE in `kernel_rows.change`, conditional on the kernel, its epoch and its state, so
that a gateway that was frozen changes nothing when it wakes; each leaves an event behind.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.kernel_events import write_event
from gateway_ext.ownership.kernel_rows import (
    PUBLIC,
    change,
    hold,
    read_record,
    record_of,
    stored_key,
    values_of_deleted,
)
from gateway_ext.ownership.resolution import KernelRecord
from gateway_ext.ownership.start_limits import NO_LIMITS, Limits, check_limits
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.stored_text import stored_text
from gateway_ext.ownership.tables import former_agent, kernel
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox


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


def add_former_agent(connection: Connection, kernel_id: str, key: str, now: datetime) -> None:
    """Remembers the encrypted key of an agent that must end if it lives."""
    connection.execute(insert(former_agent).values(kernel_id=kernel_id, agent_key=key, at=now))


class KernelRecords:
    """The records of all kernels, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, box: SecretBox, name: str) -> None:
        self._database = database
        self._box = box
        self._name = name

    async def insert_launching(
        self, new: NewKernel, agent_key: bytes, limits: Limits = NO_LIMITS
    ) -> KernelRecord | None:
        """Writes the record of a kernel that this gateway is about to launch, owned by it with
        epoch 1. None if a record of that id exists already; raises LimitReached."""
        encrypted_key = self._box.encrypt(agent_key)
        launch = self._encrypt_launch(new.environment)

        def transaction(connection: Connection) -> KernelRecord | None:
            if read_record(connection, new.kernel_id) is not None:
                return None
            check_limits(connection, limits, new.username)
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
            write_event(
                connection, now, new.kernel_id, "launch", new.username, self._name, "epoch 1"
            )
            return read_record(connection, new.kernel_id)

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
            check_limits(connection, limits, dead.username)
            now = now_utc(connection)
            former = stored_key(connection, dead.kernel_id)
            if former is None:
                return False
            changed = change(
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
                add_former_agent(connection, dead.kernel_id, former, now)
                detail = f"again, epoch {dead.epoch + 1}"
                write_event(connection, now, dead.kernel_id, "launch", username, self._name, detail)
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
            held = hold(
                connection,
                kernel.c.kernel_id == kernel_id,
                kernel.c.state != KernelState.DELETED.value,
            )
            if not held or not self._is_key(connection, kernel_id, agent_key):
                return False
            record = read_record(connection, kernel_id)
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
            for held in hold(connection, kernel.c.kernel_id == kernel_id):
                _, present, state = held
                if state is KernelState.DELETED or not self._is_key(
                    connection, kernel_id, agent_key
                ):
                    continue
                if epoch not in (None, present) or not wanted():
                    continue
                raised = max(present, agent_epoch) + 1
                values = {"owner": self._name, "epoch": raised, "changed": now}
                if change(connection, held, state, values):
                    detail = f"epoch {raised}"
                    write_event(connection, now, kernel_id, "claim", "", self._name, detail)
                    return read_record(connection, kernel_id)
            return None

        return await self._database.run(transaction)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """Writes what this gateway saw of its kernels, each only if its epoch still stands."""

        def transaction(connection: Connection) -> None:
            now = now_utc(connection)
            by_id = {seen.kernel_id: seen for seen in observations}
            for held in hold(connection, kernel.c.kernel_id.in_(by_id)):
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
                if not change(connection, held, target, values):
                    continue
                is_news = target is not state
                if seen.ended and not (is_news and target is not KernelState.RUNNING):
                    # It was started again too quickly for the record to say so.
                    event = KernelState.RESTARTING.value
                    write_event(connection, now, kernel_id, event, "", self._name, seen.ended)
                if is_news:
                    write_event(
                        connection, now, kernel_id, target.value, "", self._name, seen.reason
                    )

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
            for held in hold(connection, kernel.c.kernel_id == kernel_id):
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
                if change(connection, held, KernelState.DEAD, values):
                    write_event(connection, now, kernel_id, "dead", "", self._name, reason)
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
            for held in hold(connection, kernel.c.kernel_id == kernel_id):
                if held[1] != epoch or held[2] is not KernelState.LAUNCHING:
                    continue
                values = {"agent_key": self._dismiss_agent(connection, kernel_id, now)}
                if change(connection, held, KernelState.LAUNCHING, values):
                    write_event(
                        connection, now, kernel_id, "launch", "", self._name, f"given up: {reason}"
                    )
                    return True
            return False

        return await self._database.run(transaction)

    def _dismiss_agent(self, connection: Connection, kernel_id: str, now: datetime) -> str:
        """Makes the kernel's agent a former one; the encrypted key, which no agent has, that takes
        the place of its key."""
        former = stored_key(connection, kernel_id)
        if former is not None:
            add_former_agent(connection, kernel_id, former, now)
        return self._box.encrypt(secrets.token_bytes(32))

    async def delete(
        self, kernel_id: str, username: str, *, epoch: int | None = None, reason: str = ""
    ) -> bool:
        """Marks a kernel as deleted, whoever owns it: a user said so. With `epoch` only if that
        still stands: an owner said so. The epoch rises, so that no owner writes to the record any
        more. False if there was none to delete."""

        def transaction(connection: Connection) -> bool:
            now = now_utc(connection)
            for held in hold(connection, kernel.c.kernel_id == kernel_id):
                if held[2] is KernelState.DELETED or epoch not in (None, held[1]):
                    continue
                values = values_of_deleted(held[1] + 1, now, self._name)
                if change(connection, held, KernelState.DELETED, values):
                    write_event(connection, now, kernel_id, "delete", username, self._name, reason)
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

    async def get(self, kernel_id: str) -> KernelRecord | None:
        """The record, deleted ones too; None if there never was one or it was forgotten."""
        return await self._database.run(
            lambda connection: read_record(connection, kernel_id), read_only=True
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
                select(*PUBLIC)
                .where(kernel.c.state != KernelState.DELETED.value)
                .order_by(kernel.c.created, kernel.c.kernel_id)
            )
            return [record_of(row) for row in rows]

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

    def _is_key(self, connection: Connection, kernel_id: str, agent_key: bytes) -> bool:
        stored = stored_key(connection, kernel_id)
        return stored is not None and self._box.decrypt(stored) == agent_key

    def _encrypt_launch(self, environment: Mapping[str, str]) -> str:
        return self._box.encrypt(json.dumps({"environment": dict(environment)}).encode())
