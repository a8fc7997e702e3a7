"""Paths at a gateway that labs, agents and other gateways call; the rest are Jupyter's own."""

from __future__ import annotations

import re
from urllib.parse import quote

CHANNELS_ROUTE = "/api/kernels/{kernel_id}/channels"
OWNER_ROUTE = "/api/fleet/kernels/{kernel_id}/owner"
EVENTS_ROUTE = "/api/fleet/kernels/{kernel_id}/events"
GATEWAYS_ROUTE = "/api/fleet/gateways"
DRAIN_ROUTE = "/api/fleet/gateways/{name}/drain"
AGENT_ROUTE = "/api/fleet/agents/{kernel_id}"


def path_of(route: str, **values: str) -> str:
    """The path of a call: `path_of(OWNER_ROUTE, kernel_id="k")`."""
    return route.format(**{name: quote(value, safe="") for name, value in values.items()})


def pattern_of(route: str) -> str:
    """The regular expression of a handler, with a group for each value."""
    return re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route)
