"""The Kubernetes that gateways of a run use, and what an administrator sees in it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.clusters.kubernetes.audit import AuditLog
from tests.clusters.kubernetes.control_plane import (
    SERVER,
    START_SECONDS,
    ControlPlane,
    running_control_plane,
)
from tests.clusters.kubernetes.documented_rights import Right, documented_rights
from tests.clusters.kubernetes.identities import write_kubeconfig
from tests.clusters.kubernetes.node import Node, running_node
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

KERNELS = "kernels"
"""The namespace in which kernels run."""
_SYSTEM, _ACCOUNT = "fleet-system", "gateway"
GATEWAY_USER = f"system:serviceaccount:{_SYSTEM}:{_ACCOUNT}"
_TOKEN_SECONDS = 8 * 3600
# Of all that a launch makes, in any namespace.
_NAMESPACED = ("pod", "secret", "config_map", "service", "persistent_volume_claim")


class Cluster:
    """A control plane and its real node, seen by an administrator."""

    def __init__(self, plane: ControlPlane, node: Node) -> None:
        self.plane = plane
        self.node = node
        self.audit = AuditLog(plane.audit_log)
        self._api = plane.client()
        self.core: Any = client.CoreV1Api(self._api)
        self._rbac: Any = client.RbacAuthorizationV1Api(self._api)
        self.kubeconfig = self._make_gateway()

    def _make_gateway(self) -> Path:
        for name in (_SYSTEM, KERNELS):
            self.core.create_namespace({"metadata": {"name": name}})
        self.wait_for_account(KERNELS)
        self.core.create_namespaced_service_account(_SYSTEM, {"metadata": {"name": _ACCOUNT}})
        self._rbac.create_namespaced_role(
            KERNELS, {"metadata": {"name": _ACCOUNT}, "rules": _rules(documented_rights())}
        )
        self._rbac.create_namespaced_role_binding(
            KERNELS,
            {
                "metadata": {"name": _ACCOUNT},
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io",
                    "kind": "Role",
                    "name": _ACCOUNT,
                },
                "subjects": [{"kind": "ServiceAccount", "name": _ACCOUNT, "namespace": _SYSTEM}],
            },
        )
        answer = self.core.create_namespaced_service_account_token(
            _ACCOUNT, _SYSTEM, {"spec": {"expirationSeconds": _TOKEN_SECONDS}}
        )
        return write_kubeconfig(
            self.plane.directory / "gateway.kubeconfig",
            SERVER,
            self.plane.certificate,
            answer.status.token,
        )

    def wait_for_account(self, namespace: str) -> None:
        """Returns when a new namespace has its default service account: no pod can be created there
        before."""
        wait_until(lambda: self._has_account(namespace, "default"), START_SECONDS)

    def _has_account(self, namespace: str, name: str) -> bool:
        accounts = self.core.list_namespaced_service_account(namespace).items
        return any(account.metadata.name == name for account in accounts)

    @contextmanager
    def without(self, right: Right) -> Iterator[None]:
        """The gateway has every documented right but this one."""
        rights = documented_rights()
        assert right in rights
        self._give([one for one in rights if one != right])
        try:
            # The API server learns of a changed role a little later.
            wait_until(lambda: not self._may(right), START_SECONDS)
            yield
        finally:
            self._give(rights)
            wait_until(lambda: self._may(right), START_SECONDS)

    def _give(self, rights: Collection[Right]) -> None:
        self._rbac.patch_namespaced_role(_ACCOUNT, KERNELS, {"rules": _rules(rights)})

    def _may(self, right: Right) -> bool:
        """Whether a gateway has the right, according to the API server."""
        resource, _, subresource = right.resource.partition("/")
        asked = {
            "group": right.group,
            "resource": resource,
            "subresource": subresource,
            "verb": right.verb,
            "namespace": KERNELS,
        }
        review = {"spec": {"user": GATEWAY_USER, "resourceAttributes": asked}}
        api: Any = client.AuthorizationV1Api(self._api)
        allowed: bool = api.create_subject_access_review(review).status.allowed
        return allowed

    def of_kernel(self, kernel_id: str) -> list[str]:
        """Everything that a kernel has in the cluster, in all namespaces, as "kind/name"."""
        assert kernel_id
        return self._labeled(f"kernel_id={kernel_id}")

    def of_all_kernels(self) -> list[str]:
        """Everything that any kernel has in the cluster."""
        return self._labeled("kernel_id")

    def _labeled(self, selector: str) -> list[str]:
        found = []
        for kind in _NAMESPACED:
            listed = getattr(self.core, f"list_{kind}_for_all_namespaces")(label_selector=selector)
            found += [f"{kind}/{one.metadata.name}" for one in listed.items]
        listed = self.core.list_namespace(label_selector=selector)
        return found + [f"namespace/{one.metadata.name}" for one in listed.items]

    def pod(self, kernel_id: str) -> Any:
        """The kernel's one pod."""
        assert kernel_id
        listed = self.core.list_pod_for_all_namespaces(label_selector=f"kernel_id={kernel_id}")
        [pod] = listed.items
        return pod

    @contextmanager
    def quota(self, **hard: str) -> Iterator[None]:
        """A quota on the namespace of kernels, such as `pods="1"`."""
        self.core.create_namespaced_resource_quota(
            KERNELS, {"metadata": {"name": "team"}, "spec": {"hard": hard}}
        )
        try:
            yield
        finally:
            self.core.delete_namespaced_resource_quota("team", KERNELS)

    def evict(self, pod: Any) -> None:
        """Evicts a pod through the eviction API, as `kubectl drain` does."""
        name, namespace = pod.metadata.name, pod.metadata.namespace
        body = {"metadata": {"name": name, "namespace": namespace}}
        self.core.create_namespaced_pod_eviction(name, namespace, body)

    def close(self) -> None:
        """Closes the connections."""
        self._api.close()


def _rules(rights: Collection[Right]) -> list[dict[str, Any]]:
    verbs: dict[tuple[str, str], list[str]] = defaultdict(list)
    for right in rights:
        if right.namespaced:
            verbs[right.group, right.resource].append(right.verb)
    return [
        {"apiGroups": [group], "resources": [resource], "verbs": allowed}
        for (group, resource), allowed in verbs.items()
    ]


@contextmanager
def running_cluster(directory: Path) -> Iterator[Cluster]:
    """A cluster with one real node; `directory` is new and its path short."""
    with running_control_plane(directory) as plane, running_node(plane) as node:
        cluster = Cluster(plane, node)
        try:
            yield cluster
        finally:
            cluster.close()
