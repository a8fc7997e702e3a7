"""Frames, byte by byte as docs/protocols.md has them."""

import pytest

from jupyter_ext.wire.frames import (
    FrameError,
    for_client,
    pack_agent_frame,
    pack_client_frame,
    to_stream,
    unpack_agent_frame,
    unpack_client_frame,
)


def test_an_agent_s_frame_is_stream_sequence_acknowledged_and_message() -> None:
    frame = pack_agent_frame(1, 2, 3, b"message")
    assert frame == bytes([0, 0, 0, 1]) + bytes(7) + b"\2" + bytes(7) + b"\3" + b"message"
    assert unpack_agent_frame(frame) == (1, 2, 3, b"message")
    with pytest.raises(FrameError):
        unpack_agent_frame(frame[:19])


def test_a_client_s_frame_is_an_agent_s_without_the_stream() -> None:
    frame = pack_client_frame(2, 3, b"message")
    assert unpack_client_frame(frame) == (2, 3, b"message")
    assert to_stream(1, frame) == pack_agent_frame(1, 2, 3, b"message")
    assert for_client(pack_agent_frame(1, 2, 3, b"message")) == (1, 2, True, frame)
    assert for_client(pack_agent_frame(1, 0, 3)) == (1, 0, False, pack_client_frame(0, 3))
    with pytest.raises(FrameError):
        unpack_client_frame(frame[:15])
