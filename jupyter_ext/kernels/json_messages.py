"""Kernel messages as they travel over websockets, without looking at more of them than needed.

Two layouts exist upstream (jupyter_server/services/kernels/connection/base.py):

- `v1.kernel.websocket.jupyter.org`: `n` and `n` offsets as little-endian 64 bit numbers, then the
  channel name, header, parent header, metadata, content and any binary buffers, back to back;
- the older one: a JSON text, or, with buffers, a binary frame of `!I` offsets, JSON and buffers.

Inside the fleet only the first is used.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from jupyter_ext.platform.json_bodies import SMALL, check
from jupyter_ext.platform.json_members import members

V1_PROTOCOL = "v1.kernel.websocket.jupyter.org"
CHANNELS = frozenset({"shell", "iopub", "stdin", "control"})

# channel, header, parent header, metadata, content
_FIXED_PARTS = 5
_JSON_PARTS = ("header", "parent_header", "metadata", "content")

_MOST_PARTS = 65_536
"""Of one message: a frame could hold millions of empty ones."""

# Together some 50 ms of the event loop.
_LONGEST_JSON = 8 * 1024 * 1024
_MOST_TOKENS = 200_000
_DEEPEST = 100
_LONGEST_CHECKED = 256 * 1024
_LONGEST_CHANNEL = 64


class MessageError(ValueError):
    """A frame that is not a kernel message; the text says what is wrong with it."""


class MessageParts(NamedTuple):
    """One kernel message; every part but the channel is the bytes that the sender wrote."""

    channel: str
    header: bytes
    parent_header: bytes
    metadata: bytes
    content: bytes
    buffers: tuple[bytes, ...]


def _offsets(message: bytes) -> tuple[int, ...]:
    if len(message) < 8:
        raise MessageError(f"a kernel message of {len(message)} bytes is too short")
    (count,) = struct.unpack_from("<Q", message)
    # One offset before each part and one after the last.
    if not _FIXED_PARTS < count <= min((len(message) - 8) // 8, _MOST_PARTS):
        raise MessageError(f"a kernel message of {len(message)} bytes cannot have {count} offsets")
    offsets = struct.unpack_from(f"<{count}Q", message, 8)
    if (
        offsets[0] != 8 * (count + 1)
        or offsets[-1] != len(message)
        or any(left > right for left, right in pairwise(offsets))
    ):
        raise MessageError("the offsets of a kernel message do not fit its length")
    return offsets


def channel_of(message: bytes) -> str:
    """The channel of a message in the v1 layout: `shell`, `iopub`, `stdin` or `control`.

    Raises MessageError if it is anything else.
    """
    offsets = _offsets(message)
    channel = message[offsets[0] : offsets[1]].decode("ascii", "replace")
    if channel not in CHANNELS:
        raise MessageError(f"no kernel has a channel {channel!r}")
    return channel


def split_v1(message: bytes) -> MessageParts:
    """Take a message in the v1 layout apart. Raises MessageError if it is none."""
    channel = channel_of(message)
    offsets = _offsets(message)
    header, parent_header, metadata, content, *buffers = (
        message[start:end] for start, end in pairwise(offsets[1:])
    )
    return MessageParts(channel, header, parent_header, metadata, content, tuple(buffers))


def join_v1(
    channel: str,
    header: bytes,
    parent_header: bytes,
    metadata: bytes,
    content: bytes,
    buffers: Sequence[bytes] = (),
) -> bytes:
    """Put a message together in the v1 layout; the inverse of `split_v1`."""
    parts = [channel.encode("ascii"), header, parent_header, metadata, content, *buffers]
    position = 8 * (len(parts) + 2)
    offsets = [position]
    for part in parts:
        position += len(part)
        offsets.append(position)
    return b"".join([struct.pack(f"<Q{len(offsets)}Q", len(offsets), *offsets), *parts])


def v1_to_json(message: bytes) -> str | bytes:
    """The older layout of a v1 message: text, or bytes if the message has buffers.

    Only the header is parsed, so that a large output costs a copy and nothing more.
    """
    parts = split_v1(message)
    try:
        check(parts.header, SMALL)
        header = json.loads(parts.header)
        identity = json.dumps({"msg_id": header.get("msg_id"), "msg_type": header.get("msg_type")})
        pieces = [
            identity[:-1],
            f', "channel": "{parts.channel}", "header": ',
            parts.header.decode(),
            ', "parent_header": ',
            parts.parent_header.decode(),
            ', "metadata": ',
            parts.metadata.decode(),
            ', "content": ',
            parts.content.decode(),
        ]
    except (ValueError, AttributeError, RecursionError) as error:
        raise MessageError(f"a kernel message is not JSON: {error}") from error
    if not parts.buffers:
        return "".join([*pieces, ', "buffers": []}'])
    blobs = ["".join([*pieces, "}"]).encode(), *parts.buffers]
    offsets = [4 * (len(blobs) + 1)]
    for blob in blobs[:-1]:
        offsets.append(offsets[-1] + len(blob))
    return b"".join([struct.pack(f"!{len(blobs) + 1}I", len(blobs), *offsets), *blobs])


def json_to_v1(message: str | bytes) -> bytes:
    """The v1 layout of a message in the older one. Raises MessageError if it is none, or too long
    for the event loop.

    What is short is parsed, so that nonsense is refused here; what is longer is left to the kernel,
    as all messages in the v1 layout are.
    """
    buffers: list[bytes] = []
    text: str | bytes = message
    if isinstance(message, bytes):
        try:
            (count,) = struct.unpack_from("!I", message)
            if not 0 < count <= min(len(message) // 4, _MOST_PARTS):
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
        channel = json.loads(found.get("channel", b"null")[:_LONGEST_CHANNEL])
    except MessageError:
        raise
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a kernel message is not JSON: {error}") from error
    if channel not in CHANNELS:
        raise MessageError(f"no kernel has a channel {channel!r}")
    return join_v1(channel, header, parent_header, metadata, content, buffers)


def _checked(value: bytes) -> bytes:
    """The part of a message; raises ValueError if it is short and not JSON."""
    if len(value) > _LONGEST_CHECKED:
        return value
    return value if json.loads(value.decode()) else b"{}"
