"""Kernels in pods that one person has alone."""

import uuid

from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.tries_at_kernels import statuses

SECONDS = 90.0
LOOK = """
import os
print(os.environ["KERNEL_USERNAME"], os.environ["KERNEL_PROJECT"], "x" in globals())
"""


def test_a_kernel_in_a_pod_is_used_by_its_person_alone(fleet: PodFleet) -> None:
    gateways = fleet.gateways
    ann, bob = (gateways.client(user, demo="editor") for user in ("ann", "bob"))
    body = {"name": "pod", "project": "@demo", "kernel_id": str(uuid.uuid4())}
    answer = ann.call("POST", fleet.url(0), json=body)
    assert answer.status_code == 201, answer.text
    kernel_id, url = body["kernel_id"], fleet.url(1, body["kernel_id"])
    pod = fleet.cluster.pod(kernel_id).metadata.uid

    def is_anns() -> None:
        assert ann.call("GET", url).json()["only_for"] == "ann"
        assert set(statuses(gateways, bob, kernel_id).values()) == {403}
        assert bob.call("DELETE", url).status_code == 403
        seen = bob.call("GET", f"{fleet.url(1)}?personal=all").json()
        assert kernel_id not in {one["id"] for one in seen}

    is_anns()
    for project in ("demo", "@demo"):
        taken = bob.call("POST", fleet.url(1), json={**body, "project": project})
        assert taken.status_code == 409
    with ann.channels(gateways.urls[1], kernel_id) as channels:
        assert channels.run(LOOK) == "ann demo False\n"
        channels.run("x = 1")
    assert ann.call("POST", f"{url}/restart").status_code == 200
    is_anns()
    with ann.channels(gateways.urls[0], kernel_id) as channels:
        assert channels.run(LOOK) == "ann demo False\n"
    assert fleet.cluster.pod(kernel_id).metadata.uid == pod
    # An owner of the project sees that there is one, and ends it.
    owner = gateways.client("olga", demo="owner")
    assert statuses(gateways, owner, kernel_id)["channels"] == 403
    assert owner.call("DELETE", url).status_code == 204
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
