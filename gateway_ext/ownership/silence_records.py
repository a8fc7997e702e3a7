"""What the records of kernels say of silent agents, and of restarts that wait for their end."""

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, null, select

from gateway_ext.ownership.agent_records import dismiss_agent
from gateway_ext.ownership.kernel_events import NewEvent
from gateway_ext.ownership.kernel_rows import (
    PUBLIC,
    Held,
    Transition,
    read_record,
    record_of,
    transition,
)
from gateway_ext.ownership.launch_status import one_line
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence import WITH_KERNEL, Silence
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.stored_text import stored_text
from gateway_ext.ownership.tables import gateway, kernel
from jupyter_ext.database.engine import Database, now_utc
from jupyter_ext.platform.encryption import SecretBox

_WITH_KERNEL = [state.value for state in WITH_KERNEL]


class SilenceRecords:
    """The silent agents of all kernels, for the gateway called `name`.

    Every method raises DatabaseUnavailable while the database is away.
    """

    def __init__(self, database: Database, box: SecretBox, name: str) -> None:
        self._database = database
        self._box = box
        self._name = name

    async def mark(self, kernel_id: str, epoch: int, seconds: float) -> bool:
        """Records that the agent has been silent for so many seconds. False if the kernel is not
        running with that epoch any more."""

        def decide(held: Held, now: datetime) -> Transition | None:
            if held.epoch != epoch or held.state not in WITH_KERNEL:
                return None
            silence = Silence(epoch, now - timedelta(seconds=seconds))
            event = NewEvent("unreachable", detail=silence.reason(now))
            return Transition(held.state, {"silence": silence.stored()}, [event])

        # Most agents have found another gateway by now: then no row is locked.
        present = await self._database.run(
            lambda connection: read_record(connection, kernel_id), read_only=True
        )
        if present is None or present.epoch != epoch:
            return False
        return await self._decide(kernel_id, decide)

    async def say(self, record: KernelRecord, words: str) -> None:
        """Records what the cluster says of the silence of `record`."""
        silence = record.silence
        if silence is None or one_line(words) == silence.words:
            return
        said = replace(silence, words=one_line(words))

        def decide(held: Held, now: datetime) -> Transition | None:
            if held.epoch != record.epoch or held.state is not record.state:
                return None
            return Transition(held.state, {"silence": said.stored()}, [])

        await self._decide(record.kernel_id, decide)

    async def marked(self) -> list[KernelRecord]:
        """The unreachable kernels that this gateway owns."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            rows = connection.execute(
                select(*PUBLIC).where(
                    kernel.c.state.in_(_WITH_KERNEL),
                    kernel.c.owner == self._name,
                    kernel.c.silence.is_not(null()),
                )
            )
            records = map(record_of, rows)
            return [record for record in records if record.silence is not None]

        return await self._database.run(transaction, read_only=True)

    async def heard(self, kernel_id: str, epoch: int) -> None:
        """Records that the agent is not silent."""

        def decide(held: Held, now: datetime) -> Transition | None:
            return Transition(held.state, {}, []) if held.epoch == epoch else None

        await self._decide(kernel_id, decide)

    async def unheard(self, seconds: float) -> list[tuple[KernelRecord, float]]:
        """Kernels whose gateway has ended, and that no other one has heard of for so many seconds,
        with these seconds of each; without those that are known to be unreachable."""

        def transaction(connection: Connection) -> list[tuple[KernelRecord, float]]:
            now = now_utc(connection)
            before = now - timedelta(seconds=seconds)
            rows = connection.execute(
                select(*PUBLIC, gateway.c.heartbeat)
                .join_from(kernel, gateway, gateway.c.name == kernel.c.owner, isouter=True)
                .where(
                    kernel.c.state.in_(_WITH_KERNEL),
                    kernel.c.changed < before,
                    gateway.c.heartbeat.is_(None) | (gateway.c.heartbeat < before),
                )
            )
            found = []
            for row in rows:
                record = record_of(row, gateway.c.heartbeat.name)
                heard = max(record.changed, row.heartbeat or record.changed)
                if record.silence is None:
                    found.append((record, (now - heard).total_seconds()))
            return found

        return await self._database.run(transaction, read_only=True)

    async def ask_restart(self, record: KernelRecord, username: str) -> KernelRecord | None:
        """Has this gateway own an unreachable kernel and start it again when the old one has ended.
        The old agent is dismissed: if it comes back it is told to end. None if the kernel is not as
        in `record` any more."""

        def transaction(connection: Connection) -> KernelRecord | None:
            def decide(held: Held, now: datetime) -> Transition | None:
                if held.epoch != record.epoch or record.silence is None:
                    return None
                dismiss_agent(connection, held.kernel_id, now)
                silence = replace(record.silence, epoch=held.epoch + 1, restart_by=username)
                values = {
                    "owner": self._name,
                    "epoch": held.epoch + 1,
                    # Nobody has it.
                    "agent_key": self._box.encrypt(secrets.token_bytes(32)),
                    "silence": silence.stored(),
                }
                event = NewEvent("restart", username, "when the unreachable one has ended")
                return Transition(KernelState.RESTARTING, values, [event])

            return self._changed(connection, record.kernel_id, decide)

        return await self._database.run(transaction)

    async def waiting(self, dead_for: timedelta) -> list[KernelRecord]:
        """Kernels whose restart waits, and is this gateway's to finish: it owns them, or nobody
        does who has reported within this time."""

        def transaction(connection: Connection) -> list[KernelRecord]:
            now = now_utc(connection)
            living = select(gateway.c.name).where(gateway.c.heartbeat > now - dead_for)
            rows = connection.execute(
                select(*PUBLIC).where(
                    kernel.c.state.in_([*_WITH_KERNEL, KernelState.DEAD.value]),
                    kernel.c.silence.is_not(null()),
                    kernel.c.owner.is_(None)
                    | (kernel.c.owner == self._name)
                    | kernel.c.owner.not_in(living),
                )
            )
            records = [record_of(row) for row in rows]
            return [one for one in records if one.silence and one.silence.restart_by is not None]

        return await self._database.run(transaction, read_only=True)

    async def take(self, record: KernelRecord) -> KernelRecord | None:
        """Makes this gateway the owner of a kernel whose restart waits; None if it has changed."""
        silence = record.silence
        if record.owner == self._name or silence is None or record.state is KernelState.DEAD:
            return record

        def transaction(connection: Connection) -> KernelRecord | None:
            def decide(held: Held, now: datetime) -> Transition | None:
                if held.epoch != record.epoch:
                    return None
                epoch = held.epoch + 1
                stored = replace(silence, epoch=epoch).stored()
                values = {"owner": self._name, "epoch": epoch, "silence": stored}
                event = NewEvent("claim", detail=f"epoch {epoch}, to restart it")
                return Transition(held.state, values, [event])

            return self._changed(connection, record.kernel_id, decide)

        return await self._database.run(transaction)

    async def drop_restart(self, record: KernelRecord, reason: str) -> None:
        """Gives up the restart of a kernel that is dead by now, and says why."""

        def decide(held: Held, now: datetime) -> Transition | None:
            if (held.epoch, held.state) != (record.epoch, KernelState.DEAD):
                return None
            event = NewEvent("dead", detail=reason)
            return Transition(KernelState.DEAD, {"reason": stored_text(reason)}, [event])

        await self._decide(record.kernel_id, decide)

    async def _decide(
        self, kernel_id: str, decide: Callable[[Held, datetime], Transition | None]
    ) -> bool:
        return await self._database.run(
            lambda connection: self._changed(connection, kernel_id, decide) is not None
        )

    def _changed(
        self,
        connection: Connection,
        kernel_id: str,
        decide: Callable[[Held, datetime], Transition | None],
    ) -> KernelRecord | None:
        this = kernel.c.kernel_id == kernel_id
        if not transition(connection, self._name, this, decide):
            return None
        row = connection.execute(select(*PUBLIC).where(this)).one()
        return record_of(row)
