"""Starts that are answered at once, and what the cluster says meanwhile."""

from typing import Any

from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

SECONDS = 90.0


def words(fleet: PodFleet, kernel_id: str) -> str:
    """What the cluster says of a launch, as a gateway tells that does not launch it."""
    launch: Any = fleet.model(kernel_id, 1)["launch"] or {}
    return launch.get("message", "")


def test_a_start_that_waits_for_room_says_so_and_is_canceled(fleet: PodFleet) -> None:
    kernel_id = fleet.begin("huge")
    wait_until(lambda: "Insufficient memory" in words(fleet, kernel_id), SECONDS)
    assert fleet.phase(kernel_id, 1) == "scheduling"
    fleet.end(kernel_id, 1)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_start_whose_image_is_missing_says_so_and_fails(fleet: PodFleet) -> None:
    kernel_id = fleet.begin("missing_image")
    wait_until(lambda: MISSING_IMAGE in words(fleet, kernel_id), SECONDS)
    assert fleet.phase(kernel_id, 1) == "pulling"
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
    assert MISSING_IMAGE in fleet.model(kernel_id)["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_start_is_answered_at_once_and_the_kernel_runs(fleet: PodFleet) -> None:
    kernel_id = fleet.begin("pod")
    wait_until(lambda: fleet.model(kernel_id, 1)["state"] == "running", SECONDS)
    assert fleet.model(kernel_id, 1)["launch"] is None
    assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"
