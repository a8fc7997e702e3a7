"""Kernel messages in the layout that Jupyter had before `v1.kernel.websocket.jupyter.org`: a JSON
text, or, with buffers, a binary frame of `!I` offsets, JSON and buffers
(jupyter_server/services/kernels/connection/base.py).

Within the fleet only v1 is used (`jupyter_ext.wire.messages`): these functions translate for
clients that do not support it.
"""

from __future__ import annotations

import json
import struct
from itertools import pairwise

from jupyter_ext.platform.json_bodies import SMALL, check
from jupyter_ext.platform.json_members import members
from jupyter_ext.wire.messages import (
    CHANNELS,
    MOST_PARTS,
    V1_PROTOCOL,
    MessageError,
    join_v1,
    split_v1,
)

_JSON_PARTS = ("header", "parent_header", "metadata", "content")

# Together some 50 ms of the event loop.
_LONGEST_JSON = 8 * 1024 * 1024
_MOST_TOKENS = 200_000
_DEEPEST = 100
_LONGEST_CHECKED = 256 * 1024
_LONGEST_CHANNEL = 64


def v1_to_json(message: bytes) -> str | bytes:
    """The older layout of a v1 message: text, or bytes if the message has buffers.

    Only the header is parsed, so that a large output costs a copy and nothing more.
    """
    channel, (header, parent_header, metadata, content, *buffers) = split_v1(message)
    try:
        check(header, SMALL)
        fields = json.loads(header)
        identity = json.dumps({"msg_id": fields.get("msg_id"), "msg_type": fields.get("msg_type")})
        pieces = [
            identity[:-1],
            f', "channel": "{channel}", "header": ',
            header.decode(),
            ', "parent_header": ',
            parent_header.decode(),
            ', "metadata": ',
            metadata.decode(),
            ', "content": ',
            content.decode(),
        ]
    except (ValueError, AttributeError, RecursionError) as error:
        raise MessageError(f"a kernel message is not JSON: {error}") from error
    if not buffers:
        return "".join([*pieces, ', "buffers": []}'])
    blobs = ["".join([*pieces, "}"]).encode(), *buffers]
    offsets = [4 * (len(blobs) + 1)]
    for blob in blobs[:-1]:
        offsets.append(offsets[-1] + len(blob))
    return b"".join([struct.pack(f"!{len(blobs) + 1}I", len(blobs), *offsets), *blobs])


def json_to_v1(message: str | bytes) -> bytes:
    """Convert a message from the older layout to v1. Raises MessageError if it is invalid, or too
    long for the event loop.

    Short parts are parsed, so that invalid ones are rejected here; the kernel checks longer parts,
    as it does for all messages that arrive in the v1 layout.
    """
    buffers: list[bytes] = []
    text: str | bytes = message
    if isinstance(message, bytes):
        try:
            (count,) = struct.unpack_from("!I", message)
            if not 0 < count <= min(len(message) // 4, MOST_PARTS):
                raise MessageError(f"a binary kernel message cannot have {count} parts")
            offsets = [*struct.unpack_from(f"!{count}I", message, 4), len(message)]
        except struct.error as error:
            raise MessageError(f"a binary kernel message is too short: {error}") from error
        text, *buffers = (message[start:end] for start, end in pairwise(offsets))
    if len(text) > _LONGEST_JSON:
        raise MessageError(
            f"a kernel message of {len(text)} bytes of JSON is too long: send at most "
            f"{_LONGEST_JSON}, or use the subprotocol {V1_PROTOCOL}"
        )
    try:
        if isinstance(text, str):
            text = text.encode()
        text.decode()
        found = members(text, tokens=_MOST_TOKENS, depth=_DEEPEST)
        header, parent_header, metadata, content = (
            _checked(found.get(part, b"null")) for part in _JSON_PARTS
        )
        if len(header) > _LONGEST_CHECKED or not found.get("header", b"").startswith(b"{"):
            raise MessageError("a kernel message has no header, or one that is too long")
        # Stock servers assume shell, and jupyter_server's own client relies on it.
        channel = json.loads(found.get("channel", b'"shell"')[:_LONGEST_CHANNEL])
    except MessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a kernel message is not JSON: {error}") from error
    if not isinstance(channel, str) or channel not in CHANNELS:
        raise MessageError(f"no kernel has a channel {channel!r}")
    return join_v1(channel, [header, parent_header, metadata, content, *buffers])


def _checked(value: bytes) -> bytes:
    """A part of a message; raises ValueError if it is short enough to check and not JSON."""
    if len(value) > _LONGEST_CHECKED:
        return value
    return value if json.loads(value.decode()) else b"{}"
