"""What a RayJob's status and its pods mean."""

from __future__ import annotations

from typing import Any

import pytest
from kubernetes import client

from gateway_ext.xgb_ray.rayjob.stage import pod_trouble, read_stage
from tests.integration.xgb_ray.kuberay import make_pod


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [
        ({}, "queued", "submitted"),
        ({"jobDeploymentStatus": "Initializing"}, "starting", "its pods are starting"),
        ({"jobDeploymentStatus": "Running"}, "starting", "its pods are starting"),
        ({"jobDeploymentStatus": "Running", "jobStatus": "PENDING"}, "starting", "starting"),
        ({"jobDeploymentStatus": "Running", "jobStatus": "RUNNING"}, "running", "running"),
        ({"jobDeploymentStatus": "Retrying"}, "starting", "its pods are starting"),
        ({"jobDeploymentStatus": "Suspended"}, "queued", "suspended"),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "SUCCEEDED"}, "succeeded", "succeeded"),
        ({"jobDeploymentStatus": "Complete", "jobStatus": "STOPPED"}, "failed", "failed"),
        (
            {"jobDeploymentStatus": "Failed", "reason": "DeadlineExceeded", "message": "3600 s"},
            "failed",
            "failed: it took longer than deadline_seconds: 3600 s",
        ),
        (
            {"jobDeploymentStatus": "ValidationFailed", "message": "bad name"},
            "failed",
            "failed: KubeRay refuses it: bad name",
        ),
        ({"jobDeploymentStatus": "SomethingNew"}, "queued", "submitted"),
    ],
)
def test_stages(status: dict[str, Any], kind: str, words: str) -> None:
    stage = read_stage({"status": status})
    assert (stage.kind, stage.words) == (kind, words)
    assert stage.ended == (kind in ("succeeded", "failed"))


def test_a_job_that_is_gone_and_one_that_kueue_holds() -> None:
    assert read_stage(None).kind == "removed"
    labels = {"kueue.x-k8s.io/queue-name": "team"}
    held = {"spec": {"suspend": True}, "metadata": {"labels": labels}}
    assert read_stage(held).words == "waits in the queue team"


def typed(*pods: dict[str, Any]) -> list[Any]:
    api = client.ApiClient()
    return [api._ApiClient__deserialize(p, "V1Pod") for p in pods]


def test_pods() -> None:
    assert pod_trouble(typed(make_pod("fine", phase="Running"))) is None
    room = make_pod("big", unschedulable="0/3 nodes are available")
    trouble = pod_trouble(typed(room))
    assert trouble is not None
    assert not trouble.lasting
    assert trouble.words == "the pod big waits for a node: 0/3 nodes are available"
    # What does not pass by itself is told before what may.
    crash = make_pod("bad", waiting=("CrashLoopBackOff", "back-off 20s"))
    trouble = pod_trouble(typed(room, crash))
    assert trouble is not None
    assert trouble.lasting
    assert trouble.words.startswith("CrashLoopBackOff of registry.example/kernel:1 in the pod bad")
    assert pod_trouble(typed(make_pod("new", waiting=("ContainerCreating", "")))) is None
