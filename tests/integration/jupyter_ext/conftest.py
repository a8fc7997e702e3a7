"""Databases with the lab's tables, and two labs of one fleet without gateways."""

import importlib
from collections.abc import Iterator

import pytest

from jupyter_ext.database.metadata import lab_metadata
from jupyter_ext.database.migrate import upgrade_lab
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.migrated_database import MigratedDatabase, database_fixtures
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

MOST_WORKSPACES = 10
"""Of one user of these labs."""


def _migrated(url: str) -> MigratedDatabase:
    # They add their tables to the metadata.
    for folder in ("contents", "journals", "logins", "sessions", "userdata"):
        importlib.import_module(f"jupyter_ext.{folder}.tables")
    return MigratedDatabase(url, lab_metadata, upgrade_lab)


migrated_sqlite, migrated_mariadb, lab_database_url = database_fixtures("lab", _migrated)


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
