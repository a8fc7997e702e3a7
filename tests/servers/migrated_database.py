"""A database whose tables are made once for a test run: to make them for each test takes longer
than most tests."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, MetaData, insert, select, text
from sqlalchemy.engine import make_url

from jupyter_ext.database.engine import Database
from tests.servers.mariadb import MariaDB


class MigratedDatabase:
    """The tables of labs or of gateways, as they are after the migrations."""

    def __init__(self, url: str, tables: MetaData, upgrade: Callable[[Database], None]) -> None:
        """`upgrade` makes the tables in the database at `url`, which is empty."""
        self._url = url
        self._tables = tables
        database = Database(url)
        upgrade(database)
        self._rows = database.run_blocking(self._read, read_only=True)
        # SQLite's last connection to go writes the log into the file.
        database.close()

    def as_new(self, file: Path) -> str:
        """The URL of a database with the tables and with what the migrations put into them.

        That is the new file `file` for SQLite. For MariaDB it is always the same database, emptied:
        the test before has closed it, which waits for what it was still doing there.
        """
        url = make_url(self._url)
        if url.get_backend_name() == "sqlite":
            shutil.copy(str(url.database), file)
            return f"sqlite:///{file}"
        database = Database(self._url)
        database.run_blocking(self._empty)
        database.close()
        return self._url

    def _read(self, connection: Connection) -> dict[str, list[dict[str, object]]]:
        return {
            table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
            for table in self._tables.sorted_tables
        }

    def _empty(self, connection: Connection) -> None:
        # Rows of one table may refer to each other.
        connection.execute(text("SET SESSION foreign_key_checks = 0"))
        for table in self._tables.sorted_tables:
            connection.execute(table.delete())
            if rows := self._rows[table.name]:
                connection.execute(insert(table), rows)
        connection.execute(text("SET SESSION foreign_key_checks = 1"))


def database_fixtures(
    name: str, migrated: Callable[[str], MigratedDatabase]
) -> tuple[Any, Any, Any]:
    """The fixtures `migrated_sqlite` and `migrated_mariadb` of a conftest, and one that each test
    runs with twice: the URL of a database of either kind, as it is after the migrations.

    `migrated` makes the tables in the empty database at a URL; `name` is that of files.
    """

    @pytest.fixture(scope="session")
    def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MigratedDatabase:
        return migrated(f"sqlite:///{tmp_path_factory.mktemp('migrated') / name}.sqlite")

    @pytest.fixture(scope="session")
    def migrated_mariadb(mariadb: MariaDB) -> MigratedDatabase:
        return migrated(mariadb.create_database())

    @pytest.fixture(params=["sqlite", "mariadb"])
    def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
        made: MigratedDatabase = request.getfixturevalue(f"migrated_{request.param}")
        return made.as_new(tmp_path / f"{name}.sqlite")

    return migrated_sqlite, migrated_mariadb, database_url
