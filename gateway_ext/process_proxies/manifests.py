"""The Kubernetes objects of one kernel, from what its template says and what every agent needs."""

import base64
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL

FILES = "/var/run/jupyter-fleet"
"""Where a container finds what its agent needs."""
DOCUMENT_FILE, BUNDLE_FILE, SCRIPT_FILE = "start.json", "agent.zip", "agent.py"

EXTRA_KINDS = ("Secret", "ConfigMap", "Service", "PersistentVolumeClaim")
"""What a template may make beside its pod, at most one of each, as in Enterprise Gateway."""

_VOLUME = "jupyter-fleet"


@dataclass(frozen=True)
class KernelObjects:
    """The common properties of one kernel's objects."""

    name: str
    namespace: str
    kernel_id: str
    project: str
    launch: str

    @property
    def files_name(self) -> str:
        """The name of the Secret with the agent's files: not one that a user can choose, or the
        kernel would mount any Secret of its namespace by that name."""
        return f"kernel-{self.launch}"

    @property
    def labels(self) -> dict[str, str]:
        """`component` and `kernel_id` are what Enterprise Gateway finds its pods by."""
        return {
            "component": "kernel",
            "kernel_id": self.kernel_id,
            LAUNCH_LABEL: self.launch,
        }

    @property
    def annotations(self) -> dict[str, str]:
        """Not every project's name can be a label."""
        return {"fleet-project": self.project}


def make_pod(template: Mapping[str, Any], kernel: KernelObjects, python: str) -> dict[str, Any]:
    """The pod of a template with the agent in its first container, started by `python`.

    The rest of the container does not change. It is never restarted, because a new agent would
    start a new kernel. Raises LaunchFailed.
    """
    pod = copy.deepcopy(dict(template))
    spec = pod.get("spec")
    if not isinstance(spec, dict):
        raise LaunchFailed("the template's Pod has no spec")
    containers = spec.get("containers")
    if not isinstance(containers, list) or not containers or not isinstance(containers[0], dict):
        raise LaunchFailed("the template's Pod has no container")
    _name(pod, kernel)
    spec["restartPolicy"] = "Never"
    # Code in a kernel may not speak for its service account, unless the template wants it to.
    spec.setdefault("automountServiceAccountToken", False)
    spec["volumes"] = [
        *(spec.get("volumes") or []),
        {"name": _VOLUME, "secret": {"secretName": kernel.files_name, "defaultMode": 0o444}},
    ]
    container = containers[0]
    container["command"] = [python, "-m", "gateway_ext.agent"]
    container["args"] = ["--document", f"{FILES}/{DOCUMENT_FILE}"]
    container["volumeMounts"] = [
        *(container.get("volumeMounts") or []),
        {"name": _VOLUME, "mountPath": FILES, "readOnly": True},
    ]
    _add_to_path(container, kernel)
    return pod


def make_spark_application(template: Mapping[str, Any], kernel: KernelObjects) -> dict[str, Any]:
    """The SparkApplication of a template, whose driver runs the agent. Raises LaunchFailed."""
    application = copy.deepcopy(dict(template))
    spec = application.get("spec")
    if not isinstance(spec, dict) or not isinstance(spec.get("driver"), dict):
        raise LaunchFailed("the template's SparkApplication has no driver")
    _name(application, kernel)
    spec.update(
        type="Python",
        mode="cluster",
        restartPolicy={"type": "Never"},
        mainApplicationFile=f"local://{FILES}/{SCRIPT_FILE}",
        arguments=["--document", f"{FILES}/{DOCUMENT_FILE}"],
    )
    driver = spec["driver"]
    driver["labels"] = {**(driver.get("labels") or {}), **kernel.labels}
    # Spark mounts it by itself; volumes would need the operator's webhook.
    driver["secrets"] = [
        *(driver.get("secrets") or []),
        {"name": kernel.files_name, "path": FILES, "secretType": "Generic"},
    ]
    _empty_lists(driver)
    executor = spec.get("executor")
    if isinstance(executor, dict):
        own = {**kernel.labels, "component": "worker"}
        executor["labels"] = {**(executor.get("labels") or {}), **own}
        _empty_lists(executor)
    configuration = dict(spec.get("sparkConf") or {})
    variable = "spark.kubernetes.driverEnv.PYTHONPATH"
    before = configuration.get(variable)
    bundle = f"{FILES}/{BUNDLE_FILE}"
    configuration[variable] = f"{bundle}:{before}" if before else bundle
    configuration.setdefault("spark.kubernetes.driverEnv.PYTHONNOUSERSITE", "1")
    spec["sparkConf"] = configuration
    return application


