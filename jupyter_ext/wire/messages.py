"""Kernel messages in the layout of `v1.kernel.websocket.jupyter.org`.

Eight bytes, little endian, with the number of offsets; the offsets; the channel's name; then
header, parent header, metadata, content and any buffers. The last offset is the message's end.
"""

from __future__ import annotations

import itertools
import json
import struct
from collections.abc import Sequence
from typing import Any

_PARTS_BEFORE_BUFFERS = 4


class MessageError(ValueError):
    """Bytes that are not a kernel message in the v1 layout, or not a part of one."""


def join_v1(channel: str, parts: Sequence[bytes]) -> bytes:
    """One message from its channel and its parts: header, parent, metadata, content, buffers."""
    name = channel.encode()
    count = len(parts) + 2
    position = 8 * (1 + count)
    offsets = [position]
    for piece in (name, *parts):
        position += len(piece)
        offsets.append(position)
    return b"".join([struct.pack(f"<{count + 1}Q", count, *offsets), name, *parts])


def split_v1(message: bytes) -> tuple[str, list[bytes]]:
    """Channel and parts of one message; raises MessageError if the bytes are not such a message."""
    if len(message) < 8:
        raise MessageError("the message is too short to hold its number of offsets")
    (count,) = struct.unpack_from("<Q", message)
    if count < _PARTS_BEFORE_BUFFERS + 2 or 8 * (1 + count) > len(message):
        raise MessageError(f"the message cannot hold {count} offsets")
    offsets = struct.unpack_from(f"<{count}Q", message, 8)
    if list(offsets) != sorted(offsets) or offsets[0] < 8 * (1 + count):
        raise MessageError("the message's offsets do not grow")
    if offsets[-1] > len(message):
        raise MessageError("the message is cut off")
    pieces = [message[a:b] for a, b in itertools.pairwise(offsets)]
    try:
        return pieces[0].decode(), pieces[1:]
    except UnicodeDecodeError as error:
        raise MessageError("the message's channel is not text") from error


def parse_part(part: bytes) -> dict[str, Any]:
    """The JSON object that a part of a message is; raises MessageError for anything else, and for
    one that is nested too deeply to be read."""
    try:
        document = json.loads(part)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a part of a message is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MessageError("a part of a message is not a JSON object")
    return document
