"""Transactions against real databases."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, Table, insert, select, update
from sqlalchemy.exc import DataError, IntegrityError

from jupyter_ext.database import engine
from jupyter_ext.database.engine import Database, DatabaseUnavailable, check, now_utc
from jupyter_ext.database.types import ByteString, UtcDateTime
from tests.servers.mariadb import MariaDB

metadata = MetaData()
counter = Table(
    "counter",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", Integer, nullable=False),
    mysql_engine="InnoDB",
)
names = Table(
    "names",
    metadata,
    Column("name", ByteString(255), primary_key=True),
    Column("at", UtcDateTime()),
    mysql_engine="InnoDB",
)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    database.run_blocking(metadata.create_all)
    yield database
    database.close()


async def test_read_then_write_loses_no_update(database: Database) -> None:
    """Many read-modify-write transactions by row locks, through two engines at once."""
    other = Database(database.url)
    database.run_blocking(lambda c: c.execute(insert(counter).values(id=1, value=0)))

    def add_one(connection: Connection) -> None:
        value = connection.execute(
            select(counter.c.value).where(counter.c.id == 1).with_for_update()
        ).scalar_one()
        connection.execute(update(counter).values(value=value + 1))

    try:
        await asyncio.gather(*(d.run(add_one) for d in (database, other) for _ in range(30)))
    finally:
        other.close()
    assert database.run_blocking(lambda c: c.execute(select(counter.c.value)).scalar_one()) == 60


@pytest.mark.parametrize("in_savepoint", [False, True])
def test_deadlock_runs_the_whole_transaction_again(
    mariadb_database: str, in_savepoint: bool
) -> None:
    database = Database(mariadb_database)
    database.run_blocking(metadata.create_all)
    database.run_blocking(
        lambda c: c.execute(insert(counter), [{"id": 1, "value": 0}, {"id": 2, "value": 0}])
    )
    both_hold_one = threading.Barrier(2)
    attempts: list[int] = []

    def change(first: int, second: int) -> None:
        def both(connection: Connection) -> None:
            is_first_attempt = first not in attempts
            attempts.append(first)
            for row in (first, second):
                with connection.begin_nested() if in_savepoint else contextlib.nullcontext():
                    connection.execute(
                        update(counter).where(counter.c.id == row).values(value=counter.c.value + 1)
                    )
                if row == first and is_first_attempt:
                    both_hold_one.wait(timeout=10)

        database.run_blocking(both)

    threads = [threading.Thread(target=change, args=order) for order in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = database.run_blocking(lambda c: c.execute(select(counter.c.value)).scalars().all())
    database.close()
    assert list(values) == [2, 2]
    assert len(attempts) == 3, "one of the two was the deadlock's victim and ran again"


def test_what_the_function_raises_rolls_back(database: Database) -> None:
    def fail(connection: Connection) -> None:
        connection.execute(insert(counter).values(id=7, value=7))
        raise LookupError("no")

    with pytest.raises(LookupError):
        database.run_blocking(fail)
    assert database.run_blocking(lambda c: c.execute(select(counter)).all()) == []


@pytest.mark.parametrize("given_up", ["canceled", "too slow"])
async def test_what_nobody_waits_for_is_not_committed(
    database: Database, given_up: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, may_end = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        connection.execute(insert(counter).values(id=7, value=7))
        began.set()
        may_end.wait(30)

    if given_up == "too slow":
        monkeypatch.setattr(engine, "RUN_SECONDS", 1.0)
    work = asyncio.ensure_future(database.run(slow))
    assert await asyncio.to_thread(began.wait, 30)
    if given_up == "canceled":
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    else:
        with pytest.raises(DatabaseUnavailable) as refused:
            await work
        assert "does not answer within 1 s" in refused.value.for_operator
    may_end.set()
    # Returns when the thread is done.
    await asyncio.to_thread(database.close)
    again = Database(database.url)
    assert again.run_blocking(lambda c: c.execute(select(counter)).all()) == []
    again.close()


def test_names_are_compared_byte_by_byte(database: Database) -> None:
    different = ["a", "A", "a ", " a", "é", "e\u0301", "ß", "ss", "İ", "i", "x\\", "日本", "😀"]
    database.run_blocking(lambda c: c.execute(insert(names), [{"name": n} for n in different]))
    stored = database.run_blocking(
        lambda c: c.execute(select(names.c.name).order_by(names.c.name)).scalars().all()
    )
    assert stored == sorted(different, key=str.encode)
    for name in different:
        query = select(names.c.name).where(names.c.name == name)
        with database.engine.connect() as connection:
            assert connection.execute(query).scalars().all() == [name]
    with pytest.raises(IntegrityError):
        database.run_blocking(lambda c: c.execute(insert(names).values(name="é")))


def test_too_long_a_name_is_refused_by_the_server(mariadb_database: str) -> None:
    database = Database(mariadb_database)
    database.run_blocking(metadata.create_all)
    with pytest.raises(DataError):
        database.run_blocking(lambda c: c.execute(insert(names).values(name="é" * 128)))
    database.close()


def test_times_keep_microseconds_and_zone(database: Database) -> None:
    time = datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=UTC)
    elsewhere = time.astimezone(datetime.now().astimezone().tzinfo)
    database.run_blocking(lambda c: c.execute(insert(names).values(name="t", at=elsewhere)))
    stored = database.run_blocking(lambda c: c.execute(select(names.c.at)).scalar_one())
    assert stored == time
    assert stored.utcoffset() == timedelta(0)
    assert abs(database.run_blocking(now_utc) - datetime.now(UTC)) < timedelta(seconds=60)


def test_sqlite_reader_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/x.sqlite")
    database.run_blocking(metadata.create_all)
    read: list[int] = []

    def write_while_another_reads(connection: Connection) -> None:
        connection.execute(insert(counter).values(id=1, value=1))
        reader = threading.Thread(
            target=lambda: read.append(
                len(
                    database.run_blocking(
                        lambda c: c.execute(select(counter)).all(), read_only=True
                    )
                )
            )
        )
        reader.start()
        reader.join(5)

    database.run_blocking(write_while_another_reads)
    database.close()
    assert read == [0], "the reader answered while the writer was open, and saw nothing of it"


def test_server_that_goes_away_is_unavailable(own_mariadb: MariaDB) -> None:
    database = Database(own_mariadb.url)
    database.run_blocking(metadata.create_all)
    own_mariadb.stop()
    with pytest.raises(DatabaseUnavailable) as refused:
        database.run_blocking(lambda c: c.execute(select(counter)).all())
    assert "cannot be reached" in refused.value.for_operator
    assert "fleet-test" not in refused.value.for_operator, "no password in messages"
    assert "127.0.0.1" not in str(refused.value), "no address for clients"
    database.close()


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda url: url.replace("fleet-test", "wrong"), "password"),
        (lambda url: url.rsplit("/", 1)[0] + "/missing", "create it"),
        (lambda url: url.split("@")[0] + "@127.0.0.1:1/fleet", "cannot be reached"),
        (lambda url: "postgresql://a@b/c", "sqlite:////absolute/path"),
        (lambda url: "nonsense", "sqlite:////absolute/path"),
        (lambda url: "sqlite:///relative", "absolute path"),
        (lambda url: "sqlite:////no/such/folder/x.sqlite", "/no/such/folder"),
    ],
)
def test_check_names_what_is_wrong(mariadb_url: str, change: object, word: str) -> None:
    assert callable(change)
    with pytest.raises(DatabaseUnavailable) as refused:
        check(change(mariadb_url))
    assert word in refused.value.for_operator
    assert "\n" not in refused.value.for_operator


def test_check_accepts_what_works(database_url: str) -> None:
    check(database_url)
