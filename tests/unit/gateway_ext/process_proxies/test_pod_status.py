"""What a pod says of its agent: a table of what clusters really say."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import AgentLife
from gateway_ext.process_proxies.pod_status import pod_sighting
from gateway_ext.process_proxies.sighting import Obstacle, Patience, alive

ALIVE, DEAD, UNKNOWN = AgentLife.ALIVE, AgentLife.DEAD, AgentLife.UNKNOWN
NONE, LASTING, FINAL = Obstacle.NONE, Obstacle.LASTING, Obstacle.FINAL


def pod(status: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u1", "labels": {"fleet-launch": "l1"}, **metadata},
        "spec": {"containers": [{"name": "kernel"}, {"name": "istio-proxy"}]},
        "status": status or {},
    }


def waiting(reason: str, message: str = "", kind: str = "containerStatuses") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return {"phase": "Pending", kind: [{"name": "kernel", "state": state}]}


def ended(phase: str, **terminated: Any) -> dict[str, Any]:
    state = {"terminated": terminated}
    return {"phase": phase, "containerStatuses": [{"name": "kernel", "state": state}]}


UNSCHEDULABLE = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": "0/3 nodes are available: 3 Insufficient memory.",
        }
    ],
}
PREEMPTED = {
    "phase": "Failed",
    "conditions": [
        {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "PreemptionByScheduler",
            "message": "default-scheduler: preempting to accommodate a higher priority pod",
        }
    ],
    "containerStatuses": [{"name": "kernel", "state": {"terminated": {"exitCode": 143}}}],
}
EVICTED = {
    "phase": "Failed",
    "reason": "Evicted",
    "message": "The node was low on resource: memory.",
}

# As the node controller leaves it: only the pod's condition changes.
NODE_LOST = {
    "phase": "Running",
    "conditions": [{"type": "Ready", "status": "False"}],
    "containerStatuses": [{"name": "kernel", "ready": True, "state": {"running": {}}}],
}
TAINTED = {
    **NODE_LOST,
    "conditions": [
        {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
    ],
}
# Its readiness probe fails, which says nothing of its node.
NOT_READY = {
    **NODE_LOST,
    "containerStatuses": [{"name": "kernel", "ready": False, "state": {"running": {}}}],
}

ANOTHER = "the pod does not exist any more: another one has its name"
TABLE = [
    ("node lost", pod(NODE_LOST), ALIVE, NONE, "its node does not answer (NotReady)"),
    ("not ready", pod(NOT_READY), ALIVE, NONE, ""),
    (
        "evicted from a lost node",
        pod(TAINTED, deletionTimestamp="2026-01-01T00:00:00Z"),
        ALIVE,
        NONE,
        "the pod is being ended: the cluster removed its pod from its node, which has a taint "
        "(DeletionByTaintManager: Taint manager: deleting due to NoExecute taint)",
    ),
    (
        "deleted on a lost node",
        pod(NODE_LOST, deletionTimestamp="2026-01-01T00:00:00Z"),
        ALIVE,
        NONE,
        "its node does not answer (NotReady); the pod is being ended",
    ),
    ("no pod of that name", None, DEAD, NONE, "the pod does not exist any more"),
    ("another pod of that name", pod(uid="u2"), DEAD, NONE, ANOTHER),
    (
        "another launch",
        pod(labels={"fleet-launch": "l2"}),
        DEAD,
        NONE,
        "there is no such pod: another one has its name",
    ),
    ("just made", pod(), ALIVE, NONE, "the pod is pending"),
    (
        "waits for a node",
        pod(UNSCHEDULABLE),
        ALIVE,
        NONE,
        "Unschedulable: 0/3 nodes are available: 3 Insufficient memory.",
    ),
    ("is made", pod(waiting("ContainerCreating")), ALIVE, NONE, "the pod is pending"),
    (
        "image missing",
        pod(waiting("ErrImagePull", "not found")),
        ALIVE,
        LASTING,
        "ErrImagePull: not found",
    ),
    (
        "backs off",
        pod(waiting("ImagePullBackOff", "Back-off")),
        ALIVE,
        LASTING,
        "ImagePullBackOff: Back-off",
    ),
    (
        "init image missing",
        pod(waiting("ImagePullBackOff", "Back-off", "initContainerStatuses")),
        ALIVE,
        LASTING,
        "ImagePullBackOff: Back-off",
    ),
    (
        "bad image name",
        pod(waiting("InvalidImageName", "x::y")),
        ALIVE,
        FINAL,
        "InvalidImageName: x::y",
    ),
    (
        "no such configmap",
        pod(waiting("CreateContainerConfigError")),
        ALIVE,
        LASTING,
        "CreateContainerConfigError",
    ),
    ("runs", pod({"phase": "Running"}), ALIVE, NONE, ""),
    (
        "is ended",
        pod({"phase": "Running"}, deletionTimestamp="2026-11-22T00:00:00Z"),
        ALIVE,
        NONE,
        "the pod is being ended",
    ),
    (
        "node lost",
        pod({"phase": "Running", "reason": "NodeLost", "message": "node n1 is gone"}),
        UNKNOWN,
        NONE,
        "the state of the pod is not known: node n1 is gone",
    ),
    (
        "phase unknown",
        pod({"phase": "Unknown"}),
        UNKNOWN,
        NONE,
        "the state of the pod is not known: its node cannot be reached",
    ),
    (
        "agent ended, sidecar runs",
        pod(ended("Running", exitCode=1, reason="Error")),
        DEAD,
        NONE,
        "Error, exit code 1",
    ),
    (
        "says why it ended",
        pod(ended("Failed", exitCode=2, reason="StartError", message="no such file: python")),
        DEAD,
        NONE,
        "StartError, exit code 2: no such file: python",
    ),
    ("ended without a reason", pod(ended("Failed", exitCode=2)), DEAD, NONE, "Ended, exit code 2"),
    (
        "evicted",
        pod(EVICTED),
        DEAD,
        NONE,
        "its node ended its pod (Evicted: The node was low on resource: memory.)",
    ),
    (
        "preempted",
        pod(PREEMPTED),
        DEAD,
        NONE,
        "its pod had to make room for one of a higher priority (PreemptionByScheduler: "
        "default-scheduler: preempting to accommodate a higher priority pod)",
    ),
    (
        "disrupted, without a reason",
        pod({"phase": "Failed", "conditions": [{"type": "DisruptionTarget", "status": "True"}]}),
        DEAD,
        NONE,
        "the cluster ended its pod (DisruptionTarget)",
    ),
    (
        "disruption was called off",
        pod(
            {
                **ended("Failed", exitCode=1, reason="Error"),
                "conditions": [
                    {"type": "Initialized", "status": "True", "reason": "wrong"},
                    {"type": "DisruptionTarget", "status": "False", "reason": "wrong"},
                ],
            }
        ),
        DEAD,
        NONE,
        "Error, exit code 1",
    ),
    (
        "scheduled, not initialized",
        pod(
            {
                "phase": "Pending",
                "conditions": [
                    {"type": "Initialized", "status": "False", "reason": "wrong"},
                    {"type": "PodScheduled", "status": "True", "reason": "wrong"},
                ],
            }
        ),
        ALIVE,
        NONE,
        "the pod is pending",
    ),
    (
        "done",
        pod(ended("Succeeded", exitCode=0, reason="Completed")),
        DEAD,
        NONE,
        "Completed, exit code 0",
    ),
    ("done, details gone", pod({"phase": "Succeeded"}), DEAD, NONE, "the pod has ended: Succeeded"),
    (
        "failed beside an agent that ended well",
        pod(ended("Failed", exitCode=0, reason="Completed")),
        DEAD,
        NONE,
        "the pod has ended: Failed",
    ),
]


@pytest.mark.parametrize(
    ("found", "life", "obstacle", "words"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_what_a_pod_says(
    found: dict[str, Any] | None, life: AgentLife, obstacle: Obstacle, words: str
) -> None:
    sighting = pod_sighting(found, uid="u1", launch="l1")
    assert (sighting.life, sighting.obstacle) == (life, obstacle)
    assert sighting.words == words


def test_a_pod_whose_creation_was_not_answered_is_known_by_its_label() -> None:
    assert pod_sighting(pod(uid="u7"), uid="", launch="l1").life is ALIVE
    assert pod_sighting(pod(uid="u7"), uid="", launch="l2").life is DEAD
    assert pod_sighting(None, uid="", launch="l1").words == "there is no such pod"
    assert "no such pod" in pod_sighting(None, uid="", launch="l1").words


def test_patience_is_for_what_may_pass_and_begins_anew() -> None:
    lasting, final = alive("pull", LASTING), alive("name", FINAL)
    patience = Patience(10.0).after(lasting, 100.0)
    assert not patience.is_over(lasting, 109.9)
    assert patience.after(lasting, 105.0).is_over(lasting, 110.0)
    assert not patience.after(alive(), 105.0).after(lasting, 106.0).is_over(lasting, 112.0)
    assert Patience(10.0).is_over(final, 0.0)
    assert not Patience(0.0).after(alive("no room"), 0.0).is_over(alive("no room"), 1e6)


GATED = {
    "phase": "Pending",
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "SchedulingGated",
            "message": "Scheduling is blocked due to non-empty scheduling gates",
        }
    ],
}
SCHEDULED = {"type": "PodScheduled", "status": "True"}
SANDBOX = {"type": "PodReadyToStartContainers", "status": "True"}
CREATED = waiting("ContainerCreating")
INITIALIZED_BY = {
    "phase": "Pending",
    "conditions": [SCHEDULED, SANDBOX],
    "initContainerStatuses": [{"name": "init", "state": {"running": {}}}],
    "containerStatuses": [{"name": "kernel", "state": {"waiting": {"reason": "PodInitializing"}}}],
}


@pytest.mark.parametrize(
    ("found", "phase"),
    [
        (pod(), "scheduling"),
        (pod(UNSCHEDULABLE), "scheduling"),
        (pod(GATED), "queued"),
        (pod({"conditions": [SCHEDULED]}), "starting"),
        (pod({**CREATED, "conditions": [SCHEDULED]}), "starting"),
        (pod({**CREATED, "conditions": [SCHEDULED, SANDBOX]}), "pulling"),
        (pod({**CREATED, "conditions": [SCHEDULED, {**SANDBOX, "status": "False"}]}), "starting"),
        (pod(INITIALIZED_BY), "starting"),
        (pod(waiting("ErrImagePull", "not found")), "pulling"),
        (pod(waiting("InvalidImageName")), "pulling"),
        (pod(waiting("CreateContainerConfigError")), "starting"),
        (pod(waiting("CrashLoopBackOff")), "starting"),
        (pod({"phase": "Running"}), "connecting"),
        (pod({"phase": "Running"}, deletionTimestamp="2026-11-22T00:00:00Z"), ""),
        (pod(ended("Failed", exitCode=1)), ""),
        (None, ""),
    ],
)
def test_how_far_a_pod_is(found: dict[str, Any] | None, phase: str) -> None:
    assert pod_sighting(found, uid="u1", launch="l1").phase == phase


def test_a_pod_with_gates_is_queued_before_its_scheduler_says_so() -> None:
    gated = pod()
    gated["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    sighting = pod_sighting(gated, uid="u1", launch="l1")
    assert sighting.phase == "queued"
    assert "kueue.x-k8s.io/admission" in sighting.words


def test_a_pod_on_a_node_is_scheduled_whatever_its_conditions_say() -> None:
    placed = pod()
    placed["spec"]["nodeName"] = "n1"
    assert pod_sighting(placed, uid="u1", launch="l1").phase == "starting"


def test_why_a_pod_is_being_ended_is_known_before_it_has_ended() -> None:
    deleted = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    tainted = pod_sighting(pod(TAINTED, **deleted), uid="u1", launch="l1")
    assert tainted.ending.startswith("the cluster removed its pod from its node")
    # A kubelet says it before the pod is deleted.
    evicting = {**EVICTED, "phase": "Running"}
    assert "Evicted" in pod_sighting(pod(evicting), uid="u1", launch="l1").ending
    by_hand = pod_sighting(pod({"phase": "Running"}, **deleted), uid="u1", launch="l1")
    assert by_hand.ending == "its pod was deleted"
    assert not pod_sighting(pod(NODE_LOST), uid="u1", launch="l1").ending
