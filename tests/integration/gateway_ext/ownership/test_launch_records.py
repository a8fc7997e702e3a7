"""How far launches are, on SQLite and MariaDB."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.launch_status import LaunchPhase, LaunchStatus, begun_status
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import kernel
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import KEY, launched, observation

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)


def pulling(message: str = "Pulling image “x”") -> LaunchStatus:
    return begun_status(NOW).after(LaunchPhase.PULLING, message, 2, NOW)


@pytest.fixture
def launches(database: Database) -> LaunchRecords:
    return LaunchRecords(database, "gateway-a")


async def status_of(records: KernelRecords, kernel_id: str) -> LaunchStatus | None:
    record = await records.get(kernel_id)
    assert record is not None
    return record.launch_status


async def test_a_launch_is_queued_until_its_owner_says_more(
    records: KernelRecords, launches: LaunchRecords
) -> None:
    first, second = await launched(records), await launched(records)
    begun = await status_of(records, first)
    assert begun is not None
    assert begun.phase is LaunchPhase.QUEUED
    await launches.write({first: (1, pulling()), second: (2, pulling())})
    assert await status_of(records, first) == pulling()
    # Of another epoch.
    assert (await status_of(records, second)).phase is LaunchPhase.QUEUED
    [listed] = [one for one in await records.list_kernels() if one.kernel_id == first]
    assert listed.launch_status == pulling()


async def test_another_gateway_says_nothing_of_a_launch(
    database: Database, records: KernelRecords
) -> None:
    kernel_id = await launched(records)
    await LaunchRecords(database, "gateway-b").write({kernel_id: (1, pulling())})
    assert (await status_of(records, kernel_id)).phase is LaunchPhase.QUEUED


async def test_a_kernel_that_runs_or_died_is_not_being_launched(
    records: KernelRecords, launches: LaunchRecords
) -> None:
    runs, dies = await launched(records), await launched(records)
    await launches.write({runs: (1, pulling()), dies: (1, pulling())})
    await records.observe([observation(runs, 1, KernelState.RUNNING)])
    assert await records.set_dead(dies, 1, "no room")
    await launches.write({runs: (1, pulling()), dies: (2, pulling())})
    assert await status_of(records, runs) is await status_of(records, dies) is None
    # Launched again: from the beginning.
    dead = await records.get(dies)
    assert dead is not None
    assert await records.launch_again(dead, b"n" * 32, "ada")
    again = await status_of(records, dies)
    assert again is not None
    assert again.phase is LaunchPhase.QUEUED


async def test_a_kernel_that_never_ran_is_told_from_one_that_ended_later(
    records: KernelRecords, launches: LaunchRecords
) -> None:
    async def not_run(kernel_id: str) -> bool:
        record = await records.get(kernel_id)
        assert record is not None
        return record.not_run

    refused, crashes, ended = [await launched(records) for _ in range(3)]
    await launches.write(dict.fromkeys((refused, crashes, ended), (1, pulling())))
    assert not await not_run(refused)
    assert await records.set_dead(refused, 1, "no room")
    # Its process ends each time that its agent starts it.
    for state in (KernelState.RESTARTING, KernelState.DEAD, KernelState.DEAD):
        await records.observe([observation(crashes, 1, state)])
        assert await not_run(crashes)
    for state in (KernelState.RUNNING, KernelState.RESTARTING, KernelState.DEAD):
        await records.observe([observation(ended, 1, state)])
        assert not await not_run(ended)
    assert await not_run(refused)
    # A restart that its agent does is no launch.
    await records.observe([observation(crashes, 1, KernelState.RUNNING)])
    await records.observe([observation(crashes, 1, KernelState.DEAD)])
    assert not await not_run(crashes)
    # Launched again, and nobody knows yet how that ends.
    dead = await records.get(refused)
    assert dead is not None
    assert await records.launch_again(dead, b"n" * 32, "ada")
    assert not await not_run(refused)


async def test_a_launch_that_was_given_up_keeps_its_reason(
    records: KernelRecords, launches: LaunchRecords
) -> None:
    kernel_id = await launched(records)
    await launches.write({kernel_id: (1, pulling())})
    assert await records.give_up(kernel_id, 1, "the image is broken")
    await launches.write({kernel_id: (1, pulling("later"))})
    status = await status_of(records, kernel_id)
    assert status is not None
    assert status.given_up == "the image is broken"
    assert "the image is broken" in status.shown()["message"]


async def test_a_launch_that_was_not_begun_begins_at_another_gateway_once(
    database: Database, box: SecretBox, records: KernelRecords
) -> None:
    kernel_id = await launched(records)
    found = await records.get(kernel_id)
    assert found is not None
    others = [KernelRecords(database, box, f"gateway-{name}") for name in "bc"]
    keys = [b"b" * 32, b"c" * 32]
    assert await others[0].launch_again(found, keys[0], "")
    assert not await others[1].launch_again(found, keys[1], "")
    record = await records.get(kernel_id)
    assert record is not None
    assert (record.state, record.owner, record.epoch) == (KernelState.LAUNCHING, "gateway-b", 2)
    # If the first gateway starts an agent after all, it is told to end.
    assert await records.agents.former_keys(kernel_id) == [KEY]
    assert not await records.set_process(kernel_id, KEY, {"pid": 1})


async def test_abandoned_launches_are_those_of_gateways_that_are_silent(
    database: Database, box: SecretBox, records: KernelRecords, launches: LaunchRecords
) -> None:
    gone = KernelRecords(database, box, "gateway-c")
    alive = await launched(KernelRecords(database, box, "gateway-b"))
    left, runs, own = await launched(gone), await launched(gone), await launched(records)
    await gone.observe([observation(runs, 1, KernelState.RUNNING)])
    await GatewayRecords(database, "gateway-b").heartbeat("http://b", draining=False)
    minute = timedelta(minutes=1)
    # Their gateways may just be starting.
    assert await launches.abandoned(minute) == []
    long_ago = update(kernel).values(changed=NOW)
    await database.run(lambda connection: connection.execute(long_ago))
    found = {record.kernel_id for record in await launches.abandoned(minute)}
    assert found == {left, own}
    assert alive not in found


async def test_of_a_launch_that_made_nothing_nobody_is_told_where_to_look(
    records: KernelRecords,
) -> None:
    process = {"proxy": "p", "name": "ada-1"}
    for made_nothing, left in ((True, None), (False, process)):
        kernel_id = await launched(records)
        assert await records.set_process(kernel_id, KEY, process)
        assert await records.set_dead(kernel_id, 1, "forbidden", made_nothing=made_nothing)
        record = await records.get(kernel_id)
        assert record is not None
        assert (record.process, record.reason, record.not_run) == (left, "forbidden", True)
