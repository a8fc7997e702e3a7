"""What a client is told of a message that is not passed on to its kernel."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Iterator
from typing import Any

from jupyter_ext.wire.made_messages import make_message, reply_type

_JSON_HEADER = re.compile(r'(?<!\\)"header"\s*:\s*')
_LONGEST_HEADER = 64 * 1024
_MB = 1024 * 1024


def too_long(size: int, limit: int) -> str:
    """Why a message of `size` bytes is refused, in words."""
    return (
        f"this cell or message has {size / _MB:.1f} MB, and at most {limit / _MB:.0f} MB can be "
        "sent to a kernel: read large data from a file"
    )


def refusals(beginning: str | bytes, *, v1: bool, sender: str, reason: str) -> list[bytes]:
    """The kernel messages (v1 layout) that answer a client's message as a kernel does whose cell
    fails for this reason; none if the message is no request, or does not say which one.

    `beginning` is at least so much of the message that its header is there; `v1` says in which
    layout it is, `sender` is the session of the answers.
    """
    header = _v1_header(beginning) if v1 else _json_header(beginning)
    if header is None:
        return []
    reply = reply_type(header.get("msg_type"))
    if reply is None or "msg_id" not in header:
        return []
    return list(_answers(reply, json.dumps(header).encode(), sender, reason))


def _answers(reply: str, parent: bytes, sender: str, reason: str) -> Iterator[bytes]:
    name = "MessageRefused"
    error = {"ename": name, "evalue": reason, "traceback": [f"{name}: {reason}"]}
    if reply == "execute_reply":
        yield make_message(sender, "iopub", "error", parent, error)
    content = {"status": "error", **error, "execution_count": None}
    yield make_message(sender, "shell", reply, parent, content)
    yield make_message(sender, "iopub", "status", parent, {"execution_state": "idle"})


def _v1_header(beginning: str | bytes) -> dict[str, Any] | None:
    if isinstance(beginning, str):
        return None
    try:
        _, start, end = struct.unpack_from("<3Q", beginning, 8)
    except struct.error:
        return None
    return _object(beginning[start:end]) if end - start <= _LONGEST_HEADER else None


def _json_header(beginning: str | bytes) -> dict[str, Any] | None:
    if isinstance(beginning, bytes):
        # With buffers the JSON comes after their offsets, without those it is all there is.
        beginning = beginning[:_LONGEST_HEADER].decode(errors="replace")
    beginning = beginning[:_LONGEST_HEADER]
    found = _JSON_HEADER.search(beginning)
    if found is None:
        return None
    try:
        return _object(json.JSONDecoder().raw_decode(beginning, found.end())[0])
    except (ValueError, RecursionError):
        return None


def _object(document: Any) -> dict[str, Any] | None:
    if isinstance(document, bytes):
        try:
            document = json.loads(document)
        except (ValueError, RecursionError):
            return None
    return document if isinstance(document, dict) else None
