"""Gateways whose kernels are pods of a real cluster."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.image import MISSING_IMAGE, PYTHON_IMAGE
from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    kernel_python,
    running_gateways,
)
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS, KernelFleet

LAUNCH_SECONDS = 120.0
SMALL_DISK = "/small"
"""Where the kernelspec `small_disk` has 1 MiB of disk; whoever writes more is evicted."""

MEMORY_LIMIT = 250
"""How many MiB the kernelspec `limited` may use."""
TINY_LIMIT = 24
"""The same of the kernelspec `tiny`: less than an agent needs."""
DENIED_IMAGE = f"{ADDRESS}:5005/team/python:1"
"""Its registry wants a password."""


class ReachableGateways(Gateways):
    """Gateways that listen where pods can reach them."""

    def address(self, number: int) -> str:
        """See the base class."""
        return ADDRESS


class PodFleet(KernelFleet):
    """The gateways and the cluster."""

    def __init__(self, gateways: Gateways, cluster: Cluster) -> None:
        super().__init__(gateways)
        self.cluster = cluster

    def nothing_left(self, kernel_id: str) -> bool:
        """Whether the cluster has nothing of a kernel any more."""
        return not self.cluster.of_kernel(kernel_id)


def environment(*, small_disk: bool = False, **sizes: str) -> dict[str, str]:
    """Of a kernelspec whose pods have the machine's programs and the kernels' environment."""
    home = str(Path(kernel_python()).parents[1])
    places = {"usr": "/usr", "kernel": home}
    volumes: list[dict[str, Any]] = [
        {"name": name, "hostPath": {"path": path}} for name, path in places.items()
    ]
    mounts: list[dict[str, Any]] = [
        {"name": name, "mountPath": path, "readOnly": True} for name, path in places.items()
    ]
    if small_disk:
        volumes.append({"name": "small", "emptyDir": {"sizeLimit": "1Mi"}})
        mounts.append({"name": "small", "mountPath": SMALL_DISK})
    return {
        "KERNEL_VOLUMES": json.dumps(volumes),
        "KERNEL_VOLUME_MOUNTS": json.dumps(mounts),
        "KERNEL_CPUS": "10m",
        "KERNEL_MEMORY": "80Mi",
        **sizes,
    }


@contextmanager
def pod_fleet(
    cluster: Cluster,
    count: int = 2,
    fleet_changes: dict[str, Any] | None = None,
    *,
    database_url: str | None = None,
    **settings: Any,
) -> Iterator[PodFleet]:
    """Gateways on a cluster; `settings` are those of KubernetesCluster."""
    changes = {
        "KubernetesCluster": {
            "kubeconfig": str(cluster.kubeconfig),
            "namespace": KERNELS,
            "pull_patience_seconds": 5.0,
            **settings,
        },
        "FleetGatewayApp": {
            "lost_seconds": 5.0,
            "launch_seconds": LAUNCH_SECONDS,
            **(fleet_changes or {}),
        },
    }
    with running_gateways(database_url, changes, count, ReachableGateways) as gateways:
        fleet = PodFleet(gateways, cluster)
        source = OURS / "python_kubernetes"
        python = kernel_python()
        images = {"image_name": PYTHON_IMAGE, "python": python}
        fleet.add_kernelspec("pod", source, env=environment(), **images)
        fleet.add_kernelspec(
            "missing_image",
            source,
            env=environment(),
            image_name=MISSING_IMAGE,
        )
        fleet.add_kernelspec("small_disk", source, env=environment(small_disk=True), **images)
        fleet.add_kernelspec("greedy", source, env=environment(KERNEL_CPUS="50"), **images)
        fleet.add_kernelspec("invalid", source, env=environment(KERNEL_CPUS="many"), **images)
        limit = environment(KERNEL_MEMORY_LIMIT=f"{MEMORY_LIMIT}Mi")
        fleet.add_kernelspec("limited", source, env=limit, **images)
        limit = environment(KERNEL_MEMORY="8Mi", KERNEL_MEMORY_LIMIT=f"{TINY_LIMIT}Mi")
        fleet.add_kernelspec("tiny", source, env=limit, **images)
        for name, image in (("bad_image", "team//Python:"), ("denied_image", DENIED_IMAGE)):
            fleet.add_kernelspec(name, source, env=environment(), image_name=image)
        # It exists, and the gateways have no rights in it.
        fleet.add_kernelspec("elsewhere", source, env=environment(), namespace="default", **images)
        fleet.add_kernelspec("nowhere", source, env=environment(), namespace="nowhere", **images)
        # More than any machine has.
        fleet.add_kernelspec("huge", source, env=environment(KERNEL_MEMORY="900Ti"), **images)
        yield fleet
