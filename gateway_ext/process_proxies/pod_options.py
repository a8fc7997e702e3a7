"""Launch options in the manifest of a pod."""

import copy
from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.agent_process import LaunchFailed
from gateway_ext.process_proxies.option_labels import OptionLabels
from jupyter_ext.launch_options.quantities import kubernetes_amount, kubernetes_text

POD_OPTIONS = frozenset(
    {"image", "cpus", "cpus_limit", "memory", "memory_limit", "resources", "queue"}
    | {"priority_class", "scheduler", "tolerations", "node_pool", "environment"}
)

_VARIABLES = {
    "image": "KERNEL_IMAGE",
    "cpus": "KERNEL_CPUS",
    "cpus_limit": "KERNEL_CPUS_LIMIT",
    "memory": "KERNEL_MEMORY",
    "memory_limit": "KERNEL_MEMORY_LIMIT",
}


def option_variables(options: Mapping[str, Any]) -> dict[str, str]:
    """The KERNEL_… variables by which a template, and a kernel, learns what was chosen."""
    return {
        variable: kubernetes_text(options[name])
        for name, variable in _VARIABLES.items()
        if name in options
    }


def with_pod_options(
    template: Mapping[str, Any], options: Mapping[str, Any], labels: OptionLabels
) -> dict[str, Any]:
    """The pod of a template with what was chosen in place of what the template says. What belongs
    to a container is the first one's. Raises LaunchFailed."""
    pod = copy.deepcopy(dict(template))
    if not options:
        return pod
    spec = pod.get("spec")
    containers = spec.get("containers") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not containers or not isinstance(containers[0], dict):
        raise LaunchFailed("the template's Pod has no container")
    if "image" in options:
        containers[0]["image"] = options["image"]
    _set_resources(containers[0], options)
    if "queue" in options:
        set_queue(pod, str(options["queue"]), labels)
    add_tolerations(spec, options)
    if "scheduler" in options:
        spec["schedulerName"] = options["scheduler"]
    if "node_pool" in options:
        selector = spec.get("nodeSelector") or {}
        spec["nodeSelector"] = {**selector, labels.node_pool_label: options["node_pool"]}
    if "priority_class" in options:
        spec["priorityClassName"] = options["priority_class"]
        # The cluster's own number for the class; a template's would contradict it.
        spec.pop("priority", None)
    return pod


def set_queue(manifest: dict[str, Any], queue: str, labels: OptionLabels) -> None:
    """Puts a queue where the cluster's scheduler looks for it in the object's metadata."""
    metadata = manifest.setdefault("metadata", {})
    for kind, key in (("labels", labels.queue_label), ("annotations", labels.queue_annotation)):
        if key:
            metadata[kind] = {**(metadata.get(kind) or {}), key: queue}


def add_tolerations(spec: dict[str, Any], options: Mapping[str, Any]) -> None:
    """Adds what was chosen to the tolerations that the template has."""
    if options.get("tolerations"):
        spec["tolerations"] = [*(spec.get("tolerations") or []), *options["tolerations"]]


def _set_resources(container: dict[str, Any], options: Mapping[str, Any]) -> None:
    before = container.get("resources") or {}
    requests, limits = dict(before.get("requests") or {}), dict(before.get("limits") or {})
    for option, name in (("cpus", "cpu"), ("memory", "memory")):
        if option in options:
            requests[name] = kubernetes_text(options[option])
            if f"{option}_limit" not in options and _is_less(limits.get(name), requests[name]):
                limits[name] = requests[name]
        if f"{option}_limit" in options:
            limits[name] = kubernetes_text(options[f"{option}_limit"])
            if option not in options and _is_less(limits[name], requests.get(name)):
                requests[name] = limits[name]
    for name, count in (options.get("resources") or {}).items():
        # Kubernetes demands that both are equal for resources other than its own.
        for amounts in (requests, limits):
            amounts.pop(name, None)
            if count:
                amounts[name] = str(int(count))
    resources = dict(before)
    for kind, amounts in (("requests", requests), ("limits", limits)):
        if amounts:
            resources[kind] = amounts
        else:
            resources.pop(kind, None)
    if resources or "resources" in container:
        container["resources"] = resources


def _is_less(one: Any, other: Any) -> bool:
    """Whether both are given and the first is less; a template may have numbers."""
    if one is None or other is None:
        return False
    try:
        return kubernetes_amount(one) < kubernetes_amount(other)
    except ValueError:
        # The cluster will say what is wrong with the template's.
        return False
