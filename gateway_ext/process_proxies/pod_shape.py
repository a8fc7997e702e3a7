"""What the pods of one pool have in common, and what a pod learns when it is claimed."""

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.manifests import KernelObjects
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL

IDENTITY = ("KERNEL_ID", "KERNEL_PROJECT", "KERNEL_USERNAME", "KERNEL_POD_NAME")
"""Variables that say whose kernel it is. In a container they may differ, because a claim gives the
agent the values that a cold start would have."""

_LATE = ("kernel_id", "kernelspec", "environment", "cwd", "orphan_seconds")


def pod_shape(pod: Mapping[str, Any], kernel: KernelObjects, more: Mapping[str, Any]) -> str:
    """64 hexadecimal digits, the same for two pods that differ only in what a claim changes, and
    for the same of `more`. Whatever else a template takes from the user or the project makes
    another shape, so that such a kernel is never claimed."""
    neutral = copy.deepcopy(dict(pod))
    metadata = neutral["metadata"]
    del metadata["name"]
    for name in ("kernel_id", LAUNCH_LABEL):
        metadata["labels"].pop(name)
    for name in kernel.annotations:
        metadata["annotations"].pop(name)
    for volume in neutral["spec"]["volumes"]:
        if (volume.get("secret") or {}).get("secretName") == kernel.name:
            volume["secret"]["secretName"] = ""
    for variable in neutral["spec"]["containers"][0].get("env") or []:
        if variable.get("name") in IDENTITY and "value" in variable:
            variable["value"] = ""
    text = json.dumps([neutral, dict(more)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def pod_variables(pod: Mapping[str, Any]) -> dict[str, str]:
    """The variables that a pod's manifest gives its first container."""
    return {
        variable["name"]: str(variable["value"])
        for variable in pod["spec"]["containers"][0].get("env") or []
        if "value" in variable
    }


def late_document(document: Mapping[str, Any], variables: Mapping[str, str]) -> dict[str, Any]:
    """The part of an agent's start document that follows when its kernel is claimed; `variables`
    are those of the pod that a cold start would have made."""
    late = {name: document[name] for name in _LATE if name in document}
    late["environment"] = {**variables, **document["environment"]}
    return late
