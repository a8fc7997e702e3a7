"""Kernel records on SQLite and MariaDB."""

import asyncio
import dataclasses
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, inspect, text

from gateway_ext.ownership import migrations
from gateway_ext.ownership.records import (
    FIRST_UID,
    LimitReached,
    Limits,
    NewKernel,
    Observation,
    Records,
)
from gateway_ext.ownership.states import KernelState
from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE, gateway_metadata
from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade
from jupyter_ext.platform.encryption import SecretBox, create_keys_file

KEY = b"k" * 32


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    create_keys_file(tmp_path / "keys.json")
    return SecretBox(tmp_path / "keys.json")


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade(database, Path(migrations.__file__).parent, GATEWAY_VERSION_TABLE)
    yield database
    database.close()


@pytest.fixture
def records(database: Database, box: SecretBox) -> Records:
    return Records(database, box, "gateway-a")


def new_kernel(**changes: object) -> NewKernel:
    values: dict[str, object] = {
        "kernel_id": str(uuid.uuid4()),
        "project": "demo",
        "path": "demo/nötbook.ipynb",
        "username": "ada",
        "kernel_name": "python",
        "environment": {"KERNEL_SECRET": "hush"},
    }
    return NewKernel(**{**values, **changes})  # type: ignore[arg-type]


async def launched(records: Records) -> str:
    new = new_kernel()
    assert await records.insert_launching(new, KEY) is not None
    return new.kernel_id


def observation(kernel_id: str, epoch: int, state: KernelState | None) -> Observation:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
    return Observation(kernel_id, epoch, state, "busy", 2, moment, "why")


def test_migration_makes_the_tables_of_the_code(database: Database) -> None:
    def look(connection):  # type: ignore[no-untyped-def]
        inspector = inspect(connection)
        return {
            name: {column["name"] for column in inspector.get_columns(name)}
            for name in inspector.get_table_names()
        }

    tables = database.run_blocking(look)
    assert set(tables) == {*gateway_metadata.tables, GATEWAY_VERSION_TABLE}
    for name, table in gateway_metadata.tables.items():
        assert tables[name] == {column.name for column in table.columns}


def test_record_and_secrets(records: Records, database: Database) -> None:
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
        claimers = [Records(database, box, f"gateway-{number}") for number in range(20)]
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
        old, new = Records(database, box, "old"), Records(database, box, "new")
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


def test_a_claim_that_nobody_waits_for_changes_nothing(records: Records) -> None:
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


def test_former_agents_are_known_until_they_are_forgotten(records: Records) -> None:
    async def run() -> None:
        kernel_id = await launched(records)
        assert await records.former_keys(kernel_id) == []
        assert await records.set_dead(kernel_id, 1, "x")
        dead = await records.get(kernel_id)
        assert dead is not None
        assert await records.launch_again(dead, b"2" * 32, "ada")
        # Somebody else was first: nothing is written twice.
        assert not await records.launch_again(dead, b"3" * 32, "ada")
        assert KEY in await records.former_keys(kernel_id)
        assert await records.former_keys(str(uuid.uuid4())) == []
        await records.forget(deleted=timedelta(days=1), dead=timedelta(days=1))
        assert KEY in await records.former_keys(kernel_id)
        await records.forget(deleted=timedelta(0), dead=timedelta(days=1))
        assert await records.former_keys(kernel_id) == []

    asyncio.run(run())


def test_deleted_is_for_good(records: Records) -> None:
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
        assert [one.kernel_id for one in await records.unended(timedelta(0))] == [kernel_id]
        await records.ended(kernel_id)
        ended = await records.get(kernel_id)
        assert ended == dataclasses.replace(record, owner=None)
        assert await records.unended(timedelta(0)) == []
        # The key proves to the agent that it must end; the environment is nobody's business now.
        stored = await records.secrets(kernel_id)
        assert stored is not None
        assert (stored.agent_key, stored.environment) == (KEY, {})
        assert await records.forget(deleted=timedelta(days=1), dead=timedelta(days=1)) == 0
        assert await records.forget(deleted=timedelta(0), dead=timedelta(days=1)) == 1
        assert await records.get(kernel_id) is None

    asyncio.run(run())


