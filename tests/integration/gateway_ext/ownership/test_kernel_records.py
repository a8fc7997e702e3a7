"""Kernel records on SQLite and MariaDB."""

import asyncio
import dataclasses
import uuid
from datetime import UTC, datetime, timedelta

from sqlalchemy import text

from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.leftovers import Leftovers
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import (
    KEY,
    launched,
    new_kernel,
    observation,
)


def test_record_and_secrets(records: KernelRecords, database: Database) -> None:
    async def run() -> None:
        new = new_kernel()
        record = await records.insert_launching(new, KEY)
        assert record is not None
        assert (record.owner, record.epoch, record.state) == ("gateway-a", 1, KernelState.LAUNCHING)
        assert (record.path, record.username) == (new.path, "ada")
        assert await records.insert_launching(new, KEY) is None
        assert await records.get(new.kernel_id) == record
        assert await records.get(str(uuid.uuid4())) is None
        stored = await records.secrets(new.kernel_id)
        assert stored is not None
        assert (stored.agent_key, stored.environment) == (KEY, {"KERNEL_SECRET": "hush"})
        assert not await records.set_process(new.kernel_id, b"x" * 32, {"pid": 8})
        assert await records.set_process(new.kernel_id, KEY, {"pid": 6}, if_unknown=True)
        assert await records.set_process(new.kernel_id, KEY, {"pid": 7})
        assert await records.set_process(new.kernel_id, KEY, {"pid": 9}, if_unknown=True)
        again = await records.get(new.kernel_id)
        assert again is not None
        assert again.process == {"pid": 7}

    asyncio.run(run())

    def everything(connection):  # type: ignore[no-untyped-def]
        return str(connection.execute(text("SELECT * FROM fleet_kernel")).all())

    stored = database.run_blocking(everything)
    assert "hush" not in stored
    assert KEY.decode() not in stored
    assert KEY.hex() not in stored


