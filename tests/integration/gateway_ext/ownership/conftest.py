"""A database with the gateway's tables, and its kernel records."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_ext.ownership import migrations
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE, gateway_metadata
from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from tests.servers.mariadb import MariaDB
from tests.servers.migrated_database import MigratedDatabase


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    create_keys_file(tmp_path / "keys.json")
    return SecretBox(tmp_path / "keys.json")


def _migrated(url: str) -> MigratedDatabase:
    scripts = Path(migrations.__file__).parent
    return MigratedDatabase(
        url, gateway_metadata, lambda database: upgrade(database, scripts, GATEWAY_VERSION_TABLE)
    )


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MigratedDatabase:
    return _migrated(f"sqlite:///{tmp_path_factory.mktemp('migrated') / 'gateway.sqlite'}")


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: MariaDB) -> MigratedDatabase:
    return _migrated(mariadb.create_database())


@pytest.fixture(params=["sqlite", "mariadb"])
def gateway_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the gateway's tables, all empty: once SQLite, once MariaDB."""
    migrated: MigratedDatabase = request.getfixturevalue(f"migrated_{request.param}")
    return migrated.as_new(tmp_path / "gateway.sqlite")


@pytest.fixture
def database(gateway_database_url: str) -> Iterator[Database]:
    database = Database(gateway_database_url)
    yield database
    database.close()


@pytest.fixture
def records(database: Database, box: SecretBox) -> KernelRecords:
    return KernelRecords(database, box, "gateway-a")
