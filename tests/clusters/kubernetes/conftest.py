"""One cluster and one pair of gateways for all tests of this folder, which must leave both as they
are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clusters.inside import run_folder
from tests.clusters.kubernetes.audit import violation
from tests.clusters.kubernetes.cluster import GATEWAY_USER, Cluster, running_cluster
from tests.clusters.kubernetes.documented_rights import documented_rights
from tests.clusters.kubernetes.pod_fleet import PodFleet, pod_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

DELETION_SECONDS = 90.0


@pytest.fixture(scope="package")
def cluster() -> Iterator[Cluster]:
    """A real Kubernetes with a real node."""
    directory = run_folder() / "kubernetes"
    directory.mkdir()
    # The runner removes it, when nothing is mounted below it any more.
    with running_cluster(directory) as cluster:
        yield cluster


@pytest.fixture(scope="package")
def shared_fleet(cluster: Cluster) -> Iterator[PodFleet]:
    """Two gateways."""
    with pod_fleet(cluster) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: PodFleet, audited: Cluster) -> Iterator[PodFleet]:
    """Two gateways that still run at the end of the test, and no kernel."""
    yield shared_fleet
    _end_kernels(shared_fleet)
    # Whatever a test did: nothing of its kernels stays.
    wait_until(lambda: not audited.of_all_kernels(), DELETION_SECONDS)


def _end_kernels(fleet: PodFleet) -> None:
    client = fleet.gateways.client("cleaner", demo="owner")
    for kernel in client.call("GET", fleet.url(0)).json():
        fleet.end(kernel["id"])


@pytest.fixture
def audited(cluster: Cluster) -> Iterator[Cluster]:
    """The cluster; fails the test if a gateway asked it for what it may not ask."""
    # What came before belongs to another test.
    cluster.audit.entries(GATEWAY_USER)
    yield cluster
    rights = documented_rights()
    found = [violation(entry, rights) for entry in cluster.audit.entries(GATEWAY_USER)]
    assert not [one for one in found if one is not None]
