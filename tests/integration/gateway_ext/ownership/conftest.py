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
from tests.servers.migrated_database import MigratedDatabase, database_fixtures


@pytest.fixture
def box(tmp_path: Path) -> SecretBox:
    create_keys_file(tmp_path / "keys.json")
    return SecretBox(tmp_path / "keys.json")


def _migrated(url: str) -> MigratedDatabase:
    scripts = Path(migrations.__file__).parent
    return MigratedDatabase(
        url, gateway_metadata, lambda database: upgrade(database, scripts, GATEWAY_VERSION_TABLE)
    )


migrated_sqlite, migrated_mariadb, gateway_database_url = database_fixtures("gateway", _migrated)


@pytest.fixture
def database(gateway_database_url: str) -> Iterator[Database]:
    database = Database(gateway_database_url)
    yield database
    database.close()


@pytest.fixture
def records(database: Database, box: SecretBox) -> KernelRecords:
    return KernelRecords(database, box, "gateway-a")
