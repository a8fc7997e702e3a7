"""Which request filled which cell, how far it is, and where its messages are in the journal."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from jupyter_ext.wire.messages import MessageError, parse_part

from .runs import Runs, extend

MOST_RECORDS = 10_000
MOST_DISPLAYS = 10_000
MOST_CELLS_OF_A_DISPLAY = 100
MOST_RUNS = 1000
"""Of one request. A request whose messages alternate with others' more often has runs with some of
theirs."""
LONGEST_PARSED = 2**20
"""Bytes of a message's part: a longer one would hold the event loop while it is parsed."""

LONGEST_ID = 256
"""Characters of the ids of requests, cells and displays: clients and code of users choose them."""

_DISPLAYS = frozenset({"display_data", "execute_result"})
_DISPLAY_ID = re.compile(rb'"display_id"\s*:\s*"((?:[^"\\]|\\.){1,256})"')
_TRANSIENT_BYTES = 1024
"""At the end of a long display, where kernels put its id."""


@dataclass(slots=True)
class Record:
    """One execute_request."""

    request: str
    cell: str | None
    session: str
    """Of the client that sent it."""
    source: str | None
    """The sha256 of its code, in hexadecimal; None if that is too long to be looked at."""
    sent: str | None
    process: int
    """Which of the kernel's processes has it, or will: 1, 2, …"""
    state: str = "queued"
    """`queued`, `running` or `done`."""
    count: int | None = None
    first: int = 0
    """The number of its first message on iopub, 0 if there is none. Its reply comes on another
    socket, and may be here before what earlier requests have said."""
    last: int = 0
    """The number of its last message on iopub, 0 if there is none."""
    reply: str | None = None
    """`ok`, `error` or `aborted`."""
    asks: int | None = None
    """The number of the input_request that waits for an answer."""
    adopted: str | None = None
    """The session that gets its replies and questions as well."""
    numbers: Runs = field(default_factory=list)
    """Of all its messages, and of those that changed a display of it."""

    def add(self, number: int) -> None:
        """It has one more message."""
        extend(self.numbers, number, MOST_RUNS)

    @property
    def has_others(self) -> bool:
        """Whether `numbers` may be those of other requests too."""
        return len(self.numbers) >= MOST_RUNS

    def shown(self) -> dict[str, Any]:
        """What pages are told of it."""
        return {name: getattr(self, name) for name in _SHOWN}

    def is_held(self, request: object, number: object) -> bool:
        """Whether a page has all of it that has, of this request, everything up to `number`."""
        return request == self.request and isinstance(number, int) and number >= self.last


_SHOWN = tuple(one.name for one in fields(Record) if one.name != "numbers")


