"""Two labs of one fleet, without gateways."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs, start_bare_labs
from tests.servers.seaweedfs import SeaweedFS


@pytest.fixture(scope="session")
def bare_labs(seaweedfs: SeaweedFS) -> Iterator[Labs]:
    """Two labs whose gateways are all away."""
    directory = Path(tempfile.mkdtemp(prefix="fleet-bare-", dir="/tmp"))
    try:
        labs = start_bare_labs(directory, seaweedfs, 2)
        try:
            yield labs
        finally:
            labs.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)
