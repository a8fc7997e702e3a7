"""Kubernetes manifests for training through KubeRay. Pure: plain dictionaries, no client.

A training wants all its workers at once, so replicas = minimum = maximum and the autoscaler is off:
a gang scheduler covers the minimum number of workers only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway_ext.xgb_ray.errors import ParameterError

_NAME = re.compile(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?")
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
# `job.py` finds the task here, inside the pods.
TASK_MOUNT = "/etc/xgb-ray"
# Annotations of a RayJob that tell a later kernel what it is and where its results are.
FOLDER, COMMAND = "jupyter-fleet/xgb-ray-folder", "jupyter-fleet/xgb-ray-command"


@dataclass(frozen=True)
class RayJobOptions:
    """Where and how a training runs on Kubernetes.

    Attributes:
        name: of the RayJob and what belongs to it: lower case letters, digits and `-`, at most 47.
        namespace: where it is made.
        image: a container image with this package's `xgb-ray` environment.
        ray_version: the version of Ray in that image.
        workers, cpus, memory: worker pods, and the CPUs and memory of each (such as "8Gi").
        head_cpus, head_memory: of the head, which trains nothing.
        queue: of Volcano or Kueue, by `scheduler`: "", "volcano" or "kueue".
        priority_class: of the pods.
        service_account: of the pods, with access to the data and to where results go.
        env: environment variables of the pods; `env_from_secrets` names secrets for more.
        claims: persistent volume claims by name, with the path where each is mounted in the pods.
        labels, annotations: added to everything; node_selector, tolerations: of the pods.
        keep_seconds: how long the cluster stays after the end.
        deadline_seconds: ends a job that takes longer; 0 for none.
    """

    name: str
    image: str
    ray_version: str
    namespace: str = "default"
    workers: int = 2
    cpus: int = 2
    memory: str = "8Gi"
    head_cpus: int = 1
    head_memory: str = "4Gi"
    scheduler: str = ""
    queue: str = ""
    priority_class: str = ""
    service_account: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    env_from_secrets: Sequence[str] = ()
    claims: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    node_selector: Mapping[str, str] = field(default_factory=dict)
    tolerations: Sequence[Mapping[str, Any]] = ()
    image_pull_secrets: Sequence[str] = ()
    keep_seconds: int = 60
    deadline_seconds: int = 0

    def check(self) -> None:
        """Raises `ParameterError` for what Kubernetes or KubeRay would refuse."""
        check_name(self.name)
        check_namespace(self.namespace)
        if self.scheduler not in ("", "volcano", "kueue"):
            raise ParameterError(f"scheduler must be volcano or kueue, not {self.scheduler!r}")
        if self.queue and not self.scheduler:
            raise ParameterError("a queue needs scheduler='volcano' or scheduler='kueue'")
        if self.scheduler == "kueue" and not self.queue:
            raise ParameterError("Kueue needs the name of a queue")
        for name in ("workers", "cpus", "head_cpus"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                raise ParameterError(
                    f"{name} of a rayjob must be a whole number above 0, not {value!r}"
                )
        for name, path in self.claims.items():
            if not str(path).startswith("/"):
                raise ParameterError(f"the claim {name!r} needs a path to mount at, not {path!r}")


def check_name(name: str) -> str:
    """Returns the name of a job; raises `ParameterError` for anything that is not one name.

    An empty one would be all jobs of the namespace to Kubernetes.
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ParameterError(
            f"the name {name!r} must be lower case letters, digits and '-', begin with "
            "a letter, and have at most 47 characters"
        )
    return name


def check_namespace(namespace: str) -> str:
    """The same for a namespace. An empty one would be all namespaces."""
    if not isinstance(namespace, str) or not _NAMESPACE.fullmatch(namespace):
        raise ParameterError(
            f"the namespace {namespace!r} must be lower case letters, digits and '-', at most 63"
        )
    return namespace


