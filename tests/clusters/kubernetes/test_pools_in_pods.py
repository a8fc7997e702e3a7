"""Kernels that wait in pods of a real cluster: how soon the first cell of one has run."""

import time
import uuid

from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.clusters.kubernetes.pooled_pods import pooled_pods
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC

SECONDS = 90.0


def first_cell(fleet: PodFleet, number: int, kernel_id: str) -> float:
    """The seconds from the POST until the output of the first cell."""
    client = fleet.gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    begun = time.monotonic()
    body = {"name": SPEC, "kernel_id": kernel_id, "env": {"KERNEL_MINE": "yes"}}
    assert client.call("POST", fleet.url(number), json=body).status_code == 201
    code = "import os; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_ID'])"
    assert fleet.run(number, kernel_id, code) == f"yes {kernel_id}"
    return time.monotonic() - begun


def test_the_first_cell_of_a_claimed_kernel(fleet: PodFleet) -> None:
    seconds = []
    with pooled_pods(fleet, 1) as pool:
        for _ in range(3):
            ready = pool.wait_for(1)
            [(member, number)] = ready.items()
            kernel_id = str(uuid.uuid4())
            seconds.append(first_cell(fleet, number, kernel_id))
            wait_until(lambda kernel_id=kernel_id: fleet.cluster.of_kernel(kernel_id), SECONDS)
            assert fleet.cluster.pod(kernel_id).metadata.name.endswith(member)
            # Another one waits in its place.
            assert set(pool.wait_for(1)).isdisjoint(ready)
            fleet.end(kernel_id)
            wait_until(lambda member=member: not fleet.cluster.of_kernel(member), SECONDS)
    print("from the POST to the first output:", ", ".join(f"{one:.2f} s" for one in seconds))
