"""Transactions in a bounded thread pool, on SQLite or MySQL."""

import asyncio
import logging
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from jupyter_ext.database.unavailable import AwayLog, Unavailable

T = TypeVar("T")

_log = logging.getLogger("fleet.database")

RETRY_SECONDS = 20.0
"""How long a transaction that conflicts with others is retried."""

SQLITE_BUSY_SECONDS = 10.0
MYSQL_CONNECT_SECONDS = 5
MYSQL_ANSWER_SECONDS = 20
"""A database that does not answer for this long (frozen, partitioned) counts as unavailable."""
RUN_SECONDS = 30.0
"""No caller waits longer, even if many wait for a thread while the database does not answer."""

# MySQL errors: deadlock, lock wait timeout, and a savepoint that does not exist. The last one hides
# a deadlock within a savepoint: the server has rolled everything back, so SQLAlchemy fails to roll
# back to the savepoint and reports that instead of the deadlock.
_MYSQL_TRY_AGAIN = {1213, 1205, 1305}
_MYSQL_AWAY = {
    1040: "has too many connections",
    1044: "denies this user access to the database",
    1045: "rejects the user name or the password",
    1049: "has no database of that name: create it",
    1053: "is shutting down",
    1129: "has blocked this host",
    1130: "refuses connections from this host",
    1203: "has too many connections of this user",
    1290: "is read-only",
    1836: "is read-only",
    1927: "ended the connection",
    2002: "cannot be reached",
    2003: "cannot be reached",
    2005: "has a host name that cannot be resolved",
    2006: "ended the connection",
    2013: "ended the connection or did not answer",
    2014: "ended the connection",
    2055: "ended the connection",
}
_READ_ONLY_OPTION = "fleet_read_only"


class DatabaseUnavailable(Unavailable):
    """The database is unreachable, refuses us or is too busy; `for_operator` says which.

    If a transaction was being committed, it may or may not have taken effect.
    """

    FOR_CLIENTS = (
        "the database is unavailable or too busy: try again in a moment. If the problem "
        "persists, contact an operator: the server's log has details"
    )


class _GivenUp(Exception):
    """The caller no longer waits for the transaction."""


def _parse(url: str) -> URL:
    """The SQLAlchemy URL for `url`; raises DatabaseUnavailable if it is not a supported URL."""
    advice = "use sqlite:////absolute/path or mysql://user:password@host:port/database"
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise DatabaseUnavailable(f"the database URL cannot be read: {advice}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if not parsed.database or not Path(parsed.database).is_absolute():
            raise DatabaseUnavailable(f"the SQLite database needs an absolute path: {advice}")
        return parsed
    if backend in ("mysql", "mariadb"):
        if not parsed.host or not parsed.database:
            raise DatabaseUnavailable(f"the database URL lacks its host or database: {advice}")
        return parsed.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
    raise DatabaseUnavailable(f"{backend!r} is not a supported database: {advice}")


def _make_engine(url: URL, threads: int) -> Engine:
    if url.get_backend_name() == "sqlite":
        engine = create_engine(
            url,
            pool_size=threads,
            max_overflow=threads,
            pool_timeout=SQLITE_BUSY_SECONDS,
            connect_args={"timeout": SQLITE_BUSY_SECONDS, "check_same_thread": False},
        )
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    return create_engine(
        url,
        pool_size=threads,
        max_overflow=threads,
        pool_timeout=MYSQL_CONNECT_SECONDS,
        pool_pre_ping=True,
        pool_recycle=900,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": MYSQL_CONNECT_SECONDS,
            "read_timeout": MYSQL_ANSWER_SECONDS,
            "write_timeout": MYSQL_ANSWER_SECONDS,
            # Shorter than the read timeout, so that a lock wait ends as 1205 and is tried again.
            "init_command": "SET time_zone='+00:00', innodb_lock_wait_timeout=10, "
            "sql_mode='STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO'",
        },
    )


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    # None leaves BEGIN to us: the driver's own BEGIN is DEFERRED, and a DEFERRED transaction that
    # reads and then writes fails at once when another process wrote in between.
    connection.isolation_level = None
    cursor = connection.cursor()
    deadline = time.monotonic() + SQLITE_BUSY_SECONDS
    while True:
        try:
            # Does not honor the busy timeout while several processes open a new file.
            cursor.execute("PRAGMA journal_mode=WAL")
            break
        except sqlite3.OperationalError as error:
            if not _is_sqlite_busy(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.02)
    # FULL: what was acknowledged outlives a power cut, not only a killed process.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    read_only = connection.get_execution_options().get(_READ_ONLY_OPTION, False)
    connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")


def _is_sqlite_busy(error: BaseException | None) -> bool:
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


def _mysql_code(error: BaseException | None) -> int | None:
    arguments = getattr(error, "args", ())
    return arguments[0] if arguments and isinstance(arguments[0], int) else None


def _must_try_again(error: DBAPIError) -> bool:
    return _is_sqlite_busy(error.orig) or _mysql_code(error.orig) in _MYSQL_TRY_AGAIN


