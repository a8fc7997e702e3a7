"""Two gateways for tests."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.servers.process import ServerDied


def _gateways() -> Iterator[Gateways]:
    directory = Path(tempfile.mkdtemp(prefix="fleet-gw-", dir="/tmp"))
    try:
        gateways = Gateways(directory, 2)
        try:
            yield gateways
        finally:
            gateways.stop()
    except (ServerDied, AssertionError):
        for log in sorted(directory.glob("*.log")):
            print(log, *log.read_text(errors="replace").splitlines()[-40:], sep="\n")
        raise
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    """Two gateways for a file of tests, which must leave both running."""
    yield from _gateways()


@pytest.fixture
def own_gateways() -> Iterator[Gateways]:
    """Two gateways for one test, which may end them."""
    yield from _gateways()
