"""Pods that end although nobody has ended their kernels: each end has a reason of its own."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from tests.clusters.kubernetes.pod_fleet import MEMORY_LIMIT, SMALL_DISK, TINY_LIMIT, PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import agents_of, wait_until

SECONDS = 90.0
USE_TOO_MUCH = "x = b'x' * (1 << 30)"


def reason(fleet: PodFleet, kernel_id: str) -> str:
    """The reason of a kernel that is dead, or was started again, one line; empty otherwise."""
    words: str = fleet.model(kernel_id, 1)["reason"]
    assert "\n" not in words
    return words


@contextmanager
def last_cell(fleet: PodFleet, kernel_id: str, code: str) -> Iterator[None]:
    """Runs a cell that ends its kernel, and gives no answer."""
    gateways = fleet.gateways
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        channels.execute(code)
        yield


def is_dead(fleet: PodFleet, kernel_id: str) -> bool:
    """Whether its agent is known to have ended, too: its own last words come earlier."""
    return "the kernel's process has ended" in reason(fleet, kernel_id)


def test_a_kernel_that_its_node_evicts_says_why(fleet: PodFleet) -> None:
    kernel_id = fleet.started("small_disk")
    fill = f"print(open('{SMALL_DISK}/file', 'wb').write(bytes(8 << 20)))"
    assert fleet.run(0, kernel_id, fill) == str(8 << 20)
    wait_until(lambda: is_dead(fleet, kernel_id), SECONDS)
    assert 'Evicted: Usage of EmptyDir volume "small" exceeds' in reason(fleet, kernel_id)
    assert fleet.model(kernel_id)["state"] == "dead"


def test_a_kernel_of_a_drained_node_says_so_and_its_restart_waits_for_a_new_pod(
    fleet: PodFleet,
) -> None:
    kernel_id = fleet.started("pod")
    before = fleet.cluster.pod(kernel_id)
    fleet.cluster.evict(before)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
    # Its agent has said so itself, and its pod is still there. A lab asks this way, once.
    restart = f"{fleet.url(0, kernel_id)}/restart"
    answer = fleet.gateways.client().call("POST", restart, direct=True)
    assert answer.status_code == 200, answer.text
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    pod = fleet.cluster.pod(kernel_id)
    assert pod.metadata.uid != before.metadata.uid
    # And without a restart that looks at it.
    fleet.cluster.evict(pod)
    wait_until(lambda: is_dead(fleet, kernel_id), SECONDS)
    assert "its pod was evicted" in reason(fleet, kernel_id)
    assert "EvictionByEvictionAPI" in reason(fleet, kernel_id)


def test_a_kernel_that_needs_too_much_memory_is_told_apart_from_one_that_is_killed(
    fleet: PodFleet,
) -> None:
    kernel_id = fleet.started("limited")
    agents = agents_of(kernel_id)
    with last_cell(fleet, kernel_id, USE_TOO_MUCH):
        wait_until(lambda: "out of memory" in reason(fleet, kernel_id), SECONDS)
    assert f"container, which may use {MEMORY_LIMIT} MB" in reason(fleet, kernel_id)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "running", SECONDS)
    with last_cell(fleet, kernel_id, "import os; os.kill(os.getpid(), 9)"):
        wait_until(lambda: "SIGKILL, and not because" in reason(fleet, kernel_id), SECONDS)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    assert agents_of(kernel_id) == agents


def test_a_pod_that_needs_too_much_memory_is_told_apart_from_one_that_is_killed(
    fleet: PodFleet,
) -> None:
    answer = fleet.start("tiny")
    assert answer.status_code == 500, answer.text
    assert f"needed more than the {TINY_LIMIT}Mi that it may use" in answer.json()["message"]
    kernel_id = fleet.started("pod")
    [agent] = agents_of(kernel_id)
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: is_dead(fleet, kernel_id), SECONDS)
    assert "SIGKILL, and not because it was out of memory" in reason(fleet, kernel_id)
