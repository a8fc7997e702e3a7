"""One fleet on scripted clusters for all of these tests, which must leave it as it is."""

from collections.abc import Iterator

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import kernel_python
from tests.integration.gateway_ext.process_proxies.cluster_fleet import (
    ClusterFleet,
    cluster_fleet,
    images,
)
from tests.servers.kubernetes_api import ScriptedKubernetes
from tests.servers.yarn_resource_manager import ScriptedResourceManager


@pytest.fixture(scope="package")
def kubernetes() -> Iterator[ScriptedKubernetes]:
    """A Kubernetes cluster with scripted answers."""
    kubernetes = ScriptedKubernetes(images())
    yield kubernetes
    kubernetes.stop()


@pytest.fixture(scope="package")
def yarn() -> Iterator[ScriptedResourceManager]:
    """A YARN cluster with scripted answers."""
    yarn = ScriptedResourceManager(kernel_python())
    yield yarn
    yarn.stop()


@pytest.fixture(scope="package")
def shared_fleet(
    kubernetes: ScriptedKubernetes,
    yarn: ScriptedResourceManager,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterFleet]:
    """The gateways."""
    with cluster_fleet(kubernetes, yarn, tmp_path_factory.mktemp("clusters")) as fleet:
        yield fleet


@pytest.fixture
def fleet(shared_fleet: ClusterFleet) -> Iterator[ClusterFleet]:
    """The gateways, and clusters whose scripts end with the test."""
    yield shared_fleet
    shared_fleet.kubernetes.end_scripts()
    shared_fleet.yarn.end_scripts()
