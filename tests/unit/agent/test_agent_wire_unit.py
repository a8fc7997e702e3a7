"""Frames, messages and proofs, byte by byte as docs/protocols.md has them."""

from __future__ import annotations

import hashlib
import hmac
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.kernel import Kernel
from gateway_ext.agent.sessions import Sessions
from jupyter_ext.wire.frames import FrameError, pack_frame, unpack_frame
from jupyter_ext.wire.messages import MessageError, join_v1, parse_part, split_v1
from jupyter_ext.wire.proof import agent_proof, deleted_proof, proves, welcome_proof
from tests.unit.agent.test_agent_process_unit import document


def test_a_frame_is_stream_sequence_acknowledged_and_message() -> None:
    frame = pack_frame(1, 2, 3, b"message")
    assert frame == bytes([0, 0, 0, 1]) + bytes(7) + b"\2" + bytes(7) + b"\3" + b"message"
    assert unpack_frame(frame) == (1, 2, 3, b"message")
    with pytest.raises(FrameError):
        unpack_frame(frame[:19])


def test_a_message_has_the_layout_of_jupyter_server() -> None:
    # As jupyter_server's serialize_msg_to_ws_v1 makes it.
    parts = [b'{"msg_id":"1"}', b"{}", b"{}", b'{"code":"x"}', b"\0buffer"]
    offsets = [8 * 8]
    for piece in (b"shell", *parts):
        offsets.append(offsets[-1] + len(piece))
    expected = (7).to_bytes(8, "little") + b"".join(o.to_bytes(8, "little") for o in offsets)
    assert join_v1("shell", parts) == expected + b"shell" + b"".join(parts)
    assert split_v1(join_v1("shell", parts)) == ("shell", parts)


@given(st.text(max_size=8), st.lists(st.binary(max_size=20), min_size=4, max_size=8))
def test_a_message_comes_back_as_it_went(channel: str, parts: list[bytes]) -> None:
    assert split_v1(join_v1(channel, parts)) == (channel, parts)


@given(st.binary(max_size=200))
def test_what_is_no_message_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        split_v1(data)
    except MessageError:
        return


@pytest.mark.parametrize("cut", [0, 5, 30, 60, 70])
def test_a_message_that_was_cut_off_is_refused(cut: int) -> None:
    whole = join_v1("shell", [json.dumps({"a": 1}).encode()] * 4)
    with pytest.raises(MessageError):
        split_v1(whole[:cut])


def test_proofs_are_what_the_protocol_says() -> None:
    key = bytes(range(32))

    def expected(text: str) -> str:
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()

    assert agent_proof(key, "k", "G", 7) == expected("agent\n1\nk\nG\n7")
    for other in (("l", "G", 7), ("k", "H", 7), ("k", "G", 8)):
        assert not proves(agent_proof(key, *other), agent_proof(key, "k", "G", 7))
    assert agent_proof(b"k" * 32, "k", "G", 7) != agent_proof(key, "k", "G", 7)
    assert welcome_proof(key, "k", "A", 8) == expected("welcome\nk\nA\n8")
    assert deleted_proof(key, "k", "A") == expected("deleted\nk\nA")
    assert proves(deleted_proof(key, "k", "A"), deleted_proof(key, "k", "A"))
    for wrong in (
        None,
        5,
        "",
        "é",
        "\ud800",
        deleted_proof(key, "k", "B"),
        welcome_proof(key, "k", "A", 8),
    ):
        assert not proves(wrong, deleted_proof(key, "k", "A"))


DEEP = b'{"msg_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@pytest.mark.parametrize("part", [DEEP, b"", b"[]", b"1", b"{", b"\xff"])
def test_a_part_that_is_no_object_is_an_error(part: bytes) -> None:
    with pytest.raises(MessageError):
        parse_part(part)
    assert parse_part(b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("header", [DEEP, b"{}", b"[]"])
def test_a_client_s_message_whose_header_cannot_be_read_is_dropped(
    header: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kernel = Kernel(document(tmp_path), Sessions(), lambda *_: None, lambda: None)
    kernel.send("s", join_v1("shell", [header, b"{}", b"{}", b"{}"]))
    assert "dropped a message of session s" in caplog.text