def make_files(
    kernel: KernelObjects, owner: Mapping[str, Any], files: Mapping[str, bytes]
) -> dict[str, Any]:
    """The Secret with the files of an agent. It is deleted with `owner`, another object."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": kernel.files_name,
            "namespace": kernel.namespace,
            "labels": kernel.labels,
            "ownerReferences": [owner_reference(owner)],
        },
        "type": "Opaque",
        "immutable": True,
        "data": {name: base64.b64encode(content).decode() for name, content in files.items()},
    }


def make_extra(
    template: Mapping[str, Any], kernel: KernelObjects, owner: Mapping[str, Any]
) -> dict[str, Any]:
    """Another object of the template. It is deleted with `owner`, except for a
    PersistentVolumeClaim, which contains users' data. Raises LaunchFailed."""
    if template["kind"] not in EXTRA_KINDS:
        raise LaunchFailed(
            f"the template makes a {template['kind']}: besides the pod it may only "
            f"make {', '.join(EXTRA_KINDS)}. Create other objects once, by other means"
        )
    extra = copy.deepcopy(dict(template))
    metadata = extra.setdefault("metadata", {})
    metadata["namespace"] = kernel.namespace
    if template["kind"] != "PersistentVolumeClaim":
        metadata["labels"] = {**(metadata.get("labels") or {}), **kernel.labels}
        metadata["ownerReferences"] = [owner_reference(owner)]
    return extra


def make_namespace(kernel: KernelObjects) -> dict[str, Any]:
    """The namespace of one kernel alone."""
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": kernel.namespace, "labels": kernel.labels},
    }


def make_role_binding(
    kernel: KernelObjects, cluster_role: str, service_account: str
) -> dict[str, Any]:
    """The permissions of a service account in the kernel's own namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {
            "name": cluster_role,
            "namespace": kernel.namespace,
            "labels": kernel.labels,
        },
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": cluster_role,
        },
        "subjects": [
            {"kind": "ServiceAccount", "name": service_account, "namespace": kernel.namespace}
        ],
    }


def owner_reference(owner: Mapping[str, Any]) -> dict[str, Any]:
    """A reference by which the cluster removes an object together with `owner`."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
    }


def _name(manifest: dict[str, Any], kernel: KernelObjects) -> None:
    metadata = manifest.setdefault("metadata", {})
    metadata["name"] = kernel.name
    metadata["namespace"] = kernel.namespace
    metadata["labels"] = {**(metadata.get("labels") or {}), **kernel.labels}
    metadata["annotations"] = {**(metadata.get("annotations") or {}), **kernel.annotations}


def _add_to_path(container: dict[str, Any], kernel: KernelObjects) -> None:
    bundle = f"{FILES}/{BUNDLE_FILE}"
    rest = []
    for variable in container.get("env") or []:
        if variable.get("name") == "PYTHONPATH" and variable.get("value"):
            bundle = f"{bundle}:{variable['value']}"
        else:
            rest.append(variable)
    if not any(variable.get("name") == "PYTHONNOUSERSITE" for variable in rest):
        # A home may be a volume that others write to: nothing in it may run in the agent.
        rest.append({"name": "PYTHONNOUSERSITE", "value": "1"})
    own = [
        {"name": "PYTHONPATH", "value": bundle},
        {"name": "KERNEL_ID", "value": kernel.kernel_id},
    ]
    container["env"] = [*rest, *own]


def _empty_lists(part: dict[str, Any]) -> None:
    """Enterprise Gateway's template leaves lists without a member as null."""
    for name in ("env", "volumeMounts", "volumes"):
        if name in part and part[name] is None:
            part[name] = []
