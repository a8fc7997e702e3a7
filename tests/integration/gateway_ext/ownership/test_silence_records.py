"""Silent agents in kernel records, on SQLite and MariaDB."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.silence_records import SilenceRecords
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import kernel
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import KEY, launched, observation

OTHER_KEY = b"o" * 32


@pytest.fixture
def silences(database: Database, box: SecretBox) -> SilenceRecords:
    return SilenceRecords(database, box, "gateway-a")


async def running(records: KernelRecords) -> str:
    """A kernel that runs, with epoch 2."""
    kernel_id = await launched(records)
    assert await records.claim(kernel_id, KEY, 0) is not None
    await records.observe([observation(kernel_id, 2, KernelState.RUNNING)])
    return kernel_id


async def found(records: KernelRecords, kernel_id: str) -> KernelRecord:
    record = await records.get(kernel_id)
    assert record is not None
    return record


async def unreachable(records: KernelRecords, silences: SilenceRecords) -> KernelRecord:
    kernel_id = await running(records)
    assert await silences.mark(kernel_id, 2, 15.0)
    return await found(records, kernel_id)


def test_a_silence_is_recorded_and_ends_when_the_agent_is_back(
    database: Database, records: KernelRecords, silences: SilenceRecords
) -> None:
    async def scenario() -> None:
        kernel_id = await running(records)
        before = await found(records, kernel_id)
        assert before.silence is None
        # One that was frozen writes nothing.
        assert not await silences.mark(kernel_id, 1, 15.0)
        assert await silences.mark(kernel_id, 2, 15.0)
        record = await found(records, kernel_id)
        assert record.silence is not None
        silent = (datetime.now(UTC) - record.silence.since).total_seconds()
        assert 14 < silent < 75
        assert (record.state, record.changed) == (KernelState.RUNNING, before.changed)
        await silences.say(record, "its node\ndoes not answer")
        said = (await found(records, kernel_id)).silence
        assert said is not None
        assert said.words == "its node does not answer"
        assert said.since == record.silence.since
        assert [one.kernel_id for one in await silences.marked()] == [kernel_id]
        await silences.heard(kernel_id, 1)
        assert (await found(records, kernel_id)).silence is not None
        await silences.heard(kernel_id, 2)
        assert (await found(records, kernel_id)).silence is None
        assert await silences.marked() == []
        assert await silences.mark(kernel_id, 2, 15.0)
        claimed = await records.claim(kernel_id, KEY, 2)
        assert claimed is not None
        assert claimed.silence is None
        # Too late.
        await silences.say(record, "more")
        assert (await found(records, kernel_id)).silence is None
        events = [event.event for event in await KernelEvents(database, "a").of(kernel_id)]
        assert events.count("unreachable") == 2

    asyncio.run(scenario())


def test_kernels_of_gateways_that_have_ended_are_found(
    database: Database, records: KernelRecords, silences: SilenceRecords
) -> None:
    async def scenario() -> None:
        kernel_id = await running(records)
        await launched(records)

        def age(connection) -> None:  # type: ignore[no-untyped-def]
            then = datetime.now(UTC) - timedelta(seconds=40)
            connection.execute(update(kernel).values(changed=then))

        # Its gateway has never reported.
        assert await silences.unheard(20) == []
        await database.run(age)
        [(record, seconds)] = await silences.unheard(20)
        assert record.kernel_id == kernel_id
        assert 39 < seconds < 100
        # A gateway that has just reported speaks for its kernels.
        gateways = GatewayRecords(database, "gateway-a")
        await gateways.heartbeat("http://a", draining=False)
        assert await silences.unheard(20) == []
        await gateways.leave()
        assert await silences.mark(kernel_id, 2, seconds)
        assert await silences.unheard(20) == []

    asyncio.run(scenario())


def test_a_restart_waits_until_the_old_kernel_has_ended_and_happens_once(
    database: Database, box: SecretBox, records: KernelRecords, silences: SilenceRecords
) -> None:
    second = SilenceRecords(database, box, "gateway-b")
    living = timedelta(seconds=30)

    async def scenario() -> None:
        record = await unreachable(records, silences)
        kernel_id = record.kernel_id
        assert await second.waiting(living) == []
        asked = await silences.ask_restart(record, "eve")
        assert asked is not None
        assert (asked.owner, asked.epoch, asked.state) == ("gateway-a", 3, KernelState.RESTARTING)
        assert asked.silence is not None
        assert asked.silence.restart_by == "eve"
        # Only once, and the old agent is told to end if it comes back.
        assert await silences.ask_restart(record, "eve") is None
        assert await records.claim(kernel_id, KEY, 2) is None
        assert KEY in await records.agents.former_keys(kernel_id)
        # Another gateway takes it over as soon as its own has ended.
        gateways = GatewayRecords(database, "gateway-a")
        await gateways.heartbeat("http://a", draining=False)
        assert await second.waiting(living) == []
        assert [one.kernel_id for one in await silences.waiting(living)] == [kernel_id]
        await gateways.leave()
        [waiting] = await second.waiting(living)
        taken = await second.take(waiting)
        assert taken is not None
        assert (taken.owner, taken.epoch) == ("gateway-b", 4)
        assert await second.take(waiting) is None
        # The wish outlives the end of the old kernel, and ends with the new one's launch.
        assert await records.set_dead(kernel_id, 4, "it has ended")
        [dead] = await silences.waiting(living)
        assert (dead.state, dead.owner) == (KernelState.DEAD, None)
        assert await silences.take(dead) == dead
        assert await records.launch_again(dead, OTHER_KEY, "eve")
        assert await silences.waiting(living) == []
        assert not await records.launch_again(dead, OTHER_KEY, "eve")
        assert await records.set_dead(kernel_id, 6, "it has died again")
        assert await silences.waiting(living) == []

    asyncio.run(scenario())


def test_a_restart_that_cannot_be_done_says_why(
    records: KernelRecords, silences: SilenceRecords
) -> None:
    async def scenario() -> None:
        asked = await silences.ask_restart(await unreachable(records, silences), "eve")
        assert asked is not None
        assert await records.set_dead(asked.kernel_id, asked.epoch, "it has ended")
        dead = await found(records, asked.kernel_id)
        await silences.drop_restart(dead, "too many kernels")
        given_up = await found(records, asked.kernel_id)
        assert (given_up.silence, given_up.reason) == (None, "too many kernels")
        assert await silences.waiting(timedelta(seconds=30)) == []

    asyncio.run(scenario())


def test_any_reason_of_a_restart_that_cannot_be_done_is_recorded(
    records: KernelRecords, silences: SilenceRecords
) -> None:
    async def scenario() -> None:
        asked = await silences.ask_restart(await unreachable(records, silences), "eve")
        assert asked is not None
        assert await records.set_dead(asked.kernel_id, asked.epoch, "it has ended")
        dead = await found(records, asked.kernel_id)
        await silences.drop_restart(dead, "\ud800" + "x" * 70_000)
        given_up = await found(records, asked.kernel_id)
        assert (given_up.silence, given_up.reason[:3], len(given_up.reason)) == (
            None,
            "?xx",
            10_000,
        )

    asyncio.run(scenario())


def test_a_kernel_that_was_deleted_is_not_restarted(
    records: KernelRecords, silences: SilenceRecords
) -> None:
    async def scenario() -> None:
        record = await unreachable(records, silences)
        assert await silences.ask_restart(record, "eve") is not None
        assert await records.delete(record.kernel_id, "ada")
        assert await silences.waiting(timedelta(seconds=30)) == []
        assert (await found(records, record.kernel_id)).silence is None

    asyncio.run(scenario())
