"""Binary frames between agent and gateway: stream, sequence, acknowledged, and a message."""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct(">IQQ")
_STREAM = struct.Struct(">I")

EVERY_STREAM = 0
"""As a frame's stream, towards the gateway: the message is for every open stream."""


class FrameError(ValueError):
    """A binary frame that is too short to be one."""


class Frame(NamedTuple):
    """One binary frame. `message` is in the v1 layout, empty in an acknowledgement alone."""

    stream: int
    sequence: int
    acknowledged: int
    message: bytes


def pack_frame(stream: int, sequence: int, acknowledged: int, message: bytes = b"") -> bytes:
    """The bytes of one frame."""
    return _HEADER.pack(stream, sequence, acknowledged) + message


def to_stream(stream: int, client_frame: bytes) -> bytes:
    """The frame for an agent that carries a client's frame of fleet.v1."""
    return _STREAM.pack(stream) + client_frame


def for_client(data: bytes) -> tuple[int, int, bool, bytes]:
    """An agent's frame as a gateway passes it on: stream, sequence,
    whether there is a message, and the frame of fleet.v1, which is the rest byte for byte. Raises
    FrameError if it is shorter than a frame's header."""
    stream, sequence, _ = _header(data)
    return stream, sequence, len(data) > _HEADER.size, data[_STREAM.size :]


def unpack_frame(data: bytes) -> Frame:
    """The frame in `data`; raises FrameError if it is shorter than a frame's header."""
    return Frame(*_header(data), data[_HEADER.size :])


def _header(data: bytes) -> tuple[int, int, int]:
    if len(data) < _HEADER.size:
        raise FrameError(f"a binary frame has at least {_HEADER.size} bytes, this one {len(data)}")
    stream, sequence, acknowledged = _HEADER.unpack_from(data)
    return stream, sequence, acknowledged