def make_ray_job(options: RayJobOptions, told: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The RayJob that runs the task in the ConfigMap of the same name.

    `told` are annotations of the RayJob alone.

    Raises:
        ParameterError: an option would be refused.
    """
    options.check()
    labels = dict(options.labels)
    if options.scheduler == "volcano":
        if options.queue:
            labels["volcano.sh/queue-name"] = options.queue
        if options.priority_class:
            labels["ray.io/priority-class-name"] = options.priority_class
    if options.scheduler == "kueue":
        labels["kueue.x-k8s.io/queue-name"] = options.queue
    spec: dict[str, Any] = {
        "entrypoint": f"python -m gateway_ext.xgb_ray.rayjob.entry_point {TASK_MOUNT}/task.json",
        "submissionMode": "K8sJobMode",
        "shutdownAfterJobFinishes": True,
        "ttlSecondsAfterFinished": options.keep_seconds,
        "backoffLimit": 0,
        "rayClusterSpec": make_ray_cluster_spec(options),
        "submitterPodTemplate": {
            "spec": {
                "restartPolicy": "Never",
                **_scheduling(options),
                "containers": [_container(options, "submitter", 1, "1Gi", "200m")],
            }
        },
    }
    if options.deadline_seconds:
        spec["activeDeadlineSeconds"] = options.deadline_seconds
    if options.scheduler == "kueue":
        # Kueue lifts this when there is quota for all pods.
        spec["suspend"] = True
    metadata: dict[str, Any] = {"name": options.name, "namespace": options.namespace}
    if labels:
        metadata["labels"] = labels
    annotations = {**options.annotations, **(told or {})}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": "ray.io/v1", "kind": "RayJob", "metadata": metadata, "spec": spec}


def make_ray_cluster_spec(options: RayJobOptions) -> dict[str, Any]:
    """A head without CPUs for work, and one group of exactly as many workers as asked for."""
    return {
        "rayVersion": options.ray_version,
        "enableInTreeAutoscaling": False,
        "headGroupSpec": {
            # No training worker may land on the head, whose loss ends the job.
            "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104, the pod
            "template": _pod(options, "ray-head", options.head_cpus, options.head_memory),
        },
        "workerGroupSpecs": [
            {
                "groupName": "workers",
                "replicas": options.workers,
                "minReplicas": options.workers,
                "maxReplicas": options.workers,
                "rayStartParams": {"num-cpus": str(options.cpus)},
                "template": _pod(options, "ray-worker", options.cpus, options.memory),
            }
        ],
    }


def make_task_config_map(options: RayJobOptions, task_json: str) -> dict[str, Any]:
    """The ConfigMap with the task; it goes with the RayJob when `owner` is set by the client."""
    metadata: dict[str, Any] = {"name": options.name, "namespace": options.namespace}
    if options.labels:
        metadata["labels"] = dict(options.labels)
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"task.json": task_json},
    }


def _pod(options: RayJobOptions, container: str, cpus: int, memory: str) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    if options.labels:
        metadata["labels"] = dict(options.labels)
    if options.annotations:
        metadata["annotations"] = dict(options.annotations)
    spec = {
        **_scheduling(options),
        "containers": [_container(options, container, cpus, memory, str(cpus))],
        "volumes": [
            {"name": "task", "configMap": {"name": options.name}},
            *(
                {"name": f"claim-{i}", "persistentVolumeClaim": {"claimName": claim}}
                for i, claim in enumerate(options.claims)
            ),
        ],
    }
    return {"metadata": metadata, "spec": spec} if metadata else {"spec": spec}


def _scheduling(options: RayJobOptions) -> dict[str, Any]:
    spec: dict[str, Any] = {}
    if options.priority_class:
        spec["priorityClassName"] = options.priority_class
    if options.service_account:
        spec["serviceAccountName"] = options.service_account
    if options.node_selector:
        spec["nodeSelector"] = dict(options.node_selector)
    if options.tolerations:
        spec["tolerations"] = [dict(t) for t in options.tolerations]
    if options.image_pull_secrets:
        spec["imagePullSecrets"] = [{"name": n} for n in options.image_pull_secrets]
    return spec


def _container(
    options: RayJobOptions, name: str, cpus: int, memory: str, cpu_request: str
) -> dict[str, Any]:
    container: dict[str, Any] = {
        "name": name,
        "image": options.image,
        "resources": {
            # Equal requests and limits: Ray counts what the limit says.
            "requests": {"cpu": cpu_request, "memory": memory},
            "limits": {"cpu": str(cpus), "memory": memory},
        },
    }
    env = dict(options.env)
    if name != "submitter":
        # Ray would have workers give way to everything else there (niceness 15), and members of
        # a collective call then wait for whoever is starved most.
        env = {"RAY_worker_niceness": "0", **env}
    if env:
        container["env"] = [{"name": k, "value": v} for k, v in env.items()]
    if options.env_from_secrets:
        container["envFrom"] = [{"secretRef": {"name": n}} for n in options.env_from_secrets]
    if name != "submitter":
        container["volumeMounts"] = [
            {"name": "task", "mountPath": TASK_MOUNT, "readOnly": True},
            *(
                {"name": f"claim-{i}", "mountPath": path}
                for i, path in enumerate(options.claims.values())
            ),
        ]
    return container
