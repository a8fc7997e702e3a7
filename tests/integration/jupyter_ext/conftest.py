"""Databases with the lab's tables, and two labs of one fleet without gateways."""

import importlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.migrate import upgrade_lab
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.mariadb import MariaDB
from tests.servers.migrated_database import MigratedDatabase
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

MOST_WORKSPACES = 10
"""Of one user of these labs."""


def _migrated(url: str) -> MigratedDatabase:
    # They add their tables to the metadata.
    for folder in ("contents", "sessions", "userdata"):
        importlib.import_module(f"jupyter_ext.{folder}.tables")
    return MigratedDatabase(url, lab_metadata, upgrade_lab)


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> MigratedDatabase:
    return _migrated(f"sqlite:///{tmp_path_factory.mktemp('migrated') / 'lab.sqlite'}")


@pytest.fixture(scope="session")
def migrated_mariadb(mariadb: MariaDB) -> MigratedDatabase:
    return _migrated(mariadb.create_database())


@pytest.fixture(params=["sqlite", "mariadb"])
def lab_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the lab's tables and no content: once SQLite, once MariaDB."""
    migrated: MigratedDatabase = request.getfixturevalue(f"migrated_{request.param}")
    return migrated.as_new(tmp_path / "lab.sqlite")


@pytest.fixture(scope="session")
def bare_labs(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    """Two labs whose gateways are all away."""
    with short_folder("fleet-bare-") as directory:
        changes = {"JupyterFleet": {"max_workspaces": MOST_WORKSPACES}}
        labs = start_bare_labs(directory, seaweedfs, 2, changes)
        try:
            yield labs
        finally:
            labs.stop()
