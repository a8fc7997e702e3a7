"""Binary frames: those of `fleet.v1`, between a client and a gateway, and those between a gateway
and an agent, which are the same with a stream's number before them."""

from __future__ import annotations

import struct
from typing import NamedTuple

SUBPROTOCOL = "fleet.v1"

EVERY_STREAM = 0
"""As an agent frame's stream, towards the gateway: the message is for every open stream."""

JOURNAL_PART = 2**32 - 1
"""As an agent frame's stream, towards the gateway: not a message, but a part of the journal that is
to be kept. No stream has this number."""

_CLIENT_HEADER = struct.Struct(">QQ")
_AGENT_HEADER = struct.Struct(">IQQ")
_STREAM = struct.Struct(">I")

CLIENT_HEADER_BYTES = _CLIENT_HEADER.size


class FrameError(ValueError):
    """A binary frame that is too short to be one."""


class AgentFrame(NamedTuple):
    """One frame to or from an agent. `message` is in the v1 layout, empty in an acknowledgment
    alone."""

    stream: int
    sequence: int
    acknowledged: int
    message: bytes


def pack_client_frame(sequence: int, acknowledged: int, message: bytes = b"") -> bytes:
    """One frame of `fleet.v1`; without a message it is an acknowledgment alone."""
    return _CLIENT_HEADER.pack(sequence, acknowledged) + message


def unpack_client_frame(frame: bytes) -> tuple[int, int, bytes]:
    """`(sequence, acknowledged, message)` of a frame of `fleet.v1`; raises FrameError if it is
    shorter than a frame's header."""
    _check(frame, _CLIENT_HEADER)
    sequence, acknowledged = _CLIENT_HEADER.unpack_from(frame)
    return sequence, acknowledged, frame[_CLIENT_HEADER.size :]


def pack_agent_frame(stream: int, sequence: int, acknowledged: int, message: bytes = b"") -> bytes:
    """One frame to or from an agent."""
    return _AGENT_HEADER.pack(stream, sequence, acknowledged) + message


def unpack_agent_frame(frame: bytes) -> AgentFrame:
    """Parse a frame from or to an agent; raises FrameError if it is shorter than the header."""
    _check(frame, _AGENT_HEADER)
    stream, sequence, acknowledged = _AGENT_HEADER.unpack_from(frame)
    return AgentFrame(stream, sequence, acknowledged, frame[_AGENT_HEADER.size :])


def to_stream(stream: int, client_frame: bytes) -> bytes:
    """The frame for an agent that carries a client's frame."""
    return _STREAM.pack(stream) + client_frame


def for_client(agent_frame: bytes) -> tuple[int, int, bool, bytes]:
    """What a gateway needs to forward an agent's frame: the stream, the sequence, whether there is
    a message, and the frame for the client, which is the rest of the bytes. Raises FrameError if it
    is shorter than the header."""
    _check(agent_frame, _AGENT_HEADER)
    stream, sequence, _ = _AGENT_HEADER.unpack_from(agent_frame)
    has_message = len(agent_frame) > _AGENT_HEADER.size
    return stream, sequence, has_message, agent_frame[_STREAM.size :]


def _check(frame: bytes, header: struct.Struct) -> None:
    if len(frame) < header.size:
        raise FrameError(f"a binary frame has at least {header.size} bytes, this one {len(frame)}")
