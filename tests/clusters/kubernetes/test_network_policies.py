"""The network policy that is shipped, on a cluster whose network enforces policies."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import indent
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml
from kubernetes import client

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.control_plane import SERVER
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.kubernetes.network_policies import enforced_policies, program
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.clusters.walk import cells
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

MANIFEST = Path(__file__).parents[3] / "deploy" / "kubernetes" / "network-policy.yaml"
SECONDS = 90.0
PORT, NAMES_PORT = 8000, 53
LISTEN = "import socket; listening = [socket.create_server(('', port)) for port in {ports}]"
TRY = """
import socket
try:
    socket.create_connection(({address!r}, {port}), 2).close()
    print("reached", flush=True)
except OSError as error:
    print("not reached", flush=True)
"""


def attempt(address: str, port: int = PORT) -> str:
    """Code that prints whether an address can be reached."""
    return TRY.format(address=address, port=port)


def documented_check() -> str:
    """The cell of the document that is to end with an error. The cluster has no kube-proxy, so that
    the API server has only its own address."""
    [cell] = [one for one in cells("Kubernetes") if "KUBERNETES_SERVICE_HOST" in one]
    server = urlsplit(SERVER)
    address = {
        "KUBERNETES_SERVICE_HOST": server.hostname,
        "KUBERNETES_SERVICE_PORT": str(server.port),
    }
    return (
        f"import os\nos.environ.update({address!r})\ntry:\n{indent(cell, '    ')}"
        "except TimeoutError:\n    print('not reached')\nelse:\n    print('reached')\n"
    )


@contextmanager
def shipped_policy(fleet: PodFleet) -> Iterator[None]:
    """The policy, as an administrator applies it: with the address and ports of the gateways."""
    manifest = yaml.safe_load(MANIFEST.read_text().replace("192.0.2.7/32", f"{ADDRESS}/32"))
    ports = [urlsplit(url).port for url in fleet.gateways.urls]
    manifest["spec"]["egress"][0]["ports"] = [{"protocol": "TCP", "port": port} for port in ports]
    with fleet.cluster.plane.client() as api:
        networking: Any = client.NetworkingV1Api(api)
        networking.create_namespaced_network_policy(KERNELS, manifest)
        try:
            yield
        finally:
            networking.delete_namespaced_network_policy("kernels", KERNELS)


@contextmanager
def neighbor(
    cluster: Cluster, address: str, namespace: str = KERNELS, **labels: str
) -> Iterator[str]:
    """A pod that is no kernel, listens, and tries to reach this address; its own."""
    code = LISTEN.format(ports=(PORT, NAMES_PORT))
    code += "\nimport time\nwhile True:\n    time.sleep(0.5)\n" + indent(attempt(address), "    ")
    container = {
        "name": "c",
        "image": PYTHON_IMAGE,
        "command": ["/usr/bin/python3", "-c", code],
        "volumeMounts": [{"name": "usr", "mountPath": "/usr", "readOnly": True}],
    }
    spec = {
        "containers": [container],
        "volumes": [{"name": "usr", "hostPath": {"path": "/usr"}}],
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 0,
    }
    core = cluster.core
    cluster.wait_for_account(namespace)
    pod = {"metadata": {"name": "neighbor", "labels": labels}, "spec": spec}
    core.create_namespaced_pod(namespace, pod)
    try:
        read = core.read_namespaced_pod_status
        yield wait_until(lambda: read("neighbor", namespace).status.pod_ip, SECONDS)
    finally:
        core.delete_namespaced_pod("neighbor", namespace)


def test_nobody_reaches_a_kernel_and_a_kernel_reaches_nobody_but_its_gateways_and_names(
    fleet: PodFleet,
) -> None:
    if not program().exists():
        pytest.skip("nothing that enforces policies could be built")
    cluster = fleet.cluster
    first, second = fleet.started("pod"), fleet.started("pod", 1)
    fleet.run(0, first, LISTEN.format(ports=(PORT,)))
    to_first = cluster.pod(first).status.pod_ip

    def tried(kernel_id: str, address: str, port: int = PORT) -> str:
        return fleet.run(0, kernel_id, attempt(address, port))

    with (
        neighbor(cluster, to_first) as other,
        neighbor(cluster, to_first, "kube-system", **{"k8s-app": "kube-dns"}) as names,
        socket.create_server((ADDRESS, 0)) as at_node,
        enforced_policies(cluster.plane),
    ):
        open_to_kernels = [
            (to_first, PORT),
            (other, PORT),
            (names, PORT),
            (ADDRESS, at_node.getsockname()[1]),
        ]

        def tried_by_neighbor() -> str:
            log: str = cluster.core.read_namespaced_pod_log("neighbor", KERNELS)
            return log.splitlines()[-1] if log else ""

        def all_tried(kernel_id: str) -> set[str]:
            places = {tried(kernel_id, *place) for place in open_to_kernels}
            return places | {fleet.run(0, kernel_id, documented_check())}

        wait_until(lambda: tried_by_neighbor() == "reached", SECONDS)
        wait_until(lambda: all_tried(second) == {"reached"}, SECONDS)
        with shipped_policy(fleet):
            wait_until(lambda: tried_by_neighbor() == "not reached", SECONDS)
            wait_until(lambda: all_tried(second) == {"not reached"}, SECONDS)
            assert tried(second, names, NAMES_PORT) == "reached"
            assert tried(second, other, NAMES_PORT) == "not reached"
            # What kernels are for goes on, and new ones start.
            third = fleet.started("pod")
            assert fleet.run(1, third, "print(6 * 7)") == "42"
            fleet.restart(second)
            assert all_tried(second) == {"not reached"}
        wait_until(lambda: tried_by_neighbor() == "reached", SECONDS)
