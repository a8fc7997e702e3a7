"""Gateways that answer whatever the cluster does."""

import time

from tests.clusters.kubernetes.pod_fleet import PodFleet


def answered(
    fleet: PodFleet, method: str, url: str, seconds: float, *, direct: bool = False
) -> int:
    """The status of an answer, which must come in time; `direct` as labs call."""
    began = time.monotonic()
    status: int = fleet.gateways.client().call(method, url, direct=direct).status_code
    assert time.monotonic() - began < seconds
    return status