class Database:
    """One database and the threads that use it.

    `url` is `sqlite:////absolute/path` or `mysql://user:password@host:port/database`. At most
    `threads` transactions of `run` are in progress at a time. Raises DatabaseUnavailable for an
    invalid URL; connects only when first used.
    """

    def __init__(self, url: str, *, threads: int = 8) -> None:
        parsed = _parse(url)
        self.url = url
        self.shown_url = make_url(url).render_as_string(hide_password=True)
        """The URL for messages and logs, without its password."""
        self.sqlite_file = (
            Path(parsed.database or "") if parsed.get_backend_name() == "sqlite" else None
        )
        self.engine = _make_engine(parsed, threads)
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="fleet-sql")
        self._away = AwayLog(_log)

    async def run(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        """`function(connection)` in one transaction on a thread of the pool; its result.

        The whole transaction is retried after a conflict with another one (deadlock, lock timeout,
        busy SQLite), so `function` must have no effects outside the database. Any exception rolls
        the transaction back. `read_only` promises that it writes nothing: on SQLite it then does
        not wait for writers. Raises DatabaseUnavailable, after RUN_SECONDS at most. After that, or
        if the caller was canceled, the transaction is rolled back unless its commit has begun.
        """
        loop = asyncio.get_running_loop()
        given_up = threading.Event()

        def wanted(connection: Connection) -> T:
            result = function(connection)
            # Raised within the transaction: it is not committed.
            if given_up.is_set():
                raise _GivenUp
            return result

        work = loop.run_in_executor(
            self._threads, lambda: self.run_blocking(wanted, read_only=read_only)
        )
        try:
            # Not `wait_for`: before Python 3.12 that swallows a cancellation that comes together
            # with the result.
            async with asyncio.timeout(RUN_SECONDS):
                return await work
        except TimeoutError:
            error = DatabaseUnavailable(
                f"the database {self.shown_url} does not answer within {RUN_SECONDS:g} s"
            )
            self._away.note(error)
            raise error from None
        except DatabaseUnavailable as error:
            self._away.note(error)
            raise
        finally:
            given_up.set()

    def run_blocking(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        """The same as `run` on the calling thread."""
        deadline = time.monotonic() + RETRY_SECONDS
        pause = 0.005
        while True:
            try:
                return self._transaction(function, read_only)
            except DBAPIError as error:
                if _must_try_again(error):
                    if time.monotonic() > deadline:
                        raise DatabaseUnavailable(
                            f"the database {self.shown_url} is too busy: {error.orig}"
                        ) from error
                else:
                    self._raise_if_away(error)
                    raise
            except PoolTimeout as error:
                raise DatabaseUnavailable(
                    f"all connections to the database {self.shown_url} are in use"
                ) from error
            # Jitter, or the same two transactions meet again.
            time.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311
            pause = min(pause * 2, 0.25)

    def _transaction(self, function: Callable[[Connection], T], read_only: bool) -> T:
        with self.engine.connect() as connection:
            if read_only:
                connection = connection.execution_options(**{_READ_ONLY_OPTION: True})
            with connection.begin():
                return function(connection)

    def _raise_if_away(self, error: DBAPIError) -> None:
        reason = None
        if self.sqlite_file is not None:
            code = getattr(error.orig, "sqlite_errorcode", None)
            if code is not None and code & 0xFF in (
                sqlite3.SQLITE_CANTOPEN,
                sqlite3.SQLITE_READONLY,
                sqlite3.SQLITE_FULL,
                sqlite3.SQLITE_IOERR,
                sqlite3.SQLITE_NOTADB,
                sqlite3.SQLITE_CORRUPT,
            ):
                reason = f"cannot be used: {error.orig}"
        else:
            reason = _MYSQL_AWAY.get(_mysql_code(error.orig) or 0)
            if reason is None and error.connection_invalidated:
                reason = "ended the connection"
        if reason is not None:
            raise DatabaseUnavailable(f"the database {self.shown_url} {reason}") from error

    def close(self) -> None:
        """Waits for transactions in progress, then closes every connection."""
        self._threads.shutdown(wait=True)
        self.engine.dispose()


def now_utc(connection: Connection) -> datetime:
    """The time of the database's clock, the only clock that all labs and gateways share."""
    if connection.dialect.name == "sqlite":
        # SQLite's clock is that of the machine, but it only tells milliseconds.
        return datetime.now(UTC)
    now: datetime = connection.execute(text("SELECT UTC_TIMESTAMP(6)")).scalar_one()
    return now.replace(tzinfo=UTC)


def check(url: str) -> None:
    """Raises DatabaseUnavailable with one clear line unless the database can be written to."""
    database = Database(url, threads=1)
    try:
        if database.sqlite_file is not None and not database.sqlite_file.parent.is_dir():
            raise DatabaseUnavailable(
                f"the folder {database.sqlite_file.parent} of the SQLite database does not exist: "
                "create it or name another"
            )
        database.run_blocking(lambda connection: connection.execute(text("SELECT 1")).scalar_one())
    except SQLAlchemyError as error:
        line = str(getattr(error, "orig", None) or error).splitlines()[0]
        raise DatabaseUnavailable(
            f"the database {database.shown_url} cannot be used: {line}"
        ) from error
    finally:
        database.close()


_shared: dict[str, Database] = {}
_shared_lock = threading.Lock()


def shared(url: str) -> Database:
    """The one Database of this process for `url`, made when first asked for; never closed."""
    with _shared_lock:
        if url not in _shared:
            _shared[url] = Database(url)
        return _shared[url]
