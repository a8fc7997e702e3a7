"""Two labs of one fleet, without gateways."""

from collections.abc import Iterator

import pytest

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

MOST_WORKSPACES = 10
"""Of one user of these labs."""


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
