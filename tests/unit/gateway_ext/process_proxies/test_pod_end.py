"""Why a pod has ended, from statuses that a real cluster has given."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import AgentLife
from gateway_ext.process_proxies.pod_end import why_ending
from gateway_ext.process_proxies.pod_status import pod_sighting

DELETED = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
LIMIT = {"limits": {"memory": "250Mi"}}


def pod(
    status: dict[str, Any], resources: dict[str, Any] | None = None, **metadata: Any
) -> dict[str, Any]:
    return {
        "metadata": {"uid": "u1", "labels": {"fleet-launch": "l1"}, **metadata},
        "spec": {"containers": [{"name": "kernel", "resources": resources or {}}]},
        "status": status,
    }


def ended(
    code: int, why: str, phase: str = "Failed", message_: str | None = None, **more: Any
) -> dict[str, Any]:
    state = {"terminated": {"exitCode": code, "reason": why, "message": message_}}
    return {"phase": phase, "containerStatuses": [{"name": "kernel", "state": state}], **more}


def disrupted(reason: str, message: str) -> dict[str, Any]:
    condition = {"type": "DisruptionTarget", "status": "True", "reason": reason}
    return {"conditions": [{**condition, "message": message}]}


USAGE = 'Usage of EmptyDir volume "small" exceeds the limit "1Mi". '
EVICTED = {"reason": "Evicted", "message": USAGE}
LOCATED = "The container could not be located when the pod was terminated"
LOW = "The node was low on resource: memory. "
DRAINED = disrupted("EvictionByEvictionAPI", "Eviction API: evicting")
KILLED = "something killed it with SIGKILL, and not because it was out of memory"

TABLE = [
    (
        "evicted from a node that is low on memory",
        pod(
            ended(137, "Error", reason="Evicted", message=LOW)
            | disrupted("TerminationByKubelet", LOW)
        ),
        "its node ended its pod (Evicted: The node was low on resource: memory.)",
    ),
    (
        "evicted by its node",
        pod(ended(137, "Error", **EVICTED)),
        'its node ended its pod (Evicted: Usage of EmptyDir volume "small" exceeds the limit '
        '"1Mi".)',
    ),
    (
        "an agent of before says that it completed",
        pod(ended(0, "Completed", "Succeeded", **EVICTED)),
        'its node ended its pod (Evicted: Usage of EmptyDir volume "small" exceeds the limit '
        '"1Mi".)',
    ),
    (
        "drained",
        pod(ended(143, "Error", **DRAINED), **DELETED),
        "its pod was evicted, as when a node is drained (EvictionByEvictionAPI: Eviction API: "
        "evicting)",
    ),
    (
        "its container has ended, the pod is about to",
        pod(ended(143, "Error", "Running", **DRAINED), **DELETED),
        "its pod was evicted, as when a node is drained (EvictionByEvictionAPI: Eviction API: "
        "evicting)",
    ),
    (
        "did not end in time",
        pod(ended(137, "Error", **DRAINED), **DELETED),
        "its pod was evicted, as when a node is drained (EvictionByEvictionAPI: Eviction API: "
        "evicting)",
    ),
    (
        "node deleted",
        pod(ended(137, "Error", **disrupted("DeletionByPodGC", "PodGC: node no longer exists"))),
        "its node does not exist any more (DeletionByPodGC: PodGC: node no longer exists)",
    ),
    (
        "node shut down",
        pod({"phase": "Failed", "reason": "Terminated", "message": "Pod was terminated"}),
        "its node was shut down (Terminated: Pod was terminated)",
    ),
    (
        "ran for too long",
        pod(ended(143, "Error", reason="DeadlineExceeded")),
        "its pod has run for as long as it may (DeadlineExceeded)",
    ),
    (
        "a reason of a later version",
        pod({"phase": "Failed", "reason": "Moved", "message": "elsewhere"}),
        "the cluster ended its pod (Moved: elsewhere)",
    ),
    (
        "out of memory",
        pod(ended(137, "OOMKilled"), LIMIT),
        "out of memory: its pod needed more than the 250Mi that it may use. Work on less data at a "
        "time, or ask for more (OOMKilled, exit code 137)",
    ),
    (
        "out of memory without a limit",
        pod(ended(137, "OOMKilled")),
        "out of memory: its node had none left (OOMKilled, exit code 137)",
    ),
    (
        # containerd says so of every later end.
        "one of its processes was ended for its memory before",
        pod(ended(2, "OOMKilled"), LIMIT),
        "Error, exit code 2",
    ),
    ("killed", pod(ended(137, "Error"), LIMIT), f"{KILLED} (Error, exit code 137)"),
    (
        "deleted by somebody",
        pod(ended(143, "Error"), **DELETED),
        "its pod was deleted (Error, exit code 143)",
    ),
    (
        "deleted by somebody and slow",
        pod(ended(137, "Error"), **DELETED),
        "its pod was deleted, and it did not end in time (Error, exit code 137)",
    ),
    (
        "terminated",
        pod(ended(143, "Error")),
        "something ended it with SIGTERM (Error, exit code 143)",
    ),
    (
        "its node was restarted",
        pod(ended(137, "ContainerStatusUnknown", message_=LOCATED)),
        "its node does not know what became of it (ContainerStatusUnknown, exit code 137: The "
        "container could not be located when the pod was terminated)",
    ),
]


@pytest.mark.parametrize(("found", "words"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE])
def test_why_a_pod_has_ended(found: dict[str, Any], words: str) -> None:
    sighting = pod_sighting(found, uid="u1", launch="l1")
    assert (sighting.life, sighting.words) == (AgentLife.DEAD, words)


def test_messages_of_several_lines_become_one() -> None:
    told = pod({"reason": "Evicted", "message": "The node was\n  low on resource.\n"})
    assert why_ending(told) == "its node ended its pod (Evicted: The node was low on resource.)"


def test_the_container_that_has_failed_is_named() -> None:
    failed = {"name": "files", "state": {"terminated": {"exitCode": 1, "reason": "Error"}}}
    told = pod({"phase": "Failed", "initContainerStatuses": [failed]})
    assert pod_sighting(told, uid="u1", launch="l1").words == (
        "the container files of its pod has failed (Error, exit code 1)"
    )
