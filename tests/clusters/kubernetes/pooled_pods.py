"""Pods of a real cluster that wait for somebody who asks for a kernel."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from tests.clusters.kubernetes.cluster import KERNELS
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet, environment
from tests.integration.gateway_ext.fleet_of_gateways import kernel_python
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool


@contextmanager
def pooled_pods(fleet: PodFleet, size: int) -> Iterator[KernelPool]:
    """A kernelspec with a pool of this size, and no pool any more at the end."""
    images = {"image_name": PYTHON_IMAGE, "python": kernel_python()}
    fleet.add_kernelspec(SPEC, OURS / "python_kubernetes", env=environment(), **images)

    def members() -> list[str]:
        pods = fleet.cluster.core.list_namespaced_pod(KERNELS, label_selector="component=kernel")
        return [
            pod.metadata.labels["kernel_id"]
            for pod in pods.items
            if (pod.metadata.annotations or {}).get("fleet-project") == ""
        ]

    pool = KernelPool(fleet, members)
    pool.declare(size)
    try:
        yield pool
    finally:
        pool.declare(0)
        pool.wait_for(0)
        shutil.rmtree(pool.folder)
