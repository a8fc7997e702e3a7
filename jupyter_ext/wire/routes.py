"""Paths at which labs, gateways and agents call each other; the rest are Jupyter's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import quote, urlencode

CHANNELS_ROUTE = "/api/kernels/{kernel_id}/channels"
OWNER_ROUTE = "/api/fleet/kernels/{kernel_id}/owner"
EVENTS_ROUTE = "/api/fleet/kernels/{kernel_id}/events"
GONE_ROUTE = "/api/fleet/kernels/{kernel_id}/gone"
GATEWAYS_ROUTE = "/api/fleet/gateways"
DRAIN_ROUTE = "/api/fleet/gateways/{name}/drain"
CLUSTERS_ROUTE = "/api/fleet/clusters"
LEFTOVERS_ROUTE = "/api/fleet/leftovers"
POOLS_ROUTE = "/api/fleet/pools"
LAUNCH_OPTIONS_ROUTE = "/api/fleet/kernelspecs/{name}/launch-options"
JOURNAL_ROUTE = "/api/fleet/kernels/{kernel_id}/journal"
"""At a lab; what runs beside a kernel calls it with a ticket, also through the kernel's gateway."""
TICKET_ROUTE = "/api/fleet/kernels/{kernel_id}/ticket"
"""At a lab."""
SIGN_IN_CODES_ROUTE = "/api/fleet/sign-in-codes"
"""At a lab; the platform's server calls it with a user's token."""
REVOCATIONS_ROUTE = "/api/fleet/revocations"
"""At a lab: the platform posts there, gateways read. At a gateway: whether it does."""
ENCRYPTION_ROUTE = "/api/fleet/encryption"
"""At labs and gateways; `jupyter fleet secrets` calls it."""
AGENT_ROUTE = "/api/fleet/agents/{kernel_id}"

LAUNCHING = "launching"
"""In a query, with the value 1: a websocket's client takes text frames about a kernel that is being
launched; `DELETE` of a kernel cancels its launch, and is 409 if the kernel runs already."""

PERSONAL = "personal"
"""In the query of a list of kernels: which kernels of one person alone are in it, beside those of
projects: MINE, or ALL whose existence the caller may know. None without it: labs of the version
before would take them for kernels of everybody."""
MINE, ALL = "mine", "all"


def cancels_launch(arguments: Mapping[str, Sequence[bytes]]) -> bool:
    """Whether a `DELETE` with this query ends no kernel that runs already: LAUNCHING is in it.

    Raises ValueError if that is misspelled: without the guard, the kernel would end."""
    guards = {name: values for name, values in arguments.items() if _is_guard(name)}
    if guards and (guards.keys() != {LAUNCHING} or list(guards[LAUNCHING]) != [b"1"]):
        raise ValueError(f"to cancel a launch alone, send exactly ?{LAUNCHING}=1, once")
    return bool(guards)


def _is_guard(name: str) -> bool:
    return name.strip().casefold() == LAUNCHING


def path_of(route: str, **values: str) -> str:
    """The path of a call: `path_of(OWNER_ROUTE, kernel_id="k")`."""
    return route.format(**{name: quote(value, safe="") for name, value in values.items()})


def pattern_of(route: str) -> str:
    """The regular expression of a handler, with a group for each value."""
    return re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route)


def channels_url(
    owner: str,
    kernel_id: str,
    session_id: str,
    nonce: str,
    received: int | None,
    *,
    launching: bool = False,
    journal: str | None = None,
    cursor: bool = False,
) -> str:
    """The websocket address of a kernel at a gateway whose base URL is `owner`.

    `launching` adds LAUNCHING, `cursor` makes it a cursor stream; `journal` is the one that
    `received` belongs to.
    """
    query = {"session_id": session_id, "stream": nonce}
    if received is not None:
        query["received"] = str(received)
    if journal is not None:
        query["journal"] = journal
    if cursor:
        query["cursor"] = "1"
    if launching:
        query[LAUNCHING] = "1"
    base = owner.rstrip("/")
    if base.startswith("http"):
        base = "ws" + base.removeprefix("http")
    return f"{base}{path_of(CHANNELS_ROUTE, kernel_id=kernel_id)}?{urlencode(query)}"
