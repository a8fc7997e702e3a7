"""What a reader gets of a kept journal: its newest messages, and of which requests they are."""

from __future__ import annotations

import json
import struct
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from jupyter_ext.wire.journal_parts import Part as Place
from jupyter_ext.wire.journal_parts import PartError, PartHeader, messages_of, parts_in
from jupyter_ext.wire.messages import (
    FLEET_CHANNEL,
    MessageError,
    join_v1,
    parse_part,
    split_fleet,
)

MOST_BYTES = 32 * 2**20
"""Of messages, before streams are merged."""
MOST_STORED_BYTES = 16 * 2**20
"""Of the objects that are read for one answer."""
_MESSAGE_BYTES = 200
"""What a message takes in memory beside its bytes, about."""
_LONGEST_PARSED = 2**20
"""Bytes of a message's part: a longer one would hold the interpreter's lock for long."""
_LONGEST_TEXT = 2**20
"""Streams are merged up to this length."""
_LENGTH = struct.Struct(">I")

Runs = list[list[int]]


@dataclass
class Told:
    """Everything from number `first` to `last` that is left, in order."""

    first: int
    last: int
    missing: Runs = field(default_factory=list)
    """Numbers of messages that are gone, or were never kept."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    """Records of requests as in docs/protocols.md, as far as they are known."""
    behind: bool = False
    """Whether the kernel had said more already when the newest part was made."""
    messages: list[tuple[int, bytes]] = field(default_factory=list)
    """Numbered, in the v1 layout. The parts of a stream that follow each other are merged, unless
    something is missing between them; such a message has the number of the last of them."""

    def packed(self, about: dict[str, Any]) -> bytes:
        """The body of an answer: `>I` length of a JSON object and the object, which is `about` and
        what this says; then for each message, in the order of `numbers`, `>I` its length and the
        message. Blocks."""
        head = {
            **about,
            "first": self.first,
            "last": self.last,
            "missing": self.missing,
            "requests": self.requests,
            "numbers": [number for number, _ in self.messages],
        }
        said = json.dumps(head).encode()
        pieces = [_LENGTH.pack(len(said)), said]
        for _, message in self.messages:
            pieces += [_LENGTH.pack(len(message)), message]
        return b"".join(pieces)


Part = tuple[PartHeader, list[tuple[int, bytes]]]


def told(objects: Sequence[bytes], before: int | None) -> Told | None:
    """What is in these objects, the oldest first, below the number `before`; the newest of it, if
    it is too much. None if nothing is. Blocks."""
    parts: list[Part] = []
    size = 0
    for data, place in _newest_first(objects):
        if before is not None and place.header.first >= before:
            continue
        size += place.raw_bytes
        if size > MOST_BYTES and parts:
            break
        try:
            messages = messages_of(data, place)
        except PartError:
            # Its numbers are shown as missing.
            continue
        size += len(messages) * _MESSAGE_BYTES
        parts.append((place.header, messages))
    return _joined(parts[::-1], before) if parts else None


def _newest_first(objects: Sequence[bytes]) -> Iterator[tuple[bytes, Place]]:
    for data in reversed(objects):
        for place in reversed(list(parts_in(data))):
            yield data, place


def _joined(parts: Sequence[Part], before: int | None) -> Told:
    found = Told(parts[0][0].first, 0)
    requests = _Requests()
    streams = _Streams(found.messages)
    for header, messages in parts:
        # The same part, or what it was merged into, may be there twice.
        if header.last <= found.last:
            continue
        missing = [list(run) for run in header.missing if run[1] > found.last]
        if found.last and header.first > found.last + 1:
            missing.insert(0, [found.last + 1, header.first - 1])
        found.missing += missing
        holes = deque(last for _, last in missing)
        for record in header.requests:
            requests.known(record)
        for number, message in messages:
            while holes and holes[0] < number:
                holes.popleft()
                streams.finish()
            if number > found.last and (before is None or number < before):
                _add(number, message, requests, streams)
        if holes:
            streams.finish()
        found.last = header.last if before is None else min(header.last, before - 1)
    found.behind = parts[-1][0].behind
    streams.finish()
    found.requests = requests.records()
    return found


def _add(number: int, message: bytes, requests: _Requests, streams: _Streams) -> None:
    try:
        channel, parts = split_fleet(message)
        header, parent = _parsed(parts[0]), _parsed(parts[1])
        kind = str(header.get("msg_type"))
        if channel == FLEET_CHANNEL:
            if kind == "request":
                requests.known(_record(parts[3]))
            return
        request = str(parent.get("msg_id") or "")
        requests.heard(channel, kind, request, parts[3], number)
    except (MessageError, ValueError):
        # Code of users may have sent anything.
        return
    streams.add(number, message, channel, parts, kind, request)


class _Requests:
    """Records of requests, in the order in which they were first heard of."""

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Any]] = {}

    def known(self, record: Any) -> None:
        """What the agent said of a request."""
        request = record.get("request")
        if not isinstance(request, str):
            return
        before = self._records.get(request, {})
        numbers = {name: before[name] for name in ("first", "last") if before.get(name)}
        if before.get("state") == "done":
            numbers["state"] = "done"
        self._records[request] = {**record, **numbers}

    def heard(self, channel: str, kind: str, request: str, content: bytes, number: int) -> None:
        """The kernel's message with this number answers a request."""
        record = self._records.get(request)
        if record is None:
            return
        record["first"] = record.get("first") or number
        if channel == "iopub":
            record["last"] = number
        if kind == "execute_input":
            count = _parsed(content).get("execution_count")
            record["count"] = count if type(count) is int else None
        if kind == "execute_input" and record.get("state") == "queued":
            record["state"] = "running"
        if kind == "status" and _parsed(content).get("execution_state") == "idle":
            record["state"] = "done"

    def records(self) -> list[dict[str, Any]]:
        return list(self._records.values())


