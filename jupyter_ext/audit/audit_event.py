"""One event of the audit, and the JSON document that it becomes."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from jupyter_ext.platform.safe_logs import safe_text

LONGEST_TEXT = 1000
"""Characters of each text of an event."""


class Outcome(StrEnum):
    """What became of it."""

    ALLOWED = "allowed"
    DENIED = "denied"
    """The caller may not do it."""
    FAILED = "failed"
    """The caller may, and it did not work."""


class Kind(StrEnum):
    """What operators choose by."""

    CHANGE = "change"
    """Changes something, runs something, or signs somebody in or out."""
    READ = "read"
    """Reads a file, or what a kernel said."""
    POLL = "poll"
    """Lists and states, which open pages ask for again and again."""
    FLEET = "fleet"
    """What the fleet's own servers and the agents of kernels call."""
    DENIAL = "denial"
    """Any of these that was denied."""


@dataclass(frozen=True)
class Actor:
    """Who did it."""

    kind: str = "nobody"
    name: str = ""
    login: str = ""
    address: str = ""


@dataclass(frozen=True)
class Server:
    """Who writes the event."""

    kind: str
    name: str
    version: str


@dataclass(frozen=True)
class AuditEvent:
    """Something that was done, or denied."""

    action: str
    kind: Kind
    outcome: Outcome
    actor: Actor
    object: Mapping[str, str] = field(default_factory=dict)
    reason: str = ""
    status: int = 0
    request: str = ""
    count: int = 0

    def document(self, server: Server) -> dict[str, Any]:
        """The event as it is written, made at this moment; without what is empty."""
        actor = {"kind": self.actor.kind, "name": shown(self.actor.name)}
        for name in ("login", "address"):
            if value := getattr(self.actor, name):
                actor[name] = shown(value)
        document: dict[str, Any] = {
            "id": uuid.uuid4().hex,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "server": {"kind": server.kind, "name": server.name, "version": server.version},
            "actor": actor,
            "action": self.action,
            "object": {name: shown(value) for name, value in self.object.items() if value},
            "outcome": str(self.outcome),
        }
        for name in ("reason", "request"):
            if value := getattr(self, name):
                document[name] = shown(value)
        for name in ("status", "count"):
            if value := getattr(self, name):
                document[name] = value
        return document


def shown(text: str) -> str:
    """The text without tokens, in one line and in valid Unicode: nothing after a line break may
    look like another event, whatever reads it."""
    valid = text.encode("utf-8", "backslashreplace").decode()
    return safe_text(valid).replace("\n", "\\x0a").replace("\t", "\\x09")[:LONGEST_TEXT]
