"""The node without containers behaves as a node does."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.control_plane import FAKE_NODES
from tests.clusters.kubernetes.fake_kubelet import TOLERATION, FakeKubelet, fake_node
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

SECONDS = 120.0


@pytest.fixture
def fake(cluster: Cluster) -> Iterator[FakeKubelet]:
    with fake_node(cluster.plane, FAKE_NODES[0], cpus="2") as fake:
        yield fake


def _pod(name: str, cpus: str, node: str) -> dict[str, Any]:
    container = {"name": "c", "image": "any", "resources": {"requests": {"cpu": cpus}}}
    return {
        "metadata": {"name": name},
        "spec": {
            "containers": [container],
            "tolerations": [TOLERATION],
            "nodeSelector": {"kubernetes.io/hostname": node},
            "automountServiceAccountToken": False,
        },
    }


def test_pods_run_as_far_as_there_is_room_and_end(cluster: Cluster, fake: FakeKubelet) -> None:
    core = cluster.core

    def phase(name: str) -> Any:
        return core.read_namespaced_pod(name, KERNELS).status

    for name in ("first", "second"):
        core.create_namespaced_pod(KERNELS, _pod(name, "1500m", fake.name))
    wait_until(lambda: phase("first").phase == "Running", SECONDS)
    wait_until(lambda: phase("second").conditions, SECONDS)
    assert "Insufficient cpu" in phase("second").conditions[0].message
    core.delete_namespaced_pod("first", KERNELS)
    wait_until(lambda: phase("second").phase == "Running", SECONDS)
    core.delete_namespaced_pod("second", KERNELS)
    # The audit of other tests counts kernels alone; these pods must be gone all the same.
    wait_until(lambda: not core.list_namespaced_pod(KERNELS).items, SECONDS)


def test_a_silent_node_is_not_ready(cluster: Cluster, fake: FakeKubelet) -> None:
    def ready() -> str:
        found = cluster.core.read_node(fake.name)
        [condition] = [one for one in found.status.conditions if one.type == "Ready"]
        status: str = condition.status
        return status

    wait_until(lambda: ready() == "True", SECONDS)
    fake.go_silent()
    wait_until(lambda: ready() == "Unknown", SECONDS)
