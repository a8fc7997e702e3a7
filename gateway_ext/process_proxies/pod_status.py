"""The state of an agent according to its pod's status.

The texts are those that kubelets, schedulers and controllers write into a PodStatus
(Kubernetes API reference, core/v1).
"""

from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.pod_end import why_ended, why_ending
from gateway_ext.process_proxies.sighting import Obstacle, Sighting, alive, dead, unknown

LAUNCH_LABEL = "fleet-launch"
"""Holds `AgentStart.launch`: of one kernel each launch has objects of its own."""

_FINAL = frozenset({"InvalidImageName", "ErrImageNeverPull"})
_OF_IMAGES = frozenset(
    {
        "InvalidImageName",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
    }
)
_LASTING = frozenset(
    {
        "ErrImagePull",
        "ImagePullBackOff",
        "ImageInspectError",
        "RegistryUnavailable",
        "SignatureValidationFailed",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
        "PreCreateHookError",
        "PreStartHookError",
        "PostStartHookError",
    }
)


def pod_sighting(pod: Mapping[str, Any] | None, *, uid: str, launch: str) -> Sighting:
    """What `pod`, found under the name of our pod, says; None if there is none of that name.

    `uid` is our pod's, empty if its creation was never answered: then the label tells it.
    """
    if pod is None:
        return dead("the pod does not exist any more" if uid else "there is no such pod")
    metadata = pod["metadata"]
    if uid and metadata.get("uid") != uid:
        return dead("the pod does not exist any more: another one has its name")
    if (metadata.get("labels") or {}).get(LAUNCH_LABEL) != launch:
        return dead("there is no such pod: another one has its name")
    status = pod.get("status") or {}
    phase = status.get("phase") or "Pending"
    container = _agent_container(pod, status)
    # A container beside it (a service mesh's, say) may keep the pod running.
    if phase in ("Succeeded", "Failed") or "terminated" in (container.get("state") or {}):
        return dead(why_ended(pod, container))
    if phase == "Unknown" or status.get("reason") == "NodeLost":
        words = status.get("message") or "its node cannot be reached"
        return unknown(f"the state of the pod is not known: {words}")
    if phase == "Pending":
        return _pending(pod, status)
    lost = "its node does not answer (NotReady)" if _lost_its_node(status, container) else ""
    ending = why_ending(pod)
    if metadata.get("deletionTimestamp") or ending:
        being_ended = _with("the pod is being ended", ending)
        words = "; ".join(filter(None, (lost, being_ended)))
        return alive(words, ending=ending or "its pod was deleted")
    if lost:
        return alive(lost, phase="connecting")
    # Its container runs, and a kubelet that has not said so yet is about to.
    return alive(phase="connecting")


def _agent_container(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Mapping[str, Any]:
    """The status of the first container, in which the agent is; empty while there is none."""
    name = pod["spec"]["containers"][0]["name"]
    statuses = status.get("containerStatuses") or []
    return next((one for one in statuses if one.get("name") == name), {})


def _pending(pod: Mapping[str, Any], status: Mapping[str, Any]) -> Sighting:
    containers = [
        *(status.get("initContainerStatuses") or []),
        *(status.get("containerStatuses") or []),
    ]
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        reason = waiting.get("reason") or ""
        if reason in _FINAL or reason in _LASTING:
            obstacle = Obstacle.FINAL if reason in _FINAL else Obstacle.LASTING
            phase = "pulling" if reason in _OF_IMAGES else "starting"
            return alive(_with(reason, waiting.get("message")), obstacle, phase=phase)
    told = {one.get("type"): one for one in status.get("conditions") or []}
    scheduled = told.get("PodScheduled") or {}
    if scheduled.get("status") == "False":
        # Room may be made (an autoscaler, a kernel that ends): only the time-out ends the wait.
        words = _with(scheduled.get("reason") or "", scheduled.get("message"))
        gated = scheduled.get("reason") == "SchedulingGated"
        return alive(words, phase="queued" if gated else "scheduling")
    spec = pod.get("spec") or {}
    if spec.get("schedulingGates"):
        return alive("SchedulingGated: " + _gates(spec), phase="queued")
    if scheduled.get("status") != "True" and not spec.get("nodeName"):
        return alive("the pod is pending", phase="scheduling")
    ready = told.get("PodReadyToStartContainers") or {}
    if ready.get("status") == "True" and _is_being_made(containers):
        # Its network is there: what is left to do before the container is made is its image.
        return alive("the pod is pending", phase="pulling")
    return alive("the pod is pending", phase="starting")


def _gates(spec: Mapping[str, Any]) -> str:
    names = ", ".join(str(gate.get("name")) for gate in spec["schedulingGates"])
    return f"it waits for {names}"


def _is_being_made(containers: list[Any]) -> bool:
    """Whether no container has run yet; those that wait for init containers do not count."""
    states = [container.get("state") or {} for container in containers]
    return any(
        (state.get("waiting") or {}).get("reason") == "ContainerCreating" for state in states
    ) and not any("running" in state for state in states)


def _lost_its_node(status: Mapping[str, Any], container: Mapping[str, Any]) -> bool:
    """Whether the node controller has given up the node: it marks the pod as not ready, while the
    container's status stays as the kubelet has last reported it."""
    ready = any(
        condition.get("type") == "Ready" and condition.get("status") == "False"
        for condition in status.get("conditions") or []
    )
    return ready and bool(container.get("ready")) and "running" in (container.get("state") or {})


def _with(reason: str, message: str | None) -> str:
    return ": ".join(part for part in (reason, (message or "").strip()) if part)
