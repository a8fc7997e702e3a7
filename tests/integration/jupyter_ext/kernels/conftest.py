"""Two labs in front of two gateways."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder


@pytest.fixture(scope="module")
def fleet(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    """Two labs and two gateways for a file of tests, which must leave all four running."""
    with short_folder("fleet-lab-") as directory:
        gateways = Gateways(directory, 2)
        try:
            labs = Labs(directory, gateways.signer, gateways.urls, seaweedfs, 2)
            try:
                yield Fleet(labs, gateways)
            finally:
                labs.stop()
        finally:
            gateways.stop()
