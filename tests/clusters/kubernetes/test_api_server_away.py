"""The API server is stopped, or accepts calls and does not answer them."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.clusters.kubernetes.answer_in_time import answered
from tests.clusters.kubernetes.cluster import Cluster
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import agents_of, wait_until

SECONDS = 120.0
SOON = 10.0
"""How long a gateway may take for what does not need the cluster, on a machine that does much
else."""
BOUND = 60.0
"""How long it may take for what needs it."""


@contextmanager
def away(cluster: Cluster, how: str) -> Iterator[None]:
    """A time without the API server."""
    plane = cluster.plane
    server = plane.processes["kube-apiserver"]
    if how == "silent":
        server.signal(signal.SIGSTOP)
    else:
        server.kill()
    try:
        yield
    finally:
        if how == "silent":
            server.signal(signal.SIGCONT)
            server.wait_until(plane.is_ready, SECONDS)
        else:
            plane.start_api_server()
        plane.lose_leases()


@contextmanager
def answering(fleet: PodFleet) -> Iterator[list[float]]:
    """Lists the kernels at both gateways all the time, and measures how long each list takes."""
    over = threading.Event()
    took: list[float] = []

    def ask() -> None:
        client = fleet.gateways.client()
        while not over.wait(0.2):
            for number in (0, 1):
                began = time.monotonic()
                assert client.call("GET", fleet.url(number)).status_code == 200
                took.append(time.monotonic() - began)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield took
    finally:
        over.set()
        thread.join()


def words(fleet: PodFleet, kernel_id: str) -> str:
    """What a gateway says of a launch or of its failure."""
    model = fleet.model(kernel_id)
    return f"{(model['launch'] or {}).get('message', '')} {model['reason']}"


@pytest.mark.full
@pytest.mark.parametrize("how", ["stopped", "silent"])
def test_without_the_api_server_kernels_go_on_and_everything_else_finishes_later(
    fleet: PodFleet, how: str
) -> None:
    going_on, deleted, killed = (fleet.started("pod", number) for number in (0, 0, 1))
    fleet.run(0, going_on, "x = 41")
    uid = fleet.cluster.pod(going_on).metadata.uid
    with away(fleet.cluster, how), answering(fleet) as took:
        starting = fleet.begin("pod")
        wait_until(lambda: "the API server does not answer" in words(fleet, starting), SECONDS)
        assert fleet.run(1, going_on, "print(x + 1)") == "42"
        restart = f"{fleet.url(0, going_on)}/restart"
        assert answered(fleet, "POST", restart, BOUND) == 200
        fleet.run(0, going_on, "x = 1")
        assert answered(fleet, "DELETE", fleet.url(0, deleted), BOUND) == 204
        # Nobody can say that it is dead.
        [agent] = agents_of(killed)
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: fleet.model(killed)["state"] == "unreachable", SECONDS)
        restart = f"{fleet.url(1, killed)}/restart"
        assert answered(fleet, "POST", restart, SOON) == 200
        canceled = fleet.begin("pod", 1)
        assert answered(fleet, "DELETE", fleet.url(0, canceled), SOON) == 204
        assert took
        assert max(took) < SOON
    for gone in (deleted, canceled):
        wait_until(lambda gone=gone: fleet.nothing_left(gone), SECONDS)
    wait_until(lambda: fleet.model(killed)["state"] == "running", SECONDS)
    assert fleet.run(0, killed, "print(6 * 7)") == "42"
    wait_until(lambda: fleet.model(starting)["state"] in ("running", "dead"), SECONDS)
    if fleet.model(starting)["state"] == "dead":
        wait_until(lambda: fleet.nothing_left(starting), SECONDS)
        fleet.restart(starting)
    assert fleet.run(1, starting, "print(6 * 7)") == "42"
    assert fleet.run(0, going_on, "print(x)") == "1"
    assert fleet.cluster.pod(going_on).metadata.uid == uid