class _Streams:
    """Appends messages, and merges what a request prints to one stream as long as nothing comes
    between."""

    def __init__(self, messages: list[tuple[int, bytes]]) -> None:
        self._messages = messages
        self._key: tuple[str, str] | None = None
        self._parts: list[bytes] = []
        self._texts: list[str] = []
        self._length = 0
        self._number = 0

    def add(
        self, number: int, message: bytes, channel: str, parts: list[bytes], kind: str, request: str
    ) -> None:
        printed = _printed(parts) if channel == "iopub" and kind == "stream" else None
        if printed is None:
            self.finish()
            self._messages.append((number, message))
            return
        name, text = printed
        if self._key != (request, name) or self._length > _LONGEST_TEXT:
            self.finish()
            self._key, self._parts = (request, name), parts
        self._texts.append(text)
        self._length += len(text)
        self._number = number

    def finish(self) -> None:
        """Append what was merged until now."""
        if self._key is None:
            return
        header, parent, metadata = self._parts[:3]
        content = {"name": self._key[1], "text": "".join(self._texts)}
        merged = join_v1("iopub", [header, parent, metadata, json.dumps(content).encode()])
        self._messages.append((self._number, merged))
        self._key, self._texts, self._length = None, [], 0


def _printed(parts: list[bytes]) -> tuple[str, str] | None:
    """Name and text of a stream; None if they cannot be merged with others."""
    try:
        content = _parsed(parts[3])
    except MessageError:
        return None
    name, text = content.get("name"), content.get("text")
    if len(parts) > 4 or not isinstance(name, str) or not isinstance(text, str):
        return None
    return name, text


def _record(part: bytes) -> dict[str, Any]:
    """Raises ValueError for numbers that Python writes and browsers do not read."""
    record = _parsed(part)
    json.dumps(record, allow_nan=False)
    return record


def _parsed(part: bytes) -> dict[str, Any]:
    if len(part) > _LONGEST_PARSED:
        raise MessageError("a part of a message is too long to be read")
    return parse_part(part)
