"""The RayJobs of a namespace: Kubernetes' calls, and its errors in the user's words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from gateway_ext.xgb_ray.errors import ClusterError, ParameterError
from gateway_ext.xgb_ray.rayjob.manifests import (
    RayJobOptions,
    check_name,
    check_namespace,
    make_ray_job,
    make_task_config_map,
)

_GROUP, _VERSION, _PLURAL = "ray.io", "v1", "rayjobs"


class RayJobs:
    """The RayJobs of a namespace: Kubernetes' calls, with errors in the user's words.

    Methods raise `ClusterError` when the API server refuses, `ConnectionError` when it does not
    answer, and `ParameterError` for a name that is none: what is read, listed or removed is always
    one job's.
    """

    def __init__(self, namespace: str, api: Any = None, core: Any = None) -> None:
        """`api` and `core` are Kubernetes' CustomObjectsApi and CoreV1Api; found from the
        environment (in a pod, or a kubeconfig) unless given."""
        self.namespace = check_namespace(namespace)
        if api is None or core is None:
            api, core = _clients()
        self._api, self._core = api, core

    def submit(
        self, options: RayJobOptions, task_json: str, told: Mapping[str, str] | None = None
    ) -> str:
        """Make the RayJob and the ConfigMap with its task; returns the RayJob's uid."""
        with _words(f"the job {options.name} cannot be made"):
            made = self._api.create_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, _PLURAL, make_ray_job(options, told)
            )
        uid = str(made["metadata"]["uid"])
        config = make_task_config_map(options, task_json)
        # Owned by the job: Kubernetes removes it with the job, whoever removes that.
        config["metadata"]["ownerReferences"] = [
            {
                "apiVersion": f"{_GROUP}/{_VERSION}",
                "kind": "RayJob",
                "name": options.name,
                "uid": uid,
            }
        ]
        try:
            with _words(f"the task of the job {options.name} cannot be made"):
                self._core.create_namespaced_config_map(self.namespace, config)
        except BaseException:
            with contextlib.suppress(ClusterError, ConnectionError):
                self.delete(options.name, uid)
            raise
        return uid

    def read(self, name: str) -> dict[str, Any] | None:
        """The RayJob, or None if there is none of this name."""
        with _words(f"the job {name} cannot be read", absent_is_fine=True):
            found: dict[str, Any] = self._api.get_namespaced_custom_object(
                _GROUP, _VERSION, self.namespace, _PLURAL, check_name(name)
            )
            return found
        return None

    def pods(self, name: str, cluster: str) -> list[Any]:
        """The pods of a job: its submitter's first, then its cluster's."""
        found = []
        selectors = [f"batch.kubernetes.io/job-name={check_name(name)}"]
        if cluster:
            selectors.append(f"ray.io/cluster={cluster}")
        with _words(f"the pods of the job {name} cannot be listed"):
            for selector in selectors:
                answer = self._core.list_namespaced_pod(self.namespace, label_selector=selector)
                found += answer.items
        return found

    def log(self, name: str, *, follow: bool = False) -> Iterator[str]:
        """Lines that the job's submitter has printed; nothing if it is not there (any more)."""
        pods = self.pods(name, "")
        if not pods:
            return
        with _words(f"the log of the job {name} cannot be read", absent_is_fine=True):
            stream = self._core.read_namespaced_pod_log(
                pods[-1].metadata.name, self.namespace, follow=follow, _preload_content=False
            )
            rest = b""
            for raw in stream:
                *lines, rest = (rest + raw).split(b"\n")
                for line in lines:
                    yield line.decode(errors="replace")
            if rest:
                yield rest.decode(errors="replace")

    def delete(self, name: str, uid: str) -> None:
        """Remove the job of this name and uid with its cluster and task.

        One that is gone already is no error, and another one that has its name since stays.
        """
        if not uid:
            raise ParameterError(f"the job {name} cannot be identified: it has no uid")
        with _words(f"the job {name} cannot be removed", absent_is_fine=True):
            self._api.delete_namespaced_custom_object(
                _GROUP,
                _VERSION,
                self.namespace,
                _PLURAL,
                check_name(name),
                body={"propagationPolicy": "Background", "preconditions": {"uid": uid}},
            )


def _clients() -> tuple[Any, Any]:
    from kubernetes import client, config

    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)
    except config.ConfigException:
        try:
            config.load_kube_config(client_configuration=configuration)
        except config.ConfigException as error:
            raise ClusterError(
                "no Kubernetes cluster is configured here: run in a pod with a service account, or "
                f"set KUBECONFIG to a file that names one ({error})"
            ) from error
    # Kubernetes' own client repeats a call only for HTTP's sake; polling repeats it anyway.
    configuration.retries = 0
    shared = client.ApiClient(configuration)
    return client.CustomObjectsApi(shared), client.CoreV1Api(shared)


@contextlib.contextmanager
def _words(what: str, absent_is_fine: bool = False) -> Iterator[None]:
    """Answers of the API server that are errors, in words that say how to fix them."""
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    try:
        yield
    except HTTPError as error:
        raise ConnectionError(
            f"the Kubernetes API server does not answer ({type(error).__name__})"
        ) from error
    except ApiException as error:
        said = _said(error)
        if error.status == 404 and "page not found" in said:
            raise ClusterError(
                f"{what}: this Kubernetes cluster does not know RayJob. Have the KubeRay "
                "operator installed there, or use --cluster local"
            ) from error
        if error.status in (404, 409) and absent_is_fine:
            return
        if error.status == 401:
            raise ClusterError(f"{what}: log in to Kubernetes again ({said})") from error
        if error.status == 403:
            raise ClusterError(
                f"{what}: {said}. Ask for a role that may create, get and delete rayjobs.ray.io, "
                "create configmaps, and list pods with their logs, or take another namespace="
            ) from error
        if error.status is None or error.status == 429 or error.status >= 500:
            raise ConnectionError(
                f"the Kubernetes API server answers {error.status}: {said}"
            ) from error
        raise ClusterError(f"{what}: {said}") from error


def _said(error: Any) -> str:
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return str(error.body or error.reason or "").strip() or f"status {error.status}"
