"""Starts that are answered at once, and what the cluster says meanwhile."""

import uuid
from typing import Any

from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

SECONDS = 90.0


def begin(fleet: PodFleet, name: str) -> str:
    """Asks for a kernel whose start is answered at once; its id."""
    client = fleet.gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    body = {"name": name, "kernel_id": str(uuid.uuid4())}
    answer = client.call("POST", fleet.url(0), json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "launching"
    return body["kernel_id"]


def launch(fleet: PodFleet, kernel_id: str) -> Any:
    """How far the launch is, as the gateway says that does not launch it."""
    return fleet.model(kernel_id, 1)["launch"] or {}


def test_a_start_that_waits_for_room_says_so_and_is_cancelled(fleet: PodFleet) -> None:
    kernel_id = begin(fleet, "huge")
    wait_until(
        lambda: "Insufficient memory" in launch(fleet, kernel_id).get("message", ""), SECONDS
    )
    assert launch(fleet, kernel_id)["phase"] == "scheduling"
    fleet.end(kernel_id, 1)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_start_whose_image_is_missing_says_so_and_fails(fleet: PodFleet) -> None:
    kernel_id = begin(fleet, "missing_image")
    wait_until(lambda: MISSING_IMAGE in launch(fleet, kernel_id).get("message", ""), SECONDS)
    assert launch(fleet, kernel_id)["phase"] == "pulling"
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
    assert MISSING_IMAGE in fleet.model(kernel_id)["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_start_is_answered_at_once_and_the_kernel_runs(fleet: PodFleet) -> None:
    kernel_id = begin(fleet, "pod")
    wait_until(lambda: fleet.model(kernel_id, 1)["state"] == "running", SECONDS)
    assert fleet.model(kernel_id, 1)["launch"] is None
    assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"
