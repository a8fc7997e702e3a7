"""Tables of what servers answer: what is not named in one is refused.

A lab and a gateway have a table each. An entry names a handler, its methods, whether it is a
websocket, and the URLs at which it may be reached; all of that must agree. A handler that an update
of Jupyter adds, a method that it adds to one, or another handler at an URL that is known, is in no
table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

READ = frozenset({"GET", "HEAD", "OPTIONS"})


class Who(Enum):
    """Who may use a route."""

    EVERYBODY = "everybody"
    """No login needed."""
    USERS = "users"
    """Everybody who is logged in."""
    VIEWERS = "viewers"
    """Viewers of the project in the group `path` of the URL; for the root, all users."""
    EDITORS = "editors"
    """Editors of the project in the group `path` of the URL."""
    SERVICES = "services"
    """The fleet's own servers (tokens with `service`)."""
    KERNELS = "kernels"
    """What runs beside the kernel in the URL, with that kernel's ticket, which no other route
    takes. At labs also the fleet's own servers."""
    AGENTS = "agents"
    """Agents, which prove after the handshake that they have their kernel's key."""


@dataclass(frozen=True)
class Route:
    """`methods` of one handler on URLs that match `pattern` as a whole are for `who`."""

    who: Who
    methods: frozenset[str]
    pattern: re.Pattern[str]
    handler: str
    """`handler_name` of its class."""
    socket: bool


@dataclass(frozen=True)
class Call:
    """A request, and what the server would answer it with.

    `path` is the request's path below the base URL, still escaped, without the query.
    """

    method: str
    path: str
    handler: str
    socket: bool = False


def route(who: Who, methods: str, pattern: str, handler: str, *, socket: bool = False) -> Route:
    """An entry of a table; `methods` are separated by spaces, GET is all that reads."""
    names = frozenset(methods.split())
    if "GET" in names and not socket:
        names |= READ
    return Route(who, names, re.compile(pattern), handler, socket)


def without_head(entry: Route) -> Route:
    """The same for a stock handler that fails at HEAD."""
    return replace(entry, methods=entry.methods - {"HEAD"})


def handler_name(kind: type) -> str:
    """What tables call a handler: its module and its name."""
    return f"{kind.__module__}.{kind.__qualname__}"


def find(table: Iterable[Route], call: Call) -> tuple[Route, re.Match[str]] | None:
    """The first entry that names this call, and how its pattern matches; None if none does."""
    for entry in table:
        if (
            call.method in entry.methods
            and call.handler == entry.handler
            and call.socket == entry.socket
            and (match := entry.pattern.fullmatch(call.path))
        ):
            return entry, match
    return None
