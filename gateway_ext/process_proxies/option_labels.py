"""Where a cluster looks for a kernel's queue and node pool: labels that a kernelspec names."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gateway_ext.process_proxies.agent_process import KernelspecUnusable

KUEUE_QUEUE = "kueue.x-k8s.io/queue-name"
_KEY = re.compile(
    r"([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([\w.-]{0,61}[A-Za-z0-9])?", re.A
)


@dataclass(frozen=True)
class OptionLabels:
    """The keys for the launch options `queue` and `node_pool`. `queue_annotation` is empty if the
    scheduler reads a label."""

    queue_label: str
    queue_annotation: str
    node_pool_label: str


def option_labels(kernelspec: Mapping[str, Any], queue: str, node_pool: str) -> OptionLabels:
    """What `metadata.fleet` of a kernelspec says in `queue_label` or `queue_annotation`, and in
    `node_pool_label`; else the cluster's labels for `queue` and `node_pool`. Raises
    KernelspecUnusable."""
    fleet = (kernelspec.get("metadata") or {}).get("fleet") or {}
    if not isinstance(fleet, Mapping):
        raise KernelspecUnusable("metadata.fleet must be an object")
    annotation = _key(fleet, "queue_annotation", "")
    label = _key(fleet, "queue_label", "" if annotation else queue)
    return OptionLabels(label, annotation, _key(fleet, "node_pool_label", node_pool))


def _key(fleet: Mapping[str, Any], name: str, default: str) -> str:
    key = fleet.get(name, default)
    if not isinstance(key, str) or (key and not _KEY.fullmatch(key)):
        raise KernelspecUnusable(
            f"metadata.fleet.{name} {key!r} is not the key of a label: write for example "
            f"{KUEUE_QUEUE}"
        )
    return key
