"""Why a pod has ended, or is being ended, in one line for the kernel's user.

Exit codes alone do not say it: 137 is a container that ran out of memory, one that did not end in
time, and one that somebody killed. The reasons are those of the Kubernetes API reference (core/v1,
PodStatus) and of containerd.
"""

from collections.abc import Mapping
from typing import Any

_OUT_OF_MEMORY = "OOMKilled"
_LOST = "ContainerStatusUnknown"
_KILLED, _TERMINATED = 137, 143

_DISRUPTIONS = {
    "DeletionByPodGC": "its node does not exist any more",
    "DeletionByTaintManager": "the cluster removed its pod from its node, which has a taint",
    "EvictionByEvictionAPI": "its pod was evicted, as when a node is drained",
    "PreemptionByScheduler": "its pod had to make room for one of a higher priority",
    "TerminationByKubelet": "its node ended its pod",
}
"""Reasons of the condition DisruptionTarget."""

_STATUS_REASONS = {
    "DeadlineExceeded": "its pod has run for as long as it may",
    "Evicted": "its node ended its pod",
    "NodeShutdown": "its node was shut down",
    "Preempting": "its pod had to make room for one that its node needs",
    "Shutdown": "its node was shut down",
    "Terminated": "its node was shut down",
}
"""Reasons that a kubelet gives for the whole pod."""


def why_ending(pod: Mapping[str, Any]) -> str:
    """Why the cluster ends the pod; empty if it does not say so."""
    status = pod.get("status") or {}
    for condition in status.get("conditions") or []:
        if condition.get("type") == "DisruptionTarget" and condition.get("status") == "True":
            reason = str(condition.get("reason") or "")
            words = _DISRUPTIONS.get(reason, "the cluster ended its pod")
            # A kubelet names its own reason in the status.
            return _explained(
                words,
                str(status.get("reason") or reason or "DisruptionTarget"),
                condition.get("message") or status.get("message"),
            )
    if status.get("reason"):
        reason = str(status["reason"])
        words = _STATUS_REASONS.get(reason, "the cluster ended its pod")
        return _explained(words, reason, status.get("message"))
    return ""


def why_ended(pod: Mapping[str, Any], container: Mapping[str, Any]) -> str:
    """Why a pod has ended whose agent was in `container`, a container's status: what the cluster
    did to the pod comes first, then the end of the agent's program."""
    ending = why_ending(pod)
    if ending:
        return ending
    ended = (container.get("state") or {}).get("terminated")
    phase = (pod.get("status") or {}).get("phase")
    if ended is None or (phase == "Failed" and ended.get("exitCode") == 0):
        return _end_of_others(pod) or f"the pod has ended: {phase}"
    return _end_of_container(pod, ended)


def _end_of_others(pod: Mapping[str, Any]) -> str:
    """The failure of a container beside the agent's; empty if there is none."""
    status = pod.get("status") or {}
    for kind in ("initContainerStatuses", "containerStatuses"):
        for container in status.get(kind) or []:
            ended = (container.get("state") or {}).get("terminated")
            if ended is not None and ended.get("exitCode"):
                told = f"{ended.get('reason') or 'Ended'}, exit code {ended['exitCode']}"
                words = f"the container {container.get('name')} of its pod has failed"
                return _explained(words, told, ended.get("message"))
    return ""


def _end_of_container(pod: Mapping[str, Any], ended: Mapping[str, Any]) -> str:
    code, reason = ended.get("exitCode"), str(ended.get("reason") or "Ended")
    told = f"{reason}, exit code {code}"
    message = ended.get("message")
    if reason == _LOST:
        return _explained("its node does not know what became of it", told, message)
    if code == _KILLED and reason == _OUT_OF_MEMORY:
        return _explained(_out_of_memory(pod), told, message)
    if pod["metadata"].get("deletionTimestamp") and code in (_KILLED, _TERMINATED):
        slowly = ", and it did not end in time" if code == _KILLED else ""
        return _explained(f"its pod was deleted{slowly}", told, message)
    if code == _KILLED:
        words = "something killed it with SIGKILL, and not because it was out of memory"
        return _explained(words, told, message)
    if code == _TERMINATED:
        return _explained("something ended it with SIGTERM", told, message)
    # Of any process of the container, at any time: not the reason for this end.
    told = told.replace(_OUT_OF_MEMORY, "Error")
    return ": ".join(filter(None, (told, _line(message))))


def _out_of_memory(pod: Mapping[str, Any]) -> str:
    limits = (pod["spec"]["containers"][0].get("resources") or {}).get("limits") or {}
    if not limits.get("memory"):
        return "out of memory: its node had none left"
    return (
        f"out of memory: its pod needed more than the {limits['memory']} that it may use. Work on "
        "less data at a time, or ask for more"
    )


def _explained(words: str, reason: str, message: object) -> str:
    return f"{words} ({': '.join(filter(None, (reason, _line(message))))})"


def _line(message: object) -> str:
    return " ".join(str(message or "").split())
