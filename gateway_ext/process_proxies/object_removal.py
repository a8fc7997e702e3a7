"""Removing an object of a launch, and nothing else."""

from dataclasses import dataclass

from gateway_ext.process_proxies.kubernetes_cluster import NAMESPACES, KubernetesCluster, Resource
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL
from gateway_ext.process_proxies.selectors import ObjectName, ObjectUid

GRACE_SECONDS = 5
"""How long a container may take to end after SIGTERM."""


class NotOurs(Exception):
    """There is an object of that name which belongs to somebody else, and stays."""


@dataclass(frozen=True)
class Ours:
    """By what an object is known as this launch's. `uid` is None if it was written down before the
    object was made: its labels say whether it was."""

    launch: str
    kernel_ids: frozenset[str]
    uid: ObjectUid | None


async def remove_object(
    cluster: KubernetesCluster,
    resource: Resource,
    namespace: ObjectName,
    name: ObjectName,
    ours: Ours,
    *,
    version: str | None,
) -> bool:
    """Whether our object is gone or going; with a `version` only if it still has that one. Raises
    NotOurs, ClusterRefused and ClusterSilent."""
    found = await cluster.get(resource, namespace, name)
    if found is None:
        return True
    metadata = found["metadata"]
    labels = metadata.get("labels") or {}
    present = ObjectUid(metadata["uid"])
    if (
        labels.get(LAUNCH_LABEL) != ours.launch
        or labels.get("kernel_id") not in ours.kernel_ids
        or ours.uid not in (None, present)
    ):
        raise NotOurs(f"{resource.plural}/{name} is another launch's and stays")
    deleted = await cluster.delete(
        resource,
        namespace,
        name,
        uid=present,
        resource_version=version,
        grace_seconds=None if resource is NAMESPACES else GRACE_SECONDS,
    )
    # Without a version only another object of that name, with another uid, is in the way.
    return deleted or version is None
