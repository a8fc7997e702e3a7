"""Bringing tables to the revision that the code expects."""

import fcntl
import hashlib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.database.metadata import LAB_VERSION_TABLE

LOCK_SECONDS = 120.0
LAB_MIGRATIONS = Path(__file__).parent / "migrations"


class MigrationError(Exception):
    """The tables cannot be brought to the revision of this code; the text says why."""


def upgrade(database: Database, script_location: Path, version_table: str) -> None:
    """Runs every pending migration in `script_location`/versions.

    Safe when many processes start at once: one migrates, the others wait. MySQL commits every table
    change implicitly, so a migration must be repeatable after a crash in the middle
    (`if_not_exists=True`). Blocks; raises DatabaseUnavailable, or MigrationError if the database is
    newer than this code.
    """
    script = ScriptDirectory(str(script_location))
    if _is_current(database, script, version_table):
        return
    with _only_one(database, version_table):
        if not _is_current(database, script, version_table):
            database.run_blocking(lambda connection: _migrate(connection, script, version_table))


def upgrade_lab(database: Database) -> None:
    """Brings the lab's tables to this code's revision; see `upgrade`."""
    upgrade(database, LAB_MIGRATIONS, LAB_VERSION_TABLE)


def _is_current(database: Database, script: ScriptDirectory, version_table: str) -> bool:
    def current_heads(connection: Connection) -> tuple[str, ...]:
        options = {"version_table": version_table}
        return MigrationContext.configure(connection, opts=options).get_current_heads()

    current = set(database.run_blocking(current_heads, read_only=True))
    known = {revision.revision for revision in script.walk_revisions()}
    unknown = current - known
    if unknown:
        raise MigrationError(
            f"the database {database.shown_url} is at revision {', '.join(sorted(unknown))} of "
            f"{version_table}, which is newer than this version of jupyter-fleet: upgrade this "
            "machine, or restore the database from before the upgrade"
        )
    return current == set(script.get_heads())


def _migrate(connection: Connection, script: ScriptDirectory, version_table: str) -> None:
    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs("heads", revision)

    with EnvironmentContext(Config(), script, fn=steps, destination_rev="heads") as environment:
        environment.configure(connection=connection, version_table=version_table)
        with environment.begin_transaction():
            environment.run_migrations()


@contextmanager
def _only_one(database: Database, version_table: str) -> Iterator[None]:
    """Holds the lock for migrations, which is released when its process ends."""
    deadline = time.monotonic() + LOCK_SECONDS
    too_long = DatabaseUnavailable(
        f"another process has been migrating {database.shown_url} for {LOCK_SECONDS:.0f} s"
    )
    if database.sqlite_file is not None:
        lock_file = database.sqlite_file.with_name(database.sqlite_file.name + ".migrate-lock")
        with lock_file.open("a") as lock:
            while True:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise too_long from None
                    time.sleep(0.05)
            yield
        return
    # Named locks are global to the server: fleets in two databases must not block each other.
    scope = f"{database.engine.url.database}/{version_table}"
    name = "fleet-" + hashlib.sha256(scope.encode()).hexdigest()[:40]
    with database.engine.connect() as connection:
        while not connection.execute(text("SELECT GET_LOCK(:name, 5)"), {"name": name}).scalar():
            if time.monotonic() > deadline:
                raise too_long
        # The lock belongs to the connection, not to the transaction.
        connection.commit()
        try:
            yield
        finally:
            connection.execute(text("SELECT RELEASE_LOCK(:name)"), {"name": name})
            connection.commit()
