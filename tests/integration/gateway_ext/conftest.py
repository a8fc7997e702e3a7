"""Two gateways for tests."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    """Two gateways for a file of tests, which must leave both running."""
    with running_gateways() as gateways:
        yield gateways


@pytest.fixture
def own_gateways() -> Iterator[Gateways]:
    """Two gateways for one test, which may end them."""
    with running_gateways() as gateways:
        yield gateways
