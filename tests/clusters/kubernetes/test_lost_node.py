"""The real node stops answering: its kubelet and everything in its containers are frozen."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import pytest

from tests.clusters.kubernetes.answer_in_time import answered
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import agents_of, wait_until

SECONDS = 180.0
UNREACHABLE_SECONDS = 10.0
"""FleetGatewayApp.unreachable_seconds."""
SOON = 5.0
at_once = partial(answered, seconds=SOON, direct=True)


def frozen_processes(kernels: list[str]) -> list[int]:
    """The processes in the containers of kernels."""
    found = []
    for kernel_id in kernels:
        [agent] = agents_of(kernel_id)
        found.append(agent)
        for folder in os.scandir("/proc"):
            if folder.name.isdigit():
                try:
                    with open(f"{folder.path}/stat") as stat:
                        parent = int(stat.read().rpartition(")")[2].split()[1])
                except OSError:
                    continue
                if parent == agent:
                    found.append(int(folder.name))
    return found


@contextmanager
def frozen_node(fleet: PodFleet, kernels: list[str]) -> Iterator[None]:
    """A node whose power has failed, as far as anybody else can see; it comes back at the end."""
    kubelet = fleet.cluster.node.kubelet
    assert kubelet is not None
    processes = frozen_processes(kernels)
    kubelet.signal(signal.SIGSTOP)
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        kubelet.signal(signal.SIGCONT)


def model(fleet: PodFleet, kernel_id: str) -> Any:
    """The kernel, as the gateway says that does not own it."""
    return fleet.model(kernel_id, 1)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_kernels_of_a_lost_node_are_unreachable_and_none_is_started_twice(
    fleet: PodFleet,
) -> None:
    kernels = [fleet.started("pod") for _ in range(3)]
    back, restarted, deleted = kernels
    for kernel_id in kernels:
        fleet.run(0, kernel_id, "x = 41")
    uids = {one: fleet.cluster.pod(one).metadata.uid for one in kernels}
    with frozen_node(fleet, kernels):
        began = time.monotonic()
        for kernel_id in kernels:
            wait_until(
                lambda one=kernel_id: model(fleet, one)["state"] == "unreachable",
                UNREACHABLE_SECONDS + 10.0,
            )
            assert model(fleet, kernel_id)["reason"].startswith("its agent has been silent for ")
            assert model(fleet, kernel_id)["execution_state"] == "unknown"
        assert time.monotonic() - began < UNREACHABLE_SECONDS + 10.0
        # The cluster says it later, with the time that it gives nodes by default.
        words = "its node does not answer (NotReady)"
        wait_until(lambda: words in model(fleet, restarted)["reason"], SECONDS)
        assert at_once(fleet, "POST", f"{fleet.url(0, restarted)}/restart") == 200
        assert at_once(fleet, "DELETE", fleet.url(1, deleted)) == 204
        assert at_once(fleet, "GET", fleet.url(0, deleted)) == 404
        waits = "it is started again as soon as it is certain that the old one has ended"
        assert waits in model(fleet, restarted)["reason"]
        # Nobody knows whether the old ones run: their pods stay, and there is no other.
        wait_until(
            lambda: all(fleet.cluster.pod(one).metadata.deletion_timestamp for one in kernels[1:]),
            SECONDS,
        )
        wait_until(lambda: "the pod is being ended" in model(fleet, restarted)["reason"], SECONDS)
        assert {one: fleet.cluster.pod(one).metadata.uid for one in kernels} == uids
        assert model(fleet, restarted)["state"] == "unreachable"
    wait_until(lambda: fleet.nothing_left(deleted), SECONDS)
    wait_until(lambda: model(fleet, restarted)["state"] == "running", SECONDS)
    assert fleet.run(1, restarted, "print('x' in globals())") == "False"
    assert fleet.cluster.pod(restarted).metadata.uid != uids[restarted]
    # Whoever was not touched meanwhile goes on.
    wait_until(lambda: model(fleet, back)["state"] == "running", SECONDS)
    assert fleet.run(1, back, "print(x + 1)") == "42"
    assert fleet.cluster.pod(back).metadata.uid == uids[back]
    _wait_for_node(fleet)


@pytest.mark.full
@pytest.mark.timeout(900)
def test_a_kernel_of_a_node_that_is_deleted_ends_and_its_restart_finishes(
    fleet: PodFleet,
) -> None:
    kernel_id = fleet.started("pod")
    uid = fleet.cluster.pod(kernel_id).metadata.uid
    node = fleet.cluster.node
    with frozen_node(fleet, [kernel_id]):
        wait_until(lambda: model(fleet, kernel_id)["state"] == "unreachable", SECONDS)
        assert at_once(fleet, "POST", f"{fleet.url(0, kernel_id)}/restart") == 200
        fleet.cluster.core.delete_node(node.name)
        # The cluster removes the pods of nodes that do not exist: the old one cannot come back.
        wait_until(lambda: fleet.phase(kernel_id, 1) == "scheduling", SECONDS)
        assert fleet.cluster.pod(kernel_id).metadata.uid != uid
    # A kubelet registers its node when it starts.
    kubelet = node.kubelet
    assert kubelet is not None
    kubelet.kill()
    node.start_kubelet()
    wait_until(lambda: model(fleet, kernel_id)["state"] == "running", SECONDS)
    assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"
    wait_until(lambda: len(agents_of(kernel_id)) == 1, SECONDS)


def _wait_for_node(fleet: PodFleet) -> None:
    """Other tests need it."""

    def is_ready() -> bool:
        found: Any = fleet.cluster.core.read_node(fleet.cluster.node.name)
        return not found.spec.taints

    wait_until(is_ready, SECONDS)
