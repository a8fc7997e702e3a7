"""How much of what a process of the kernel has printed has come by iopub.

The process sends what it has printed since the last time in one message for each request. It may
end between two of them.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from .written_region import NAME_BYTES, NAMES, TEXT_BYTES

WRITTEN = "fleet_written"
"""The field of a stream message's metadata that says what it brings: `[stream, before, up_to,
request]`, the text of this request (its `msg_id`) among the bytes that the stream was given after
the first `before` of them, up to `up_to`. All before has come or will not come: in the last message
of those that are sent at once both numbers are the same."""
_MOST_REQUESTS = 4 * NAMES
"""The file of the process knows fewer: more are remembered for nothing."""
_MOST_BYTES = 2**63


@dataclass
class Sent:
    """What has come of a stream: the first `before` bytes, and of those from there up to `up_to`
    what these requests have printed."""

    before: int = 0
    up_to: int = 0
    requests: dict[str, None] = field(default_factory=dict)

    def has(self, request: str) -> int:
        """Up to which byte the text of a request has come."""
        return self.up_to if request in self.requests else self.before

    def heard(self, before: int, up_to: int, request: str) -> None:
        """A message has come. The kernel's user may have made it: numbers only rise."""
        if before >= self.up_to:
            self.before, self.up_to = before, up_to
            self.requests = {}
        elif (before, up_to) != (self.before, self.up_to):
            return
        self.requests[request[:NAME_BYTES]] = None
        if len(self.requests) > _MOST_REQUESTS:
            del self.requests[next(iter(self.requests))]


class SentOutput:
    """How much of what one process has written has come by iopub."""

    def __init__(self) -> None:
        self._streams = {stream: Sent() for stream in TEXT_BYTES}

    def of(self, stream: str) -> Sent:
        """What has come of this stream."""
        return self._streams[stream]

    def heard(self, message_type: str, parts: list[bytes]) -> None:
        """A message has come, with these parts from the header on: take out what is said to the
        agent alone, whatever says it."""
        # A name in JSON can also be written with escapes.
        if WRITTEN.encode() not in parts[2] and b"\\u" not in parts[2]:
            return
        try:
            metadata = json.loads(parts[2])
        except (ValueError, RecursionError):
            # Others may be able to read it.
            parts[2] = b"{}"
            return
        if not isinstance(metadata, dict) or WRITTEN not in metadata:
            return
        said = metadata.pop(WRITTEN)
        parts[2] = json.dumps(metadata).encode()
        if message_type == "stream" and _is_mark(said):
            stream, before, up_to, request = said
            self._streams[stream].heard(before, up_to, request)


def _is_mark(said: Any) -> bool:
    """Whether it has the shape that our kernel gives it."""
    if not isinstance(said, list) or list(map(type, said)) != [str, int, int, str]:
        return False
    stream, before, up_to, _ = said
    return stream in TEXT_BYTES and 0 <= before <= up_to < _MOST_BYTES
