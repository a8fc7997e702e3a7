"""What a gateway asked the API server for, and what of it it may not ask."""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.clusters.kubernetes.documented_rights import Right

_ANY_OBJECTS = {"list", "watch", "deletecollection"}
# Which versions and kinds there are: the library may ask before its first call.
_DISCOVERY = ("/api", "/apis", "/version", "/openapi", "/healthz", "/readyz", "/livez")


class AuditLog:
    """The API server's log, read from where the last reading ended."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._position = 0

    def entries(self, user: str) -> list[dict[str, Any]]:
        """The calls of a user since the last reading."""
        with self._file.open("rb") as log:
            log.seek(self._position)
            text = log.read()
        # The last line may be being written.
        complete = text.rpartition(b"\n")[0]
        self._position += len(complete) + 1 if complete else 0
        entries = [json.loads(line) for line in complete.splitlines()]
        return [entry for entry in entries if entry["user"]["username"] == user]


def violation(entry: Mapping[str, Any], rights: Collection[Right]) -> str | None:
    """What is wrong with one call; None if nothing is.

    A call must be within the documented rights, whether the API server allowed it or not. It must
    name its object, or select the ones that it means: an empty selector is every object there is.
    """
    verb, uri = entry["verb"], entry["requestURI"]
    address = urlsplit(uri)
    said = f"{verb} {uri}"
    target = entry.get("objectRef")
    if target is None:
        plain = verb == "get" and address.path.startswith(_DISCOVERY)
        return None if plain else f"{said}: it is about no object"
    resource = "/".join(filter(None, (target.get("resource"), target.get("subresource"))))
    if Right(resource, verb) not in rights:
        return f"{said}: docs/clusters.md does not name {verb} on {resource}"
    if verb in _ANY_OBJECTS:
        query = parse_qs(address.query)
        if not any(query.get(name) for name in ("labelSelector", "fieldSelector")):
            return f"{said}: it selects nothing, which means every object"
    elif verb != "create" and not target.get("name"):
        return f"{said}: it names no object"
    return None
