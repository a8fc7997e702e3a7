"""RayJob manifests against the manifest that one would write by hand, and KubeRay's schema."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from kubernetes import client

from gateway_ext.xgb_ray.errors import ParameterError
from gateway_ext.xgb_ray.rayjob.manifests import RayJobOptions, make_ray_job, make_task_config_map

CRD = Path(__file__).with_name("rayjob_crd.json")

FULL = RayJobOptions(
    name="train-1",
    namespace="demo",
    image="registry.example/kernel:1",
    ray_version="2.60.0",
    workers=3,
    cpus=4,
    memory="16Gi",
    scheduler="volcano",
    queue="research",
    priority_class="high",
    service_account="trainer",
    env={"A": "b"},
    env_from_secrets=["bucket"],
    labels={"team": "x"},
    annotations={"note": "y"},
    node_selector={"pool": "cpu"},
    tolerations=[{"key": "spot", "operator": "Exists"}],
    image_pull_secrets=["pull"],
    deadline_seconds=3600,
)


def closed(schema: Any) -> Any:
    """The schema with unknown fields refused: an API server would drop them silently."""
    if isinstance(schema, list):
        return [closed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    out = {k: closed(v) for k, v in schema.items()}
    if "properties" in out and "additionalProperties" not in out:
        out["additionalProperties"] = False
    return out


def pod_templates(job: dict[str, Any]) -> list[dict[str, Any]]:
    spec = job["spec"]
    cluster = spec["rayClusterSpec"]
    return [
        spec["submitterPodTemplate"],
        cluster["headGroupSpec"]["template"],
        *(group["template"] for group in cluster["workerGroupSpecs"]),
    ]


@pytest.mark.parametrize(
    "options",
    [
        RayJobOptions(name="a", image="i", ray_version="2.60.0"),
        FULL,
        RayJobOptions(name="a", image="i", ray_version="2.60.0", scheduler="kueue", queue="q"),
    ],
)
def test_jobs_are_what_the_published_schemas_ask_for(options: RayJobOptions) -> None:
    job = make_ray_job(options)
    jsonschema.validate(job, closed(json.loads(CRD.read_text())["schema"]))
    api = client.ApiClient()
    for template in pod_templates(job):
        known = _typed(api, template)
        # What Kubernetes' own model does not know would be missing after the round trip.
        assert api.sanitize_for_serialization(known) == template


def _typed(api: client.ApiClient, template: dict[str, Any]) -> Any:
    return api._ApiClient__deserialize(template, "V1PodTemplateSpec")


def test_the_schema_test_can_fail() -> None:
    job = make_ray_job(FULL)
    job["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]["maxReplica"] = 3
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(job, closed(json.loads(CRD.read_text())["schema"]))


def test_the_whole_manifest() -> None:
    pod = {
        "priorityClassName": "high",
        "serviceAccountName": "trainer",
        "nodeSelector": {"pool": "cpu"},
        "tolerations": [{"key": "spot", "operator": "Exists"}],
        "imagePullSecrets": [{"name": "pull"}],
    }
    mount = {"volumes": [{"name": "task", "configMap": {"name": "train-1"}}]}
    metadata = {"labels": {"team": "x"}, "annotations": {"note": "y"}}

    def container(name: str, request: str, cpu: str, memory: str) -> dict[str, Any]:
        return {
            "name": name,
            "image": "registry.example/kernel:1",
            "resources": {
                "requests": {"cpu": request, "memory": memory},
                "limits": {"cpu": cpu, "memory": memory},
            },
            "env": [{"name": "A", "value": "b"}],
            "envFrom": [{"secretRef": {"name": "bucket"}}],
        }

    def mounted(name: str, cpu: str, memory: str) -> dict[str, Any]:
        found = container(name, cpu, cpu, memory)
        found["env"].insert(0, {"name": "RAY_worker_niceness", "value": "0"})
        mounts = [{"name": "task", "mountPath": "/etc/xgb-ray", "readOnly": True}]
        return {**found, "volumeMounts": mounts}

    assert make_ray_job(FULL) == {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": "train-1",
            "namespace": "demo",
            "labels": {
                "team": "x",
                "volcano.sh/queue-name": "research",
                "ray.io/priority-class-name": "high",
            },
            "annotations": {"note": "y"},
        },
        "spec": {
            "entrypoint": "python -m gateway_ext.xgb_ray.rayjob.entry_point /etc/xgb-ray/task.json",
            "submissionMode": "K8sJobMode",
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": 60,
            "backoffLimit": 0,
            "activeDeadlineSeconds": 3600,
            "rayClusterSpec": {
                "rayVersion": "2.60.0",
                "enableInTreeAutoscaling": False,
                "headGroupSpec": {
                    "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},
                    "template": {
                        "metadata": metadata,
                        "spec": {**pod, "containers": [mounted("ray-head", "1", "4Gi")], **mount},
                    },
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": 3,
                        "minReplicas": 3,
                        "maxReplicas": 3,
                        "rayStartParams": {"num-cpus": "4"},
                        "template": {
                            "metadata": metadata,
                            "spec": {
                                **pod,
                                "containers": [mounted("ray-worker", "4", "16Gi")],
                                **mount,
                            },
                        },
                    }
                ],
            },
            "submitterPodTemplate": {
                "spec": {
                    "restartPolicy": "Never",
                    **pod,
                    "containers": [container("submitter", "200m", "1", "1Gi")],
                }
            },
        },
    }


def test_kueue_starts_suspended_and_keeps_its_label() -> None:
    options = RayJobOptions(
        name="a", image="i", ray_version="2.60.0", scheduler="kueue", queue="team"
    )
    job = make_ray_job(options)
    assert job["spec"]["suspend"] is True
    assert job["metadata"]["labels"] == {"kueue.x-k8s.io/queue-name": "team"}


def test_the_task_is_a_config_map() -> None:
    options = RayJobOptions(
        name="a", namespace="ml", image="i", ray_version="2", labels={"team": "x"}
    )
    made = make_task_config_map(options, '{"x": 1}')
    assert made == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "ml", "labels": {"team": "x"}},
        "data": {"task.json": '{"x": 1}'},
    }
    typed = client.ApiClient()._ApiClient__deserialize(copy.deepcopy(made), "V1ConfigMap")
    assert client.ApiClient().sanitize_for_serialization(typed) == made


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": "Not_Good"}, "lower case"),
        ({"scheduler": "slurm"}, "volcano or kueue"),
        ({"queue": "q"}, "needs scheduler"),
        ({"scheduler": "kueue"}, "name of a queue"),
        ({"workers": 0}, "workers of a rayjob must be a whole number above 0"),
        ({"cpus": 1.5}, "whole number above 0"),
        ({"claims": {"data": "data"}}, "needs a path"),
    ],
)
def test_what_would_be_refused_is_refused_before(change: dict[str, Any], words: str) -> None:
    given: dict[str, Any] = {"name": "a", "image": "i", "ray_version": "2", **change}
    with pytest.raises(ParameterError, match=words):
        make_ray_job(RayJobOptions(**given))
