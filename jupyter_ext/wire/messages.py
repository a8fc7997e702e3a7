"""Kernel messages in the layout of `v1.kernel.websocket.jupyter.org`.

The number of offsets and the offsets, as little-endian 64 bit numbers; then the channel's name,
header, parent header, metadata, content and any buffers, back to back. There is one offset before
each of them, and the last one is the message's end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

V1_PROTOCOL = "v1.kernel.websocket.jupyter.org"
CHANNELS = frozenset({"shell", "iopub", "stdin", "control"})
FLEET_CHANNEL = "fleet"
"""Between a page and the agent, about requests and the journal. Kernels and stock clients do not
know it."""
_ALL_CHANNELS = CHANNELS | {FLEET_CHANNEL}

MOST_PARTS = 65_536
"""Of one message: a frame could hold millions of empty ones."""
_LEAST_OFFSETS = 6
"""Before channel, header, parent header, metadata and content, and one at the end."""


class MessageError(ValueError):
    """Bytes that are not a valid kernel message; the text says why."""


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
    """Channel and parts of one message, the inverse of `join_v1`; raises MessageError if the bytes
    are no such message, or on a channel that no kernel has."""
    return _split(message, CHANNELS)


def split_fleet(message: bytes) -> tuple[str, list[bytes]]:
    """The same for a message between a page and the agent, which may be on FLEET_CHANNEL."""
    return _split(message, _ALL_CHANNELS)


def is_fleet(message: bytes) -> bool:
    """Whether a message is on FLEET_CHANNEL; raises nothing."""
    try:
        offsets = _offsets(message)
    except MessageError:
        return False
    return message[offsets[0] : offsets[1]] == FLEET_CHANNEL.encode()


def _split(message: bytes, channels: frozenset[str]) -> tuple[str, list[bytes]]:
    offsets = _offsets(message)
    channel = _channel(message, offsets, channels)
    return channel, [message[a:b] for a, b in pairwise(offsets[1:])]


def channel_of(message: bytes) -> str:
    """The channel of one message: `shell`, `iopub`, `stdin` or `control`.

    Raises MessageError as `split_v1` does, and copies none of the parts.
    """
    return _channel(message, _offsets(message), CHANNELS)


def _offsets(message: bytes) -> tuple[int, ...]:
    if len(message) < 8:
        raise MessageError(f"a kernel message of {len(message)} bytes is too short")
    (count,) = struct.unpack_from("<Q", message)
    if not _LEAST_OFFSETS <= count <= min((len(message) - 8) // 8, MOST_PARTS):
        raise MessageError(f"a kernel message of {len(message)} bytes cannot have {count} offsets")
    offsets = struct.unpack_from(f"<{count}Q", message, 8)
    if (
        offsets[0] != 8 * (count + 1)
        or offsets[-1] != len(message)
        or any(left > right for left, right in pairwise(offsets))
    ):
        raise MessageError("the offsets of a kernel message do not fit its length")
    return offsets


def _channel(message: bytes, offsets: tuple[int, ...], channels: frozenset[str]) -> str:
    channel = message[offsets[0] : offsets[1]].decode("ascii", "replace")
    if channel not in channels:
        raise MessageError(f"no kernel has a channel {channel!r}")
    return channel


def parse_part(part: bytes) -> dict[str, Any]:
    """Decode a part of a message, which must be a JSON object; raises MessageError if it is not, or
    if it is nested too deeply."""
    try:
        document = json.loads(part)
    except (ValueError, RecursionError) as error:
        raise MessageError(f"a part of a message is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise MessageError("a part of a message is not a JSON object")
    return document
