"""The records of kernels.

A gateway may act on a kernel only while the record names it as the owner, with its epoch.
`kernel_rows` says how records change.
"""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from gateway_ext.ownership.agent_records import (
    AgentRecords,
    dismiss_agent,
    drop_former_id,
    is_agents_id,
)
from gateway_ext.ownership.kernel_events import NewEvent, write_event
from gateway_ext.ownership.kernel_rows import (
    PUBLIC,
    Held,
    Transition,
    deletion,
    read_record,
    record_of,
    stored_key,
    transition,
)
from gateway_ext.ownership.launch_status import begun_again, begun_status
from gateway_ext.ownership.new_kernel import (
    NewKernel,
    Secrets,
    begun_values,
    decrypted_secrets,
    encrypted_launch,
)
from gateway_ext.ownership.observations import Observation, observed
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.start_limits import NO_LIMITS, Limits, check_limits
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.stored_text import stored_text
from gateway_ext.ownership.tables import kernel
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox


class KernelRecords:
    """The records of all kernels, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, box: SecretBox, name: str) -> None:
        self.agents = AgentRecords(database, box)
        self._database = database
        self._box = box
        self._name = name

    async def insert_launching(
        self, new: NewKernel, agent_key: bytes, limits: Limits = NO_LIMITS
    ) -> KernelRecord | None:
        """Writes the record of a kernel that this gateway is about to launch, owned by it with
        epoch 1. None if the id is in use already; raises LimitReached."""
        encrypted_key = self._box.encrypt(agent_key)
        launch = encrypted_launch(self._box, new)

        def transaction(connection: Connection) -> KernelRecord | None:
            if is_taken(connection, new.kernel_id):
                return None
            check_limits(connection, limits, new.username)
            now = now_utc(connection)
            connection.execute(
                insert(kernel).values(
                    **begun_values(new, now),
                    owner=self._name,
                    epoch=1,
                    agent_key=encrypted_key,
                    launch=launch,
                    process=None,
                    launch_status=begun_status(now).stored(),
                )
            )
            event = NewEvent("launch", new.username, "epoch 1")
            write_event(connection, now, new.kernel_id, self._name, event)
            return read_record(connection, new.kernel_id)

        try:
            return await self._database.run(transaction)
        except IntegrityError:
            return None

    async def launch_again(
        self, found: KernelRecord, agent_key: bytes, username: str, limits: Limits = NO_LIMITS
    ) -> bool:
        """Makes a kernel one that this gateway is about to launch, with a new agent key and a
        higher epoch: a dead one that has no agent, or one whose gateway ended before it had started
        anything. False if it has changed since it was `found`; raises LimitReached.

        The old key is kept: if its agent is alive after all, it is told to end.
        """
        encrypted_key = self._box.encrypt(agent_key)

        def transaction(connection: Connection) -> bool:
            if found.state is KernelState.DEAD:
                check_limits(connection, limits, found.username)

            def decide(held: Held, now: datetime) -> Transition | None:
                if (held.epoch, held.state) != (found.epoch, found.state):
                    return None
                dead = found.state is KernelState.DEAD
                begun = begun_status(now) if dead else begun_again(found.launch_status, now)
                drop_former_id(connection, held.kernel_id)
                dismiss_agent(connection, held.kernel_id, now)
                values = {
                    "owner": self._name,
                    "epoch": held.epoch + 1,
                    "agent_key": encrypted_key,
                    "launch_id": None,
                    "process": None,
                    "launch_status": begun.stored(),
                    "execution_state": "starting",
                    "reason": "",
                    "changed": now,
                }
                event = NewEvent("launch", username, f"again, epoch {held.epoch + 1}")
                return Transition(KernelState.LAUNCHING, values, [event])

            return self._transition(connection, found.kernel_id, decide)

        return await self._database.run(transaction)

    async def set_process(
        self,
        kernel_id: str,
        agent_key: bytes,
        process: Mapping[str, Any],
        *,
        if_unknown: bool = False,
    ) -> bool:
        """Stores how to find the agent's process; with `if_unknown` only if nothing is stored.

        Not conditional on the epoch: the agent may have gone to another gateway already, and its
        process is the same there. False if the agent with that key is no longer needed, because
        the kernel was deleted or launched again meanwhile.
        """

        def transaction(connection: Connection) -> bool:
            wanted = connection.execute(
                select(kernel.c.kernel_id)
                .where(kernel.c.kernel_id == kernel_id, kernel.c.state != KernelState.DELETED.value)
                .with_for_update()
            ).first()
            if wanted is None or not self._is_key(connection, kernel_id, agent_key):
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

        Each claim gets an epoch of its own, however many come at the same time. None if the kernel
        is deleted or unknown, if it has another agent by now, or if it is not `wanted` any more:
        that is called on another thread, after the database has answered and before the change.
        """

        def transaction(connection: Connection) -> KernelRecord | None:
            def decide(held: Held, now: datetime) -> Transition | None:
                if not self._is_key(connection, kernel_id, agent_key):
                    return None
                if epoch not in (None, held.epoch) or not wanted():
                    return None
                raised = max(held.epoch, agent_epoch) + 1
                drop_former_id(connection, kernel_id)
                values = {"owner": self._name, "epoch": raised, "changed": now}
                event = NewEvent("claim", detail=f"epoch {raised}")
                return Transition(held.state, values, [event])

            claimed = self._transition(connection, kernel_id, decide)
            return read_record(connection, kernel_id) if claimed else None

        return await self._database.run(transaction)

    async def observe(self, observations: Sequence[Observation]) -> None:
        """Records observations of this gateway's kernels, each only if its epoch is unchanged."""
        by_id = {seen.kernel_id: seen for seen in observations}

        def decide(held: Held, now: datetime) -> Transition | None:
            seen = by_id[held.kernel_id]
            return observed(held, seen, now) if held.epoch == seen.epoch else None

        def transaction(connection: Connection) -> None:
            transition(connection, self._name, kernel.c.kernel_id.in_(by_id), decide)

        if observations:
            await self._database.run(transaction)

    async def set_dead(
        self,
        kernel_id: str,
        epoch: int,
        reason: str,
        *,
        dismiss: bool = False,
        made_nothing: bool = False,
    ) -> bool:
        """Marks a kernel whose agent is known to be gone. False if the epoch has changed.

        The epoch rises, so that earlier observations that are not written yet are dropped. If the
        agent of a launch connects after all, it is told to end: whoever waited for it may have
        started another kernel. So is, with `dismiss`, the agent of a kernel that ran. A
        restart that waits for the end of an unreachable kernel goes on. Of a launch that
        `made_nothing` the record forgets where to look for what it made.
        """

        def transaction(connection: Connection) -> bool:
            def decide(held: Held, now: datetime) -> Transition | None:
                if held.epoch != epoch:
                    return None
                values: dict[str, Any] = {
                    "execution_state": "dead",
                    "owner": None,
                    "epoch": epoch + 1,
                    "connections": 0,
                    "reason": stored_text(reason),
                    "changed": now,
                }
                if made_nothing:
                    values["process"] = None
                record = read_record(connection, kernel_id)
                silence = None if record is None else record.silence
                if silence is not None and silence.restart_by is not None:
                    values["silence"] = silence.stored()
                if dismiss or held.state is KernelState.LAUNCHING:
                    dismiss_agent(connection, kernel_id, now)
                    values["agent_key"] = self._key_of_no_agent()
                return Transition(KernelState.DEAD, values, [NewEvent("dead", detail=reason)])

            return self._transition(connection, kernel_id, decide)

        return await self._database.run(transaction)

    async def give_up(self, kernel_id: str, epoch: int, reason: str) -> bool:
        """Gives up a launch that may still be in progress: the next gateway that its agent connects
        to tells it to end. The record stays `launching` until the agent is known to have ended, so
        that nothing else is started under its id. False if it is not `launching` any more or the
        epoch has changed."""

        def transaction(connection: Connection) -> bool:
            def decide(held: Held, now: datetime) -> Transition | None:
                if (held.epoch, held.state) != (epoch, KernelState.LAUNCHING):
                    return None
                dismiss_agent(connection, kernel_id, now)
                record = read_record(connection, kernel_id)
                status = (record and record.launch_status) or begun_status(now)
                status = replace(status, given_up=stored_text(reason))
                values = {
                    "agent_key": self._key_of_no_agent(),
                    "launch_status": status.stored(),
                }
                event = NewEvent("launch", detail=f"given up: {reason}")
                return Transition(KernelState.LAUNCHING, values, [event])

            return self._transition(connection, kernel_id, decide)

        return await self._database.run(transaction)

    async def delete(
        self,
        kernel_id: str,
        username: str,
        *,
        epoch: int | None = None,
        reason: str = "",
        still: Callable[[KernelState], bool] = lambda _: True,
    ) -> bool:
        """Marks a kernel as deleted: whoever owns it, for a user; with `epoch` only if that has not
        changed, for its owner. False if there was none to delete, or not `still` for its state,
        which is held while that decides."""
        event = NewEvent("delete", username, reason)

        def decide(held: Held, now: datetime) -> Transition | None:
            if epoch not in (None, held.epoch) or not still(held.state):
                return None
            return deletion(held, now, self._name, event)

        return await self._database.run(
            lambda connection: self._transition(connection, kernel_id, decide)
        )

    async def ended(self, kernel_id: str) -> None:
        """Records that nothing of a deleted kernel runs or is left any more."""

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

    async def list_kernels(self) -> list[KernelRecord]:
        """Every kernel of users that is not deleted, oldest first."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            rows = connection.execute(
                select(*PUBLIC)
                .where(kernel.c.state != KernelState.DELETED.value, kernel.c.pool.is_(None))
                .order_by(kernel.c.created, kernel.c.kernel_id)
            )
            return [record_of(row) for row in rows]

        return await self._database.run(transaction, read_only=True)

    async def secrets(self, kernel_id: str) -> Secrets | None:
        """The agent's key, the client's environment and the launch options; raises
        DecryptionError."""

        def transaction(connection: Connection) -> tuple[str, str] | None:
            row = connection.execute(
                select(kernel.c.agent_key, kernel.c.launch).where(kernel.c.kernel_id == kernel_id)
            ).first()
            return None if row is None else (row.agent_key, row.launch)

        stored = await self._database.run(transaction, read_only=True)
        if stored is None:
            return None
        return decrypted_secrets(self._box, *stored)

    def _transition(
        self,
        connection: Connection,
        kernel_id: str,
        decide: Callable[[Held, datetime], Transition | None],
    ) -> bool:
        return transition(connection, self._name, kernel.c.kernel_id == kernel_id, decide) == 1

    def _key_of_no_agent(self) -> str:
        """Replaces a dismissed agent's key, so that nobody can prove to have it."""
        return self._box.encrypt(secrets.token_bytes(32))

    def _is_key(self, connection: Connection, kernel_id: str, agent_key: bytes) -> bool:
        stored = stored_key(connection, kernel_id)
        return stored is not None and self._box.decrypt(stored) == agent_key


def is_taken(connection: Connection, kernel_id: str) -> bool:
    """Whether a new kernel cannot have this id: a record has it, or an agent connects under it."""
    return read_record(connection, kernel_id) is not None or is_agents_id(connection, kernel_id)
