"""What the agent tells gateways about its kernel."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from jupyter_ext.wire.messages import MessageError, parse_part


class ProcessState(StrEnum):
    """The life of the kernel's process."""

    STARTING = "starting"
    """Started for the first time, or again after it was dead; has not answered yet."""
    RUNNING = "running"
    """It answers, or has answered and is busy."""
    RESTARTING = "restarting"
    """The old process is being ended, or the new one has not answered yet."""
    DEAD = "dead"
    """It has ended, and is started again only if somebody asks for it."""


def utc_now() -> str:
    """Now, ISO 8601 in UTC with microseconds."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass
class ReportedState:
    """The `STATE` of docs/protocols.md."""

    process: ProcessState = ProcessState.STARTING
    execution_state: str = "starting"
    pid: int | None = None
    reason: str | None = None
    restarts: int = 0
    last_activity: str = field(default_factory=utc_now)
    last_work: str | None = None
    """When its processes last worked, or it said that it does; None if that is not measured."""
    kernel_info: dict[str, Any] | None = None
    network: dict[str, str] | None = None
    """What its process reaches, and why not more, if it has a network of its own."""
    pooled: bool = False
    """Whether the kernel is nobody's yet, and only its agent runs."""

    def as_json(self) -> dict[str, Any]:
        """A copy for the wire."""
        return asdict(self)


_MOST_REQUESTS = 1000
"""More than a kernel works on at once."""
_LONGEST_ID = 256
"""Characters: code of users can invent ids and states of any length."""
_LONGEST_INFO = 2**15
"""Bytes: gateways refuse an agent whose hello has more than 256 KB, and as text in JSON it may have
several times as many."""
_MOST_CONTAINERS = 90
"""Gateways refuse what is nested more than 100 times."""


def short_text(said: object) -> str:
    """What the kernel says where it names a session or a state; empty if that is no text, or one
    that is too long to be repeated."""
    return said if isinstance(said, str) and len(said) <= _LONGEST_ID else ""


def reported_info(content: bytes) -> dict[str, Any]:
    """What gateways are told of a kernel_info_reply; raises MessageError if it cannot be read, or
    if they would refuse it, and the agent with it."""
    if len(content) > _LONGEST_INFO or content.count(b"{") + content.count(b"[") > _MOST_CONTAINERS:
        raise MessageError("it is longer, or has more lists and objects, than gateways take")
    return parse_part(content)


class Busyness:
    """Whether the kernel is busy, from its `status` messages.

    The last status alone is not enough: a control request sends `idle` while a cell runs.
    """

    def __init__(self) -> None:
        self._requests: set[str] = set()

    def heard(self, execution_state: str, request: str) -> str:
        """The kernel's state after a `status` message about `request` ("" if it names none)."""
        if execution_state == "busy":
            # Code of users can invent requests, and any number of them.
            if len(request) <= _LONGEST_ID and len(self._requests) < _MOST_REQUESTS:
                self._requests.add(request)
        elif execution_state == "idle":
            if request:
                self._requests.discard(request)
            else:
                self._requests.clear()
            return "busy" if self._requests else "idle"
        return execution_state
