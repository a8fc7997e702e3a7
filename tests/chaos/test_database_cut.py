"""A database behind a network that is cut: work goes on, and nothing is lost or doubled."""

import sys

import pytest

from tests.chaos.network import can_be_cut, run_inside
from tests.servers.short_folder import short_folder


@pytest.mark.timeout(420)
@pytest.mark.skipif(not can_be_cut(), reason="no namespaces can be made here")
def test_gateways_that_lose_the_database_lose_and_double_nothing() -> None:
    with short_folder("fleet-cut-") as folder:
        command = [sys.executable, "-m", "tests.chaos.database_cut", str(folder)]
        assert run_inside(command) == 0
