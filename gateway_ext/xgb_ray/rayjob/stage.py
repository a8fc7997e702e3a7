"""Where a RayJob is, from what Kubernetes says of it and of its pods. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

# Reasons of a waiting container that do not go away by waiting, with what to do.
_LASTING = {
    "ErrImagePull": "check image= and image_pull_secrets=",
    "ImagePullBackOff": "check image= and image_pull_secrets=",
    "InvalidImageName": "check image=",
    "ErrImageNeverPull": "check image=",
    "CreateContainerConfigError": "check env_from_secrets= and claims=",
    "CreateContainerError": "check the image's entry point",
    "RunContainerError": "check the image's entry point",
    "CrashLoopBackOff": "look at the pod's log: the image may lack Ray or this package",
}
# KubeRay's reasons of a failed job, for people.
_REASONS = {
    "SubmissionFailed": "its submitter failed",
    "DeadlineExceeded": "it took longer than deadline_seconds",
    "PreRunningDeadlineExceeded": "it did not begin to run in time",
    "AppFailed": "it exited with an error",
    "ValidationFailed": "KubeRay refuses it",
}


@dataclass(frozen=True)
class Stage:
    """`kind` is "queued", "starting", "running", "succeeded", "failed" or "removed"."""

    kind: str
    words: str

    @property
    def ended(self) -> bool:
        return self.kind in ("succeeded", "failed", "removed")


@dataclass(frozen=True)
class Trouble:
    """What keeps a pod from running; `lasting` if it will not pass by itself."""

    words: str
    lasting: bool


def read_stage(job: Mapping[str, Any] | None) -> Stage:
    """The stage of a RayJob as the API server returns it; None is one that is not there."""
    if job is None:
        return Stage("removed", "removed")
    status = job.get("status") or {}
    state, deployment = status.get("jobStatus", ""), status.get("jobDeploymentStatus", "")
    message = status.get("message", "")
    if state == "SUCCEEDED" or (deployment == "Complete" and state not in ("FAILED", "STOPPED")):
        return Stage("succeeded", "succeeded")
    if state in ("FAILED", "STOPPED") or deployment in ("Failed", "ValidationFailed"):
        reason = status.get("reason", "") or ("ValidationFailed" if "Valid" in deployment else "")
        why = _REASONS.get(reason, reason)
        return Stage("failed", ": ".join(w for w in ("failed", why, message) if w))
    if deployment in ("Suspended", "Suspending") or (not deployment and _suspended(job)):
        labels = job.get("metadata", {}).get("labels", {})
        queue = labels.get("kueue.x-k8s.io/queue-name")
        return Stage("queued", f"waits in the queue {queue}" if queue else "suspended")
    if deployment == "Running" and state in ("RUNNING", "PENDING"):
        return Stage("running", "running") if state == "RUNNING" else Stage("starting", "starting")
    if deployment in ("Initializing", "Running", "Retrying", "Waiting"):
        return Stage("starting", "its pods are starting")
    return Stage("queued", "submitted")


def _suspended(job: Mapping[str, Any]) -> bool:
    return bool(job.get("spec", {}).get("suspend"))


def pod_trouble(pods: Sequence[Any]) -> Trouble | None:
    """The worst that keeps the pods of a job (Kubernetes' V1Pod) from running, if anything."""
    found: Trouble | None = None
    for pod in pods:
        status = pod.status
        containers = [
            *(status.init_container_statuses or []),
            *(status.container_statuses or []),
        ]
        for container in containers:
            waiting = container.state.waiting if container.state else None
            if waiting is not None and waiting.reason in _LASTING:
                said = f": {waiting.message}" if waiting.message else ""
                return Trouble(
                    f"{waiting.reason} of {container.image} in the pod {pod.metadata.name}{said}"
                    f" ({_LASTING[waiting.reason]})",
                    lasting=True,
                )
        for condition in status.conditions or []:
            if condition.type == "PodScheduled" and condition.status == "False":
                why = condition.message or condition.reason or "no node has room"
                found = Trouble(f"the pod {pod.metadata.name} waits for a node: {why}", False)
    return found
