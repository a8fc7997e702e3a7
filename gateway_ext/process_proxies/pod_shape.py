"""What the pods of one pool have in common, and what a pod learns when it is claimed."""

import copy
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from gateway_ext.process_proxies.agent_bundle import agent_bundle
from gateway_ext.process_proxies.agent_process import AgentSettings, AgentStart
from gateway_ext.process_proxies.manifests import KernelObjects
from gateway_ext.process_proxies.pod_status import LAUNCH_LABEL

IDENTITY = ("KERNEL_ID", "KERNEL_PROJECT", "KERNEL_USERNAME", "KERNEL_POD_NAME")
"""Variables that say whose kernel it is. In a container they may differ, because every start
document has them, and a container's variables give way to it."""

_SAID_BY_LABELS = ("metadata.labels['kernel_id']", "metadata.annotations['fleet-project']")
"""How a manifest gives a container what the labels say when it starts."""

_LATE = ("kernel_id", "kernelspec", "environment", "cwd", "orphan_seconds", "prepared_by")


def pod_shape(pod: Mapping[str, Any], kernel: KernelObjects, more: Mapping[str, Any]) -> str:
    """64 hexadecimal digits, the same for two pods that differ only in what a claim changes, and
    for the same of `more`. Whatever else a template takes from the user or the project makes
    another shape, so that such a kernel is never claimed."""
    neutral = copy.deepcopy(dict(pod))
    metadata, spec = neutral["metadata"], neutral["spec"]
    written = json.dumps(spec, default=str)
    del metadata["name"]
    metadata["labels"].pop(LAUNCH_LABEL)
    # What a container was told when it was made, no claim can change.
    if not any(field in written for field in _SAID_BY_LABELS):
        metadata["labels"].pop("kernel_id")
        for name in kernel.annotations:
            metadata["annotations"].pop(name)
    for volume in spec["volumes"]:
        if (volume.get("secret") or {}).get("secretName") == kernel.files_name:
            volume["secret"]["secretName"] = ""
    elsewhere = _without_identity(spec)
    for variable in spec["containers"][0].get("env") or []:
        name = variable.get("name")
        if _is_identity(variable) and name not in elsewhere and f"$({name})" not in written:
            variable["value"] = ""
    text = json.dumps([neutral, dict(more)], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _is_identity(variable: Mapping[str, Any]) -> bool:
    return variable.get("name") in IDENTITY and "value" in variable


def _without_identity(spec: Mapping[str, Any]) -> str:
    """What a pod's spec says beside the variables of its identity. Hooks, probes and shells may use
    them by name there."""
    first, *others = spec["containers"]
    rest = [one for one in first.get("env") or [] if not _is_identity(one)]
    return json.dumps({**spec, "containers": [{**first, "env": rest}, *others]}, default=str)


def beside_pod(start: AgentStart, settings: AgentSettings, command: list[str]) -> dict[str, Any]:
    """What kernels of one shape have in common beside their pods; `command` is the kernel's."""
    return {
        "kernel_name": start.kernel_name,
        "resource_dir": start.resource_dir,
        "command": command,
        "metadata": without_pool(start.kernelspec.get("metadata") or {}),
        "interrupt_mode": start.kernelspec.get("interrupt_mode"),
        "settings": [
            settings.journal_memory_bytes,
            settings.journal_disk_bytes,
            settings.journal_comm_bytes,
            settings.ping_seconds,
            settings.ping_timeout,
        ],
        "agent": hashlib.sha256(agent_bundle()).hexdigest(),
    }


def without_pool(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """A kernelspec's metadata but for its pools: another size is no other kernel."""
    fleet = metadata.get("fleet")
    if not isinstance(fleet, Mapping):
        return dict(metadata)
    return {**metadata, "fleet": {name: fleet[name] for name in fleet if name != "pool"}}


def late_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """The part of an agent's start document that follows when its kernel is claimed."""
    return {name: document[name] for name in _LATE if name in document}
