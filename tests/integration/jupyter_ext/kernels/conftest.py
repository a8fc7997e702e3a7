"""Two labs in front of two gateways."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.jupyter_ext.kernels.bare_lab import BareLabs
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, running_fleet
from tests.integration.jupyter_ext.kernels.gated_kernels import GatedKernels
from tests.servers.seaweedfs import SeaweedFS


@pytest.fixture(scope="package")
def shared_fleet(seaweedfs: SeaweedFS) -> Iterator[Fleet]:
    with running_fleet(seaweedfs, gateway_count=2, lab_count=2) as fleet:
        yield fleet


@pytest.fixture(scope="module")
def fleet(shared_fleet: Fleet) -> Iterator[Fleet]:
    """Two labs and two gateways for a file of tests, which must leave all four running. What the
    tests leave of sessions and kernels is ended."""
    yield shared_fleet
    everybody = shared_fleet.gateways.client("cleaner", demo="owner", other="owner")
    for kind, query in (("sessions", ""), ("kernels", "?personal=all")):
        url = f"{shared_fleet.urls[0]}/api/{kind}"
        for one in everybody.call("GET", f"{url}{query}").json():
            # The session may have gone with another one's kernel.
            answer = everybody.call("DELETE", f"{url}/{one['id']}")
            assert answer.status_code in (204, 404), answer.text


@pytest.fixture
def bare_labs(fleet: Fleet, tmp_path: Path) -> Iterator[BareLabs]:
    """Three labs in front of the fleet's gateways that may be killed often."""
    labs = BareLabs(tmp_path, fleet.gateways, 3)
    try:
        yield labs
    finally:
        labs.stop()


@pytest.fixture(scope="package")
def gate(shared_fleet: Fleet) -> GatedKernels:
    """The gate of the fleet's kernelspecs."""
    return GatedKernels(shared_fleet.gateways)