def test_a_dead_kernel_is_launched_again_once(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        launchers = [Records(database, box, f"gateway-{number}") for number in range(5)]
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
    records: Records, database: Database
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
        assert await records.former_keys(kernel_id) == [KEY]

    asyncio.run(run())


def test_members_and_orphans(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        here, there = Records(database, box, "here"), Records(database, box, "there")
        await here.heartbeat("http://here", draining=False)
        await there.heartbeat("http://there", draining=False)
        await there.heartbeat("http://there:2", draining=True)
        kernel_id = await launched(there)
        members = await here.members(timedelta(seconds=60))
        assert [(m.name, m.url, m.draining, m.kernels) for m in members] == [
            ("here", "http://here", False, 0),
            ("there", "http://there:2", True, 1),
        ]
        assert await here.members(timedelta(seconds=-1)) == []
        assert await here.orphans(timedelta(seconds=60)) == []
        # As a second later, if nothing may be silent for any time at all.
        assert [o.kernel_id for o in await here.orphans(timedelta(seconds=-1))] == [kernel_id]
        await there.leave()
        assert [m.name for m in await here.members(timedelta(seconds=60))] == ["here"]

    asyncio.run(run())


def test_each_project_gets_one_uid(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        gateways = [Records(database, box, f"gateway-{number}") for number in range(4)]
        projects = ["a", "b", "c"]
        uids = await asyncio.gather(
            *(each.assign_uid(project) for each in gateways for project in projects)
        )
        by_project = {
            project: set(uids[number :: len(projects)]) for number, project in enumerate(projects)
        }
        assert all(len(found) == 1 for found in by_project.values())
        assert set(uids) == {FIRST_UID, FIRST_UID + 1, FIRST_UID + 2}

    asyncio.run(run())


def test_uids_start_where_a_fleet_is_told_and_are_kept(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        before = Records(database, box, "gateway-a")
        assert await before.assign_uid("old") == FIRST_UID
        now = Records(database, box, "gateway-a", first_uid=FIRST_UID + 5000)
        assert await now.assign_uid("old") == FIRST_UID
        assert await now.assign_uid("new") == FIRST_UID + 5000
        # Another first id never leads back to one that is in use.
        assert await before.assign_uid("newer") == FIRST_UID + 5001

    asyncio.run(run())


def test_a_reason_that_no_column_takes_is_cut(records: Records) -> None:
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
        details = {event.detail for event in await records.events(kernel_id)}
        assert details == {"epoch 1", record.reason}

    asyncio.run(run())


def test_names_are_compared_byte_by_byte(records: Records) -> None:
    async def run() -> None:
        lower = str(uuid.UUID(int=0xABCDEF))
        assert await records.insert_launching(new_kernel(kernel_id=lower), KEY)
        assert await records.get(lower.upper()) is None

    asyncio.run(run())


def test_every_change_of_a_kernel_is_conditional_and_leaves_an_event(
    database: Database, records: Records
) -> None:
    statements: list[str] = []

    def look(connection, cursor, statement, *others):  # type: ignore[no-untyped-def]
        if statement.startswith("UPDATE fleet_kernel SET"):
            statements.append(statement)

    async def run() -> list[str]:
        kernel_id = await launched(records)
        claim = await records.claim(kernel_id, KEY, 0)
        assert claim is not None
        for state in (
            KernelState.RUNNING,
            KernelState.RUNNING,
            KernelState.RESTARTING,
            KernelState.RUNNING,
            KernelState.DEAD,
        ):
            await records.observe([observation(kernel_id, claim.epoch, state)])
        assert await records.set_dead(kernel_id, claim.epoch, "its agent has ended")
        dead = await records.get(kernel_id)
        assert dead is not None
        assert await records.launch_again(dead, KEY, "bob")
        assert await records.delete(kernel_id, "eve")
        other = await launched(records)
        assert await records.set_dead(other, 1, "no such program")
        await records.forget(deleted=timedelta(days=1), dead=timedelta(days=-1))
        forgotten = await records.get(other)
        assert forgotten is not None
        assert forgotten.state is KernelState.DELETED
        return [f"{e.event} {e.username}".strip() for e in await records.events(kernel_id)]

    event.listen(database.engine, "before_cursor_execute", look)
    events = asyncio.run(run())
    # Running was reported twice and happened once.
    assert events == [
        "launch ada",
        "claim",
        "running",
        "restarting",
        "running",
        "dead",
        "dead",
        "launch bob",
        "delete eve",
    ]
    assert len(statements) == 11
    for statement in statements:
        assignments, condition = statement.split(" WHERE ")
        assert "state=" in assignments
        for column in ("kernel_id", "epoch", "state"):
            assert f"fleet_kernel.{column} =" in condition, statement


def test_limits_hold_while_all_gateways_start_kernels(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        gateways = [Records(database, box, f"gateway-{number}") for number in range(8)]
        limits = Limits(kernels=5, kernels_per_user=3)
        starts = [
            each.insert_launching(new_kernel(username=user), KEY, limits)
            for user in ("ada", "bob")
            for each in gateways
        ]
        results = await asyncio.gather(*starts, return_exceptions=True)
        refused = [result for result in results if isinstance(result, LimitReached)]
        assert len(refused) == len(results) - 5
        kernels = await gateways[0].list_kernels()
        by_user = {user: [k for k in kernels if k.username == user] for user in ("ada", "bob")}
        assert sorted(len(found) for found in by_user.values()) == [2, 3]
        # The same id again is no kernel more; one that ended makes room for one, and only one.
        again = new_kernel(kernel_id=kernels[0].kernel_id, username=kernels[0].username)
        assert await gateways[3].insert_launching(again, KEY, limits) is None
        assert await gateways[2].set_dead(kernels[0].kernel_id, kernels[0].epoch, "over")
        dead = await gateways[2].get(kernels[0].kernel_id)
        assert dead is not None
        assert await gateways[2].launch_again(dead, KEY, "ada", limits)
        assert await gateways[2].delete(kernels[1].kernel_id, "ada")
        assert await gateways[2].insert_launching(new_kernel(username="eve"), KEY, limits)
        with pytest.raises(LimitReached, match="no more than 5"):
            await gateways[2].insert_launching(new_kernel(username="eve"), KEY, limits)
        one_each = Limits(kernels_per_user=1)
        with pytest.raises(
            LimitReached, match="eve has 1 kernel, and the limit for each user is 1"
        ):
            await gateways[2].insert_launching(new_kernel(username="eve"), KEY, one_each)
        with pytest.raises(LimitReached, match="bob has"):
            await gateways[2].insert_launching(
                new_kernel(username="bob"), KEY, Limits(kernels_per_user=0)
            )

    asyncio.run(run())
