"""Each right that the document names is needed, and a gateway that lacks it says so."""

import uuid

import pytest

from tests.clusters.kubernetes.documented_rights import Right
from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

SECONDS = 90.0


def _denied(right: Right) -> str:
    group = f'in API group "{right.group}"'
    return f'cannot {right.verb} resource "{right.resource}" {group} in the namespace "kernels"'


@pytest.mark.parametrize("resource", ["pods", "secrets"])
def test_without_a_right_to_create_a_start_fails_with_the_right_that_is_missing(
    fleet: PodFleet, resource: str
) -> None:
    right = Right(resource, "create")
    kernel_id = str(uuid.uuid4())
    with fleet.cluster.without(right):
        answer = fleet.start("pod", kernel_id=kernel_id)
    assert answer.status_code == 500
    assert _denied(right) in answer.json()["message"]
    assert _denied(right) in fleet.model(kernel_id, 1)["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_without_a_right_to_delete_a_kernel_ends_and_its_pod_is_removed_later(
    fleet: PodFleet,
) -> None:
    kernel_id = fleet.started("pod")
    right = Right("pods", "delete")
    with fleet.cluster.without(right):
        fleet.end(kernel_id)
        assert fleet.cluster.of_kernel(kernel_id)
        wait_until(lambda: _denied(right) in _logs(fleet), SECONDS)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_without_a_right_to_look_a_running_kernel_goes_on(fleet: PodFleet) -> None:
    kernel_id = fleet.started("pod")
    right = Right("pods", "get")
    with fleet.cluster.without(right):
        assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
        assert fleet.model(kernel_id)["state"] == "running"


def _logs(fleet: PodFleet) -> str:
    return fleet.gateways.log(0) + fleet.gateways.log(1)
