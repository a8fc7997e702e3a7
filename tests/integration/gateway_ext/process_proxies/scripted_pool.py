"""A pool of kernels in a scripted cluster."""

from __future__ import annotations

import base64
import json
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gateway_ext.process_proxies.manifests import DOCUMENT_FILE
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import IMAGE, OURS, ClusterFleet
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool


def waiting_pods(fleet: ClusterFleet) -> list[Any]:
    """The pods of kernels that are nobody's."""
    return [
        pod
        for pod in fleet.kubernetes.named("pods")
        if pod["metadata"]["annotations"].get("fleet-project") == ""
        and pod["metadata"]["labels"]["component"] == "kernel"
    ]


def claimed_pod(fleet: ClusterFleet, ready: dict[str, int], kernel_id: str) -> Any:
    """The pod of a kernel, which was one of these."""
    [pod] = wait_until(lambda: fleet.kubernetes.of_kernel("pods", kernel_id))
    assert pod["metadata"]["name"].endswith(tuple(ready))
    return pod


def secret_files(fleet: ClusterFleet, member: str) -> dict[str, bytes]:
    """What the Secret of a waiting kernel contains."""
    [secret] = fleet.kubernetes.of_kernel("secrets", member)
    return {name: base64.b64decode(text) for name, text in secret["data"].items()}


def agent_key(fleet: ClusterFleet, member: str) -> bytes:
    """The key of a waiting kernel's agent, as its container reads it."""
    document = json.loads(secret_files(fleet, member)[DOCUMENT_FILE])
    return bytes.fromhex(document["agent_key"])


@contextmanager
def scripted_pool(fleet: ClusterFleet) -> Iterator[KernelPool]:
    """A kernelspec that has no pool yet, and none any more at the end."""
    fleet.add_kernelspec(
        SPEC, OURS / "python_kubernetes", env={"FROM_SPEC": "${FROM_IMAGE}"}, image_name=IMAGE
    )

    def members() -> list[str]:
        return [pod["metadata"]["labels"]["kernel_id"] for pod in waiting_pods(fleet)]

    pool = KernelPool(fleet, members)
    try:
        yield pool
    finally:
        fleet.kubernetes.end_scripts()
        for process in fleet.gateways.processes:
            process.signal(signal.SIGCONT)
        last = len(fleet.gateways.urls) - 1
        for kernel in fleet.gateways.client().call("GET", fleet.url(last)).json():
            if kernel["name"] == SPEC:
                fleet.end(kernel["id"], last)
        pool.declare(0)
        pool.wait_for(0)
        shutil.rmtree(pool.folder)
