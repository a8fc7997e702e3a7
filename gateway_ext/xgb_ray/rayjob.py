"""Submits a training to KubeRay, follows it, and cleans up. What is sent is made in `manifests`."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway_ext.xgb_ray.errors import ClusterError, ParameterError
from gateway_ext.xgb_ray.manifests import RayJobOptions, make_ray_job, make_task_config_map

_GROUP, _VERSION, _PLURAL = "ray.io", "v1", "rayjobs"
_ENDED = ("SUCCEEDED", "FAILED", "STOPPED")


def make_task(
    params: Mapping[str, Any], data: Any, label: Any, out: str, options: Mapping[str, Any]
) -> str:
    """The task of `job` as JSON.

    Raises:
        ParameterError: something cannot be sent to another machine: data in this kernel's
            memory, functions, or a local path to write to.
    """
    if "://" not in out:
        raise ParameterError(f"out must be a URI that the pods can write to, not {out!r}")
    task = {
        "params": dict(params),
        "data": data,
        "label": label,
        "out": out,
        "options": {k: v for k, v in options.items() if v is not None},
    }
    try:
        return json.dumps(task)
    except TypeError as error:
        raise ParameterError(
            "a rayjob takes paths and plain values only: data frames and functions of this "
            f"kernel do not reach its pods ({error})"
        ) from error


class RayJob:
    """A submitted training."""

    def __init__(self, options: RayJobOptions, api: Any = None, core: Any = None) -> None:
        """`api` and `core` are Kubernetes' CustomObjectsApi and CoreV1Api; found from the
        environment (in a pod, or a kubeconfig) unless given."""
        self.options = options
        if api is None or core is None:
            api, core = _clients()
        self._api, self._core = api, core
        self._log_path = f"{options.name}.log"

    def submit(self, task_json: str) -> None:
        """Make the RayJob and the ConfigMap with its task.

        Raises:
            ClusterError: the API server refuses them.
        """
        from kubernetes.client import ApiException

        o = self.options
        try:
            made = self._api.create_namespaced_custom_object(
                _GROUP, _VERSION, o.namespace, _PLURAL, make_ray_job(o)
            )
            config = make_task_config_map(o, task_json)
            # Owned by the job: Kubernetes removes it with the job, whoever removes that.
            config["metadata"]["ownerReferences"] = [
                {
                    "apiVersion": f"{_GROUP}/{_VERSION}",
                    "kind": "RayJob",
                    "name": o.name,
                    "uid": made["metadata"]["uid"],
                }
            ]
            self._core.create_namespaced_config_map(o.namespace, config)
        except ApiException as error:
            raise ClusterError(f"the job {o.name} cannot be made: {_reason(error)}") from error

    def status(self) -> tuple[str, str]:
        """The job's state in KubeRay's words ("" at first) and its message."""
        from kubernetes.client import ApiException

        o = self.options
        try:
            job = self._api.get_namespaced_custom_object(
                _GROUP, _VERSION, o.namespace, _PLURAL, o.name
            )
        except ApiException as error:
            raise ClusterError(f"the job {o.name} cannot be read: {_reason(error)}") from error
        status = job.get("status", {})
        state = status.get("jobStatus") or status.get("jobDeploymentStatus") or ""
        return state, status.get("message") or ""

    def logs(self) -> Iterator[str]:
        """Lines of the training's output, followed until it ends.

        They are kept in a file too, which is there when the cluster is gone.
        """
        o = self.options
        pods = self._core.list_namespaced_pod(
            o.namespace, label_selector=f"batch.kubernetes.io/job-name={o.name}"
        )
        if not pods.items:
            return
        stream = self._core.read_namespaced_pod_log(
            pods.items[-1].metadata.name, o.namespace, follow=True, _preload_content=False
        )
        with open(self._log_path, "a", encoding="utf-8") as file:
            for raw in stream:
                line = raw.decode(errors="replace")
                file.write(line)
                yield line.rstrip("\n")

    def wait(self, show: Callable[[str], None] = print, poll_seconds: float = 2.0) -> str:
        """Follow until the end; the final state. An interrupt leaves the job running.

        Raises:
            ClusterError: it failed.
        """
        before = ""
        while True:
            state, message = self.status()
            if state != before:
                show(f"{self.options.name}: {state} {message}".rstrip())
                before = state
            if state == "RUNNING":
                for line in self.logs():
                    show(line)
            if state in _ENDED or state == "Failed":
                if state != "SUCCEEDED":
                    raise ClusterError(f"the job {self.options.name} ended: {state} {message}")
                return state
            time.sleep(poll_seconds)

    def stop(self) -> None:
        """Remove the job with its cluster and task; a job that is gone already is no error."""
        from kubernetes.client import ApiException

        o = self.options
        try:
            self._api.delete_namespaced_custom_object(
                _GROUP, _VERSION, o.namespace, _PLURAL, o.name
            )
        except ApiException as error:
            if error.status != 404:
                raise ClusterError(f"{o.name} cannot be removed: {_reason(error)}") from error


def _clients() -> tuple[Any, Any]:
    from kubernetes import client, config

    try:
        config.load_incluster_config()
    except config.ConfigException:
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            raise ClusterError(
                "no Kubernetes cluster is known here: run in a pod with a service account, or "
                "set KUBECONFIG"
            ) from error
    return client.CustomObjectsApi(), client.CoreV1Api()


def _reason(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"