class RequestIndex:
    """The records of a kernel's requests, in the order in which they came."""

    def __init__(self) -> None:
        self._records: dict[str, Record] = {}
        self._silent: dict[str, None] = {}
        """The silent requests, which have no record."""
        self._displays: dict[str, dict[str, str]] = {}
        """By display id and cell: the request that showed it last."""

    def __iter__(self) -> Iterator[Record]:
        return iter(self._records.values())

    def get(self, request: str) -> Record | None:
        """The record of a request, if it is known (still)."""
        return self._records.get(request)

    def has_come(self, request: str) -> bool:
        """Whether a client has sent this execute_request, as far as is known (still)."""
        return request in self._records or request in self._silent

    def latest(self) -> dict[str, Record]:
        """For each cell its latest request."""
        return {record.cell: record for record in self if record.cell is not None}

    def sent(
        self, session: str, header: Mapping[str, Any], metadata: bytes, content: bytes, process: int
    ) -> Record | None:
        """A client has sent a message with this header. None if that is no execute_request, is
        silent, is known, or has an id that is too long."""
        request = str(header.get("msg_id"))
        if header.get("msg_type") != "execute_request" or self.has_come(request):
            return None
        if len(request) > LONGEST_ID:
            return None
        asked = _parsed(content)
        if asked is not None and asked.get("silent"):
            self._silent[request] = None
            self._forget_some()
            return None
        cell = (_parsed(metadata) or {}).get("cellId")
        code = asked.get("code") if asked is not None else None
        record = self._records[request] = Record(
            request,
            cell if isinstance(cell, str) and 0 < len(cell) <= LONGEST_ID else None,
            session,
            hashlib.sha256(code.encode(errors="replace")).hexdigest()
            if isinstance(code, str)
            else None,
            str(header["date"])[:LONGEST_ID] if header.get("date") else None,
            process,
        )
        self._forget_some()
        return record

    def _forget_some(self) -> None:
        while len(self._records) > MOST_RECORDS:
            done = (record.request for record in self if record.state == "done")
            del self._records[next(done, next(iter(self._records)))]
        while len(self._silent) > MOST_RECORDS:
            del self._silent[next(iter(self._silent))]
        while len(self._displays) > MOST_DISPLAYS:
            del self._displays[next(iter(self._displays))]

    def heard(
        self, channel: str, message_type: str, request: str, content: bytes, number: int
    ) -> Record | None:
        """The kernel's message with this number answers `request`. Returns the record if it is done
        now and was not before."""
        if message_type == "update_display_data":
            self._updated(content, number)
        record = self._records.get(request)
        if record is None:
            return None
        record.add(number)
        if channel == "iopub":
            record.first, record.last = record.first or number, number
        if message_type in _DISPLAYS:
            self._displayed(content, request)
        was_done = record.state == "done"
        self._change(record, message_type, content, number)
        return record if record.state == "done" and not was_done else None

    def _change(self, record: Record, message_type: str, content: bytes, number: int) -> None:
        match message_type:
            case "status":
                state = (_parsed(content) or {}).get("execution_state")
                if state == "idle":
                    record.state, record.asks = "done", None
                elif state == "busy" and record.state == "queued":
                    record.state = "running"
            case "execute_input":
                record.count = _count(_parsed(content)) or record.count
                if record.state == "queued":
                    record.state = "running"
            case "execute_reply":
                said = _parsed(content) or {}
                record.reply, record.asks = str(said.get("status"))[:LONGEST_ID], None
                record.count = _count(said) or record.count
                if record.reply == "aborted":
                    record.state = "done"
            case "input_request":
                record.asks = number

    def _displayed(self, content: bytes, request: str) -> None:
        display = display_id(content)
        if display is not None:
            shown = self._displays.setdefault(display, {})
            cell = self._records[request].cell or request
            shown.pop(cell, None)
            shown[cell] = request
            if len(shown) > MOST_CELLS_OF_A_DISPLAY:
                del shown[next(iter(shown))]
            self._forget_some()

    def _updated(self, content: bytes, number: int) -> None:
        _, requests = self.shown(content) or ("", [])
        for request in requests:
            if (record := self._records.get(request)) is not None:
                record.add(number)
                record.last = number

    def shown(self, content: bytes) -> tuple[str, list[str]] | None:
        """Which display a message with this content changes, and the requests that show it; None if
        it changes none."""
        display = display_id(content)
        if display is None:
            return None
        return display, list(self._displays.get(display, {}).values())

    def answered(self) -> list[Record]:
        """A page has answered a question of the kernel. Returns the records that had one."""
        asking = [record for record in self if record.asks is not None]
        for record in asking:
            record.asks = None
        return asking


def display_id(content: bytes) -> str | None:
    """The id under which a display can be changed, from the content of the message that shows or
    changes it; None if it has none."""
    if b'"display_id"' not in content:
        return None
    if len(content) > LONGEST_PARSED:
        found = _DISPLAY_ID.findall(content[-_TRANSIENT_BYTES:])
        return found[-1].decode(errors="replace") if found else None
    transient = (_parsed(content) or {}).get("transient")
    display = transient.get("display_id") if isinstance(transient, dict) else None
    return display if isinstance(display, str) and len(display) <= LONGEST_ID else None


def _count(content: Mapping[str, Any] | None) -> int | None:
    count = (content or {}).get("execution_count")
    return count if isinstance(count, int) else None


def _parsed(part: bytes) -> dict[str, Any] | None:
    """None if it is too long, or no JSON object."""
    if len(part) > LONGEST_PARSED:
        return None
    try:
        return parse_part(part)
    except MessageError:
        return None
