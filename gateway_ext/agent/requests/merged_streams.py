"""Joins what a cell printed in many messages into few: a page processes a stream's text anew for
each."""

from __future__ import annotations

import json
from dataclasses import dataclass

from jupyter_ext.wire.messages import MessageError, join_v1, parse_part, split_v1

LONGEST_MERGED = 2**18
"""A longer message stays as it is: to parse it would hold the event loop."""


@dataclass
class _Run:
    """Adjacent messages of one request and one stream. `message` is the first one as it was."""

    number: int
    message: bytes
    parts: list[bytes]
    name: str
    texts: list[str]


class MergedStreams:
    """Takes messages (v1 layout) in order; `finish` gives them with the number of each, of merged
    ones that of the last."""

    def __init__(self) -> None:
        self._merged: list[tuple[int, bytes]] = []
        self._run: _Run | None = None

    def add(self, number: int, message: bytes) -> None:
        """The next message."""
        run = _as_run(number, message)
        before = self._run
        if run is None:
            self.end_run()
            self._merged.append((number, message))
        elif before is not None and (before.name, before.parts[1]) == (run.name, run.parts[1]):
            before.number = number
            before.texts += run.texts
        else:
            self.end_run()
            self._run = run

    def finish(self) -> list[tuple[int, bytes]]:
        """All messages that were added."""
        self.end_run()
        return self._merged

    def end_run(self) -> None:
        """What comes next is not adjacent to what has come: something is missing between them."""
        run, self._run = self._run, None
        if run is None:
            return
        message = run.message
        if len(run.texts) > 1:
            content = json.dumps({"name": run.name, "text": "".join(run.texts)}).encode()
            message = join_v1("iopub", [*run.parts[:3], content])
        self._merged.append((run.number, message))


def _as_run(number: int, message: bytes) -> _Run | None:
    """None if it is no text of a stream, or has more than that, or too much."""
    if len(message) > LONGEST_MERGED:
        return None
    try:
        channel, parts = split_v1(message)
        if channel != "iopub" or len(parts) != 4 or b'"stream"' not in parts[0]:
            return None
        if parse_part(parts[0]).get("msg_type") != "stream":
            return None
        content = parse_part(parts[3])
    except MessageError:
        return None
    name, text = content.get("name"), content.get("text")
    if len(content) != 2 or not isinstance(name, str) or not isinstance(text, str):
        return None
    return _Run(number, message, parts, name, [text])
