"""Creating the objects of a launch, each of them once, though a call may not be answered."""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Any, Protocol, TypeVar

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)
from gateway_ext.process_proxies.kubernetes_cluster import (
    CONFIG_MAPS,
    SECRETS,
    SERVICES,
    VOLUME_CLAIMS,
    KubernetesCluster,
    Resource,
)
from gateway_ext.process_proxies.manifests import KernelObjects
from gateway_ext.process_proxies.object_removal import GRACE_SECONDS
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL
from gateway_ext.process_proxies.selectors import ObjectName, ObjectUid

T = TypeVar("T")

_EXTRAS = {
    "Secret": SECRETS,
    "ConfigMap": CONFIG_MAPS,
    "Service": SERVICES,
    "PersistentVolumeClaim": VOLUME_CLAIMS,
}
_CREATE_SECONDS = 30.0
"""How long to retry a creation that got no response, or whose name is still in use."""
_CREDENTIALS_SECONDS = 3.0
"""The same while the credentials are refused: the first refusal has them fetched again."""
_PAUSE_SECONDS = 0.5


class Launch(Protocol):
    """Whose objects are created (`ClusterAgentProxy`)."""

    def note(self, words: str) -> None:
        """Takes the reason for another attempt."""

    async def making(self, call: Awaitable[T]) -> T:
        """The result of a call that creates something."""
        ...


async def create_extra(
    cluster: KubernetesCluster, manifest: Mapping[str, Any], kernel: KernelObjects, launch: Launch
) -> None:
    """Creates another object of a template, unless there is one of its name."""
    resource, namespace = _EXTRAS[manifest["kind"]], ObjectName(kernel.namespace)
    try:
        await launch.making(cluster.create(resource, namespace, manifest))
    except ClusterRefused as refusal:
        if refusal.reason != "AlreadyExists":
            raise


async def create_once(
    cluster: KubernetesCluster,
    resource: Resource,
    manifest: Mapping[str, Any],
    kernel: KernelObjects,
    launch: Launch,
) -> dict[str, Any]:
    """The object of this launch, made now or by an attempt that was not answered.

    One of an earlier launch of the kernel is removed before. Raises LaunchFailed if the name
    is somebody else's.
    """
    name, namespace = ObjectName(manifest["metadata"]["name"]), ObjectName(kernel.namespace)
    loop = asyncio.get_running_loop()
    begun = loop.time()
    deadline = begun + _CREATE_SECONDS
    while True:
        try:
            return await launch.making(cluster.create(resource, namespace, manifest))
        except ClusterSilent as error:
            refused = isinstance(error, CredentialsRefused)
            if loop.time() > (begun + _CREDENTIALS_SECONDS if refused else deadline):
                raise
            launch.note(error.words)
        except ClusterRefused as refusal:
            if refusal.reason != "AlreadyExists" or loop.time() > deadline:
                raise
            there = await cluster.get(resource, namespace, name)
            labels = ((there or {}).get("metadata") or {}).get("labels") or {}
            if there is not None and labels.get(LAUNCH_LABEL) == kernel.launch:
                return there
            if there is not None and labels.get("kernel_id") != kernel.kernel_id:
                raise LaunchFailed(
                    f"{resource.plural}/{name} exists in namespace {namespace} already, "
                    "and is not of this kernel"
                ) from refusal
            if there is not None:
                uid = ObjectUid(there["metadata"]["uid"])
                await cluster.delete(
                    resource, namespace, name, uid=uid, grace_seconds=GRACE_SECONDS
                )
        await asyncio.sleep(_PAUSE_SECONDS)
