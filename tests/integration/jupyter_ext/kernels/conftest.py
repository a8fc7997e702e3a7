"""Two labs in front of two gateways."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.jupyter_ext.kernels.fleet_of_labs import (
    Fleet,
    GatewaysBesideLabs,
    Labs,
)
from tests.servers.process import ServerDied
from tests.servers.seaweedfs import SeaweedFS


@pytest.fixture(scope="module")
def fleet(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    """Two labs and two gateways for a file of tests, which must leave all four running."""
    directory = Path(tempfile.mkdtemp(prefix="fleet-lab-", dir="/tmp"))
    try:
        gateways = GatewaysBesideLabs(directory, 2)
        try:
            labs = Labs(directory, gateways.signer, gateways.urls, seaweedfs, 2)
            try:
                yield Fleet(labs, gateways)
            finally:
                labs.stop()
        finally:
            gateways.stop()
    except (ServerDied, AssertionError):
        for log in sorted(directory.glob("*.log")):
            print(log, *log.read_text(errors="replace").splitlines()[-40:], sep="\n")
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)
