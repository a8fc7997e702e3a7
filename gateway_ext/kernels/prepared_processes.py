"""Whether whoever starts a kernel may have chosen what its process does from its start on."""

from collections.abc import Mapping
from typing import Any

from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.launch_options.properties import SPARK_MEMBERS

HARMLESS_VARIABLES = frozenset(
    {
        "JPY_SESSION_NAME",
        "KERNEL_GATEWAY",
        "KERNEL_ID",
        "KERNEL_LAUNCH_TIMEOUT",
        "KERNEL_PROJECT",
        "KERNEL_USERNAME",
    }
)
"""Variables that labs and other tools send with every start: gateways set them anew, or take
numbers only, and the name of the document is read by what asks for it, not at a start."""

SIZES_AND_PLACES = frozenset(
    {
        "cpus",
        "cpus_limit",
        "memory",
        "memory_limit",
        "resources",
        "queue",
        "priority_class",
        "scheduler",
        "tolerations",
        "node_pool",
    }
)
"""Launch options that say how much a kernel gets and where, and nothing of what runs there."""


def prepared_by(new: NewKernel, defaults: Mapping[str, Any]) -> tuple[str | None, ...]:
    """The users of a kernel's processes before anybody runs something there: whoever starts it, if
    its variables or its options, where they are not the `defaults`, may make a process run code of
    their choice. None stands for one of the fleet's own servers."""
    if not (new.environment.keys() - HARMLESS_VARIABLES or _chosen(new.launch_options, defaults)):
        return ()
    return (None if new.by_service else new.username,)


def _chosen(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> bool:
    return any(
        _differs(value, defaults.get(name))
        for name, value in options.items()
        if name not in SIZES_AND_PLACES
    )


def _differs(value: Any, default: Any) -> bool:
    if not isinstance(value, Mapping):
        return bool(value != default)
    others = default if isinstance(default, Mapping) else {}
    members = (value.keys() | others.keys()) - SPARK_MEMBERS.keys()
    return any(
        name not in value or name not in others or value[name] != others[name] for name in members
    )
