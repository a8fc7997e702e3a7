"""The network policy that is shipped, on a cluster whose network enforces policies."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
import yaml
from kubernetes import client

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.kubernetes.network_policies import build, enforced_policies
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.clusters.recipe_cache import OutOfTimeError, UnavailableError
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

MANIFEST = Path(__file__).parents[3] / "deploy" / "kubernetes" / "network-policy.yaml"
SECONDS = 90.0
BUILD_SECONDS = 400.0
PORT = 8000
LISTEN = f"import socket; listening = socket.create_server(('', {PORT}))"
TRY = """
import socket
try:
    socket.create_connection(({address!r}, {port}), 2).close()
    print("reached", flush=True)
except OSError as error:
    print("not reached", flush=True)
"""


def attempt(address: str) -> str:
    """Code that prints whether an address can be reached."""
    return TRY.format(address=address, port=PORT)


@contextmanager
def shipped_policy(cluster: Cluster) -> Iterator[None]:
    """The policy, as an administrator applies it."""
    manifest = yaml.safe_load(MANIFEST.read_text().replace("192.0.2.7/32", f"{ADDRESS}/32"))
    with cluster.plane.client() as api:
        networking: Any = client.NetworkingV1Api(api)
        networking.create_namespaced_network_policy(KERNELS, manifest)
        try:
            yield
        finally:
            networking.delete_namespaced_network_policy("kernels", KERNELS)


@contextmanager
def neighbour(cluster: Cluster, address: str) -> Iterator[str]:
    """A pod that is no kernel, listens, and tries to reach this address; its own."""
    program = f"{LISTEN}\nimport time\nwhile True:\n    time.sleep(0.5)\n"
    container = {
        "name": "c",
        "image": PYTHON_IMAGE,
        "command": ["/usr/bin/python3", "-c", program + indent(attempt(address), "    ")],
        "volumeMounts": [{"name": "usr", "mountPath": "/usr", "readOnly": True}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "usr", "hostPath": {"path": "/usr"}}],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    core = cluster.core
    core.create_namespaced_pod("default", {"metadata": {"name": "neighbour"}, "spec": spec})
    try:
        read = core.read_namespaced_pod_status
        yield wait_until(lambda: read("neighbour", "default").status.pod_ip, SECONDS)
    finally:
        core.delete_namespaced_pod("neighbour", "default")


@pytest.mark.full
@pytest.mark.timeout(900)
def test_nobody_reaches_a_kernel_and_a_kernel_reaches_nobody_but_its_gateways(
    fleet: PodFleet,
) -> None:
    try:
        program = build(time.monotonic() + BUILD_SECONDS)
    except (UnavailableError, OutOfTimeError) as error:
        pytest.skip(f"nothing enforces policies: {error}")
    cluster = fleet.cluster
    first, second = fleet.started("pod"), fleet.started("pod", 1)
    fleet.run(0, first, LISTEN)
    to_first = cluster.pod(first).status.pod_ip

    def tried(kernel_id: str, address: str) -> str:
        return fleet.run(0, kernel_id, attempt(address))

    with neighbour(cluster, to_first) as other:

        def tried_by_neighbour() -> str:
            log: str = cluster.core.read_namespaced_pod_log("neighbour", "default")
            return log.splitlines()[-1] if log else ""

        with enforced_policies(cluster.plane, program):
            wait_until(lambda: tried_by_neighbour() == "reached", SECONDS)
            wait_until(lambda: tried(second, other) == "reached", SECONDS)
            assert tried(second, to_first) == "reached"
            with shipped_policy(cluster):
                wait_until(lambda: tried_by_neighbour() == "not reached", SECONDS)
                wait_until(lambda: tried(second, other) == "not reached", SECONDS)
                assert tried(second, to_first) == "not reached"
                # What kernels are for goes on, and new ones start.
                third = fleet.started("pod")
                assert fleet.run(1, third, "print(6 * 7)") == "42"
                fleet.restart(second)
                assert tried(third, to_first) == "not reached"
            wait_until(lambda: tried_by_neighbour() == "reached", SECONDS)