def test_twenty_claimers_get_twenty_epochs(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        claimers = [KernelRecords(database, box, f"gateway-{number}") for number in range(20)]
        kernel_id = await launched(claimers[0])
        claims = await asyncio.gather(*(claimer.claim(kernel_id, KEY, 3) for claimer in claimers))
        epochs = [claim.epoch for claim in claims if claim is not None]
        # Above the record's (1) and above the agent's (3), each once.
        assert sorted(epochs) == list(range(4, 24))
        last = await claimers[0].get(kernel_id)
        assert last is not None
        assert last.epoch == 23
        (winner,) = [claim for claim in claims if claim is not None and claim.epoch == 23]
        assert last.owner == winner.owner
        # One after the other they rise by one, whatever the agent has seen before.
        for number, epoch in enumerate(range(24, 28)):
            claim = await claimers[number].claim(kernel_id, KEY, 5)
            assert claim is not None
            assert (claim.owner, claim.epoch) == (f"gateway-{number}", epoch)

    asyncio.run(run())


def test_who_lost_the_epoch_writes_nothing(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        old, new = KernelRecords(database, box, "old"), KernelRecords(database, box, "new")
        kernel_id = await launched(old)
        first = await old.claim(kernel_id, KEY, 0)
        assert first is not None
        await old.observe([observation(kernel_id, first.epoch, KernelState.RUNNING)])
        seen = await old.get(kernel_id)
        assert seen is not None
        assert (seen.state, seen.execution_state, seen.connections) == (
            KernelState.RUNNING,
            "busy",
            2,
        )
        assert seen.last_activity == datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)

        await new.claim(kernel_id, KEY, first.epoch)
        before = await new.get(kernel_id)
        await old.observe([observation(kernel_id, first.epoch, KernelState.DEAD)])
        assert not await old.set_dead(kernel_id, first.epoch, "so I believe")
        assert await new.get(kernel_id) == before

    asyncio.run(run())


def test_a_claim_that_nobody_waits_for_changes_nothing(records: KernelRecords) -> None:
    async def run() -> None:
        kernel_id = await launched(records)
        before = await records.get(kernel_id)
        assert await records.claim(kernel_id, KEY, 0, lambda: False) is None
        assert await records.claim(kernel_id, b"x" * 32, 0) is None
        # Who read the record before somebody else claimed the kernel.
        assert await records.claim(kernel_id, KEY, 0, epoch=0) is None
        assert await records.get(kernel_id) == before
        assert await records.owned() == {kernel_id: 1}
        other = await launched(records)
        claim = await records.claim(other, KEY, 6)
        assert claim is not None
        assert await records.owned() == {kernel_id: 1, other: 7}
        await records.delete(kernel_id, "eve")
        assert await records.owned() == {other: 7}

    asyncio.run(run())


def test_a_launch_is_canceled_only_until_the_kernel_runs(records: KernelRecords) -> None:
    def launching(state: KernelState) -> bool:
        return state is KernelState.LAUNCHING

    async def run() -> None:
        waits, begun = await launched(records), await launched(records)
        claim = await records.claim(begun, KEY, 0)
        assert claim is not None
        # After whoever cancels has read the record.
        await records.observe([observation(begun, claim.epoch, KernelState.RUNNING)])
        before = await records.get(begun)
        assert not await records.delete(begun, "eve", still=launching)
        assert await records.get(begun) == before
        assert await records.delete(waits, "eve", still=launching)
        assert not await records.delete(waits, "eve", still=launching)

    asyncio.run(run())


def test_former_agents_are_known_until_they_are_forgotten(
    records: KernelRecords, database: Database
) -> None:
    leftovers = Leftovers(database, "gateway-a")

    async def run() -> None:
        kernel_id = await launched(records)
        assert await records.agents.former_keys(kernel_id) == []
        assert await records.set_dead(kernel_id, 1, "x")
        dead = await records.get(kernel_id)
        assert dead is not None
        assert await records.launch_again(dead, b"2" * 32, "ada")
        # Somebody else was first: nothing is written twice.
        assert not await records.launch_again(dead, b"3" * 32, "ada")
        assert KEY in await records.agents.former_keys(kernel_id)
        assert await records.agents.former_keys(str(uuid.uuid4())) == []
        await leftovers.forget(deleted=timedelta(days=1), dead=timedelta(days=1))
        assert KEY in await records.agents.former_keys(kernel_id)
        await leftovers.forget(deleted=timedelta(0), dead=timedelta(days=1))
        assert await records.agents.former_keys(kernel_id) == []

    asyncio.run(run())


def test_deleted_is_for_good(records: KernelRecords, database: Database) -> None:
    leftovers = Leftovers(database, "gateway-a")

    async def run() -> None:
        kernel_id = await launched(records)
        assert await records.delete(kernel_id, "eve")
        assert not await records.delete(kernel_id, "eve")
        record = await records.get(kernel_id)
        assert record is not None
        # Until whoever deleted it has ended it.
        assert record.state is KernelState.DELETED
        assert record.owner is not None
        assert await records.list_kernels() == []
        assert await records.claim(kernel_id, KEY, 9) is None
        await records.observe([observation(kernel_id, record.epoch, KernelState.RUNNING)])
        assert not await records.set_dead(kernel_id, record.epoch, "x")
        assert await records.get(kernel_id) == record
        assert [one.kernel_id for one in await leftovers.unended(timedelta(0))] == [kernel_id]
        await records.ended(kernel_id)
        ended = await records.get(kernel_id)
        assert ended == dataclasses.replace(record, owner=None)
        assert await leftovers.unended(timedelta(0)) == []
        # The key proves to the agent that it must end; the environment is nobody's business now.
        stored = await records.secrets(kernel_id)
        assert stored is not None
        assert (stored.agent_key, stored.environment) == (KEY, {})
        assert await leftovers.forget(deleted=timedelta(days=1), dead=timedelta(days=1)) == 0
        assert await leftovers.forget(deleted=timedelta(0), dead=timedelta(days=1)) == 1
        assert await records.get(kernel_id) is None

    asyncio.run(run())


def test_a_dead_kernel_is_launched_again_once(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        launchers = [KernelRecords(database, box, f"gateway-{number}") for number in range(5)]
        kernel_id = await launched(launchers[0])
        assert await launchers[0].set_dead(kernel_id, 1, "no such program")
        dead = await launchers[1].get(kernel_id)
        assert dead is not None
        assert (dead.state, dead.reason, dead.owner) == (KernelState.DEAD, "no such program", None)
        # What the launcher saw before, and writes only now, does not bring it back to life.
        await launchers[0].observe([observation(kernel_id, 1, KernelState.RUNNING)])
        assert await launchers[1].get(kernel_id) == dead
        won = await asyncio.gather(
            *(each.launch_again(dead, b"n" * 32, "ada") for each in launchers)
        )
        assert sum(won) == 1
        record = await launchers[0].get(kernel_id)
        assert record is not None
        assert (record.state, record.epoch) == (KernelState.LAUNCHING, 3)
        assert record.owner == f"gateway-{won.index(True)}"
        stored = await launchers[0].secrets(kernel_id)
        assert stored is not None
        assert stored.agent_key == b"n" * 32
        # The agent of the first launch would have to prove the old key.

    asyncio.run(run())


def test_a_dead_kernel_whose_record_goes_meanwhile_is_not_launched_again(
    records: KernelRecords, database: Database
) -> None:
    async def run() -> None:
        kernel_id = await launched(records)
        assert await records.set_dead(kernel_id, 1, "the test")
        dead = await records.get(kernel_id)
        assert dead is not None
        database.run_blocking(
            lambda connection: connection.execute(text("DELETE FROM fleet_kernel"))
        )
        assert not await records.launch_again(dead, KEY, "ada")
        assert not await records.set_process(kernel_id, KEY, {"pid": 1})
        assert await records.claim(kernel_id, KEY, 1) is None
        assert await records.agents.former_keys(kernel_id) == [KEY]

    asyncio.run(run())


def test_a_reason_that_no_column_takes_is_cut(records: KernelRecords, database: Database) -> None:
    async def run() -> None:
        kernel_id = await launched(records)
        reason = "\ud800" + "é" * 70_000
        seen = dataclasses.replace(observation(kernel_id, 1, KernelState.DEAD), reason=reason)
        await records.observe([seen])
        record = await records.get(kernel_id)
        assert record is not None
        assert record.reason == "?" + "é" * 9_999
        assert await records.set_dead(kernel_id, 1, reason)
        assert await records.delete(kernel_id, "ada", reason=reason)
        details = {
            event.detail for event in await KernelEvents(database, "gateway-a").of(kernel_id)
        }
        assert details == {"epoch 1", record.reason}

    asyncio.run(run())


def test_names_are_compared_byte_by_byte(records: KernelRecords) -> None:
    async def run() -> None:
        lower = str(uuid.UUID(int=0xABCDEF))
        assert await records.insert_launching(new_kernel(kernel_id=lower), KEY)
        assert await records.get(lower.upper()) is None

    asyncio.run(run())
