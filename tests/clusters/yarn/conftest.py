"""One cluster and one pair of gateways for all tests of this folder, which must leave both as they
are."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.clusters.inside import run_folder
from tests.clusters.yarn.audit import violation
from tests.clusters.yarn.cluster import Yarn, running_yarn
from tests.clusters.yarn.yarn_fleet import SECONDS, YarnFleet, yarn_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until


@pytest.fixture(scope="session")
def yarn() -> Iterator[Yarn]:
    """A real YARN with one node, on which somebody else runs an application, too."""
    directory = run_folder() / "yarn"
    directory.mkdir()
    with running_yarn(directory) as yarn:
        yarn.add_of_others()
        yield yarn
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def shared_fleet(yarn: Yarn) -> Iterator[YarnFleet]:
    """Two gateways."""
    with yarn_fleet(yarn) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: YarnFleet) -> Iterator[YarnFleet]:
    """Two gateways that still run at the end of the test, and no kernel. Fails the test if a
    gateway asked the ResourceManager for what it may not ask, anything of a kernel is left, or the
    application of somebody else is not."""
    yarn, begun = shared_fleet.yarn, len(shared_fleet.yarn.proxy.calls)
    yield shared_fleet
    client = shared_fleet.gateways.client("cleaner", demo="owner")
    for kernel in client.call("GET", shared_fleet.url(0)).json():
        shared_fleet.end(kernel["id"])
    wait_until(lambda: not yarn.left(), SECONDS)
    others = yarn.of_others()
    found = [violation(call, set(others)) for call in yarn.proxy.calls[begun:]]
    assert [one for one in found if one is not None] == []
    assert list(others.values()) == ["ACCEPTED"]
