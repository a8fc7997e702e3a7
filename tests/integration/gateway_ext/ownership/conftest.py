"""A database with the gateway's tables, and its kernel records."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_ext.ownership import migrations
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.tables import GATEWAY_VERSION_TABLE
from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade
from jupyter_ext.platform.encryption import SecretBox, create_keys_file


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
def records(database: Database, box: SecretBox) -> KernelRecords:
    return KernelRecords(database, box, "gateway-a")
