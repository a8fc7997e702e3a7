"""Kernels that wait in pods of a real cluster: how soon the first cell of one has run."""

import os
import statistics
import time
import uuid

import pytest

from tests.clusters.kubernetes.pod_fleet import PodFleet
from tests.clusters.kubernetes.pooled_pods import pooled_pods
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC

SECONDS = 90.0
WAITING = 2


def first_cell(fleet: PodFleet, number: int, kernel_id: str) -> float:
    """The seconds from the POST until the first cell has run: its output, its reply and its idle
    have come."""
    client = fleet.gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    begun = time.monotonic()
    body = {"name": SPEC, "kernel_id": kernel_id, "env": {"KERNEL_MINE": "yes"}}
    assert client.call("POST", fleet.url(number), json=body).status_code == 201
    code = "import os; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_ID'])"
    assert fleet.run(number, kernel_id, code) == f"yes {kernel_id}"
    return time.monotonic() - begun


@pytest.mark.parametrize("claims", [3, pytest.param(12, marks=pytest.mark.full)])
def test_the_first_cell_of_a_claimed_kernel(fleet: PodFleet, claims: int) -> None:
    seconds, load = [], []
    with pooled_pods(fleet, WAITING) as pool:
        for _ in range(claims):
            ready = pool.wait_for(WAITING)
            load.append(os.getloadavg()[0])
            kernel_id = str(uuid.uuid4())
            seconds.append(first_cell(fleet, next(iter(ready.values())), kernel_id))
            wait_until(lambda kernel_id=kernel_id: fleet.cluster.of_kernel(kernel_id), SECONDS)
            name = fleet.cluster.pod(kernel_id).metadata.name
            [member] = [one for one in ready if name.endswith(one)]
            fleet.end(kernel_id)
            # Nothing is left, under its own id or that of the pool.
            for label in (kernel_id, member):
                wait_until(lambda label=label: not fleet.cluster.of_kernel(label), SECONDS)
    print(
        f"\nfrom the POST until the first cell has run, {claims} claims: "
        f"median {statistics.median(seconds):.2f} s, most {max(seconds):.2f} s "
        f"(load {min(load):.0f} to {max(load):.0f} on {os.cpu_count()} cores): "
        + ", ".join(f"{one:.2f}" for one in sorted(seconds))
    )
