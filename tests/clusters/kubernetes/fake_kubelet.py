"""A kubelet that runs no container: a node whose pods are Running as soon as they are bound to it.

For what the cluster itself decides: room, quota, priorities, lost nodes. What really runs in a pod
needs the real node (node.py).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from kubernetes import client, watch

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.control_plane import ControlPlane
from tests.clusters.kubernetes.identities import node

_HEARTBEAT_SECONDS = 5.0
_WATCH_SECONDS = 20
_LEASES = "kube-node-lease"
TAINT = "fleet.test/fake"
"""Keeps pods away that do not ask for a node without containers."""
TOLERATION = {"key": TAINT, "operator": "Exists", "effect": "NoSchedule"}


class FakeKubelet:
    """One node, kept by threads of this process with the rights of a kubelet."""

    def __init__(self, plane: ControlPlane, name: str, cpus: str, memory: str) -> None:
        self.name = name
        self._cpus, self._memory = cpus, memory
        self._api = plane.client(node(name))
        self._core: Any = client.CoreV1Api(self._api)
        self._stopped = threading.Event()
        self._silent = threading.Event()
        self._seen: set[str] = set()
        self._ending: set[str] = set()
        self._threads = [
            threading.Thread(target=target, name=f"{name}-{target.__name__}", daemon=True)
            for target in (self._beat, self._follow)
        ]

    def start(self) -> None:
        """Registers the node and looks after its pods from then on."""
        ready = [_condition("Ready", "KubeletReady")]
        room = {"cpu": self._cpus, "memory": self._memory, "pods": "110"}
        self._core.create_node(
            {
                "metadata": {"name": self.name, "labels": {"kubernetes.io/hostname": self.name}},
                "spec": {"taints": [{"key": TAINT, "effect": "NoSchedule"}]},
            }
        )
        self._core.patch_node_status(
            self.name, {"status": {"capacity": room, "allocatable": room, "conditions": ready}}
        )
        for thread in self._threads:
            thread.start()

    def go_silent(self) -> None:
        """No heartbeat any more, as if the machine had lost its power: after a time the cluster
        says that the node is not ready."""
        self._silent.set()

    def stop(self) -> None:
        """Ends the threads; the node and its pods stay in the cluster."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()
        self._api.close()

    def _beat(self) -> None:
        leases: Any = client.CoordinationV1Api(self._api)
        while not self._silent.is_set():
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            spec = {
                "holderIdentity": self.name,
                "leaseDurationSeconds": 40,
                "renewTime": now,
            }
            lease = {"metadata": {"name": self.name}, "spec": spec}
            try:
                leases.patch_namespaced_lease(self.name, _LEASES, lease)
            except client.ApiException as error:
                if error.status == 404:
                    leases.create_namespaced_lease(_LEASES, lease)
            self._core.patch_node_status(
                self.name, {"status": {"conditions": [_condition("Ready", "KubeletReady")]}}
            )
            if self._stopped.wait(_HEARTBEAT_SECONDS):
                return

    def _follow(self) -> None:
        while not self._stopped.is_set() and not self._silent.is_set():
            # From "0" and not from a list's version, which etcd may not have reached.
            events = watch.Watch().stream(
                self._core.list_pod_for_all_namespaces,
                field_selector=f"spec.nodeName={self.name}",
                resource_version="0",
                timeout_seconds=_WATCH_SECONDS,
            )
            try:
                for event in events:
                    if self._stopped.is_set() or self._silent.is_set():
                        return
                    if event["type"] != "DELETED":
                        self._look_after(event["object"])
            except client.ApiException:
                self._stopped.wait(0.5)

    def _look_after(self, pod: Any) -> None:
        uid = pod.metadata.uid
        if pod.metadata.deletion_timestamp is not None:
            if uid not in self._ending:
                self._ending.add(uid)
                self._end(pod)
        elif uid not in self._seen:
            self._seen.add(uid)
            self._report(pod, "Running", {"running": {"startedAt": _now()}})

    def _end(self, pod: Any) -> None:
        ended = {"exitCode": 143, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
        # Controllers wait for a final phase before they let a pod go.
        self._report(pod, "Failed", {"terminated": ended})
        try:
            self._core.delete_namespaced_pod(
                pod.metadata.name,
                pod.metadata.namespace,
                body={"gracePeriodSeconds": 0, "preconditions": {"uid": pod.metadata.uid}},
            )
        except client.ApiException as error:
            if error.status not in (404, 409):
                raise

    def _report(self, pod: Any, phase: str, state: dict[str, Any]) -> None:
        running = phase == "Running"
        containers = [
            {
                "name": container.name,
                "image": container.image,
                "imageID": container.image,
                "ready": running,
                "restartCount": 0,
                "state": state,
            }
            for container in pod.spec.containers
        ]
        kinds = ("Initialized", "PodScheduled", "ContainersReady", "Ready")
        status = {
            "phase": phase,
            "hostIP": ADDRESS,
            "startTime": _now(),
            "conditions": [
                # What comes first in a pod's life stays true at its end.
                _condition(kind, "", str(running or kind in kinds[:2]))
                for kind in kinds
            ],
            "containerStatuses": containers,
        }
        try:
            # With its uid, or it would be said of a new pod of the same name.
            self._core.patch_namespaced_pod_status(
                pod.metadata.name,
                pod.metadata.namespace,
                {"metadata": {"uid": pod.metadata.uid}, "status": status},
            )
        except client.ApiException as error:
            if error.status not in (404, 409):
                raise


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _condition(kind: str, reason: str, status: str = "True") -> dict[str, str]:
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "lastHeartbeatTime": _now(),
        "lastTransitionTime": _now(),
    }


@contextmanager
def fake_node(
    plane: ControlPlane, name: str, cpus: str = "4", memory: str = "8Gi"
) -> Iterator[FakeKubelet]:
    """A node without containers; at the end it and its pods are gone."""
    kubelet = FakeKubelet(plane, name, cpus, memory)
    kubelet.start()
    try:
        yield kubelet
    finally:
        kubelet.stop()
        with plane.client() as api:
            core: Any = client.CoreV1Api(api)
            core.delete_node(name)
            pods = core.list_pod_for_all_namespaces(field_selector=f"spec.nodeName={name}").items
            for pod in pods:
                core.delete_namespaced_pod(
                    pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0
                )
