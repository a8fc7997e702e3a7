"""Binary frames between agent and gateway: stream, sequence, acknowledged, and a message."""

from __future__ import annotations

import struct
from typing import NamedTuple

_HEADER = struct.Struct(">IQQ")

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


def unpack_frame(data: bytes) -> Frame:
    """The frame in `data`; raises FrameError if it is shorter than a frame's header."""
    if len(data) < _HEADER.size:
        raise FrameError(f"a binary frame has at least {_HEADER.size} bytes, this one {len(data)}")
    stream, sequence, acknowledged = _HEADER.unpack_from(data)
    return Frame(stream, sequence, acknowledged, data[_HEADER.size :])
