"""Pods that the cluster does not take or cannot start: the kernel's reason is the cluster's."""

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from kubernetes.client import ApiException

from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.kubernetes.pod_fleet import DENIED_IMAGE, PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

SECONDS = 90.0


class _Denying(BaseHTTPRequestHandler):
    """A registry that lets nobody in without a password."""

    def do_GET(self) -> None:
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="team"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def denying_registry(cluster: Cluster) -> Iterator[None]:
    host = DENIED_IMAGE.partition("/")[0]
    address, port = host.split(":")
    cluster.node.trust_registry(host)
    with ThreadingHTTPServer((address, int(port)), _Denying) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def limit_range(cluster: Cluster, **limits: dict[str, str]) -> Iterator[None]:
    """Limits of each container of the namespace of kernels, as `max={"memory": "1Gi"}`."""
    spec = {"limits": [{"type": "Container", **limits}]}
    body = {"metadata": {"name": "team"}, "spec": spec}
    cluster.core.create_namespaced_limit_range(KERNELS, body)
    try:
        # The API server learns of it a little later.
        wait_until(lambda: _is_limited(cluster), SECONDS)
        yield
    finally:
        cluster.core.delete_namespaced_limit_range("team", KERNELS)
        wait_until(lambda: not _is_limited(cluster), SECONDS)


def _is_limited(cluster: Cluster) -> bool:
    container = {"name": "c", "image": PYTHON_IMAGE}
    pod = {"metadata": {"name": "limited"}, "spec": {"containers": [container]}}
    try:
        made = cluster.core.create_namespaced_pod(KERNELS, pod, dry_run="All")
    except ApiException as error:
        return error.status == 403
    return bool(made.spec.containers[0].resources.limits)


def refusal(fleet: PodFleet, kernelspec: str) -> str:
    """Why a kernel does not start; nothing is left of it."""
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(kernelspec, kernel_id=kernel_id)
    assert answer.status_code == 500, answer.text
    message: str = answer.json()["message"]
    model = fleet.model(kernel_id, 1)
    assert (model["state"], model["reason"]) == ("dead", message)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
    return message


def test_a_limit_range_refuses_in_the_clusters_words(fleet: PodFleet) -> None:
    with limit_range(fleet.cluster, max={"memory": "64Mi"}):
        message = refusal(fleet, "limited")
    assert "maximum memory usage per Container is 64Mi, but limit is 250Mi" in message


def test_the_default_limit_of_a_limit_range_is_named_when_it_is_reached(fleet: PodFleet) -> None:
    with limit_range(fleet.cluster, default={"memory": "260Mi"}):
        kernel_id = fleet.started("pod")
    client, url = fleet.gateways.client(), fleet.gateways.urls[0]
    with client.channels(url, kernel_id) as channels:
        channels.execute("x = b'x' * (1 << 30)")
        wait_until(lambda: "out of memory" in fleet.model(kernel_id, 1)["reason"], SECONDS)
    assert "which may use 260 MB" in fleet.model(kernel_id, 1)["reason"]


def test_an_image_name_that_cannot_be_read_fails_at_once(fleet: PodFleet) -> None:
    assert "InvalidImageName" in refusal(fleet, "bad_image")


def test_an_image_that_may_not_be_pulled_says_so(fleet: PodFleet, denying_registry: None) -> None:
    message = refusal(fleet, "denied_image")
    assert DENIED_IMAGE in message
    assert "401 Unauthorized" in message or "authorization failed" in message


@pytest.mark.parametrize("kernelspec", ["elsewhere", "nowhere"])
def test_a_namespace_without_rights_is_refused_at_once_and_the_kernel_can_be_deleted(
    fleet: PodFleet, kernelspec: str
) -> None:
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(kernelspec, kernel_id=kernel_id)
    assert answer.status_code == 500, answer.text
    assert "pods is forbidden" in answer.json()["message"]
    assert fleet.model(kernel_id, 1)["state"] == "dead"
    fleet.end(kernel_id, 1)
    url = f"{fleet.gateways.urls[0]}/api/fleet/leftovers"
    assert kernel_id not in fleet.gateways.service().call("GET", url).text


def test_a_gateway_says_that_the_cluster_answers(fleet: PodFleet) -> None:
    url = f"{fleet.gateways.urls[0]}/api/fleet/clusters"
    [answer] = fleet.gateways.service().call("GET", url).json()
    assert answer == {"name": "kubernetes", "state": "answers", "message": ""}
