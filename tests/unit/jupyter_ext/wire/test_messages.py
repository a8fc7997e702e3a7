"""The v1 layout of kernel messages is Jupyter's, and what is no message is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_server.services.kernels.connection.base import (
    deserialize_msg_from_ws_v1,
    serialize_msg_to_ws_v1,
)

from jupyter_ext.wire.messages import (
    FLEET_CHANNEL,
    MessageError,
    channel_of,
    is_fleet,
    join_v1,
    parse_part,
    split_fleet,
    split_v1,
)

PARTS = [b'{"msg_id":"1"}', b"{}", b"{}", b'{"code":"x"}']
DEEP = b'{"msg_id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"


@given(
    st.sampled_from(["shell", "iopub", "stdin", "control"]),
    st.lists(st.binary(max_size=40), min_size=4, max_size=8),
)
def test_our_layout_is_upstreams(channel: str, parts: list[bytes]) -> None:
    ours = join_v1(channel, parts)
    assert ours == serialize_msg_to_ws_v1(parts, channel)
    assert deserialize_msg_from_ws_v1(ours) == (channel, parts)
    assert split_v1(ours) == (channel, parts)
    assert channel_of(ours) == channel


@given(st.binary(max_size=200))
def test_what_is_no_message_is_refused_and_nothing_else_happens(data: bytes) -> None:
    try:
        split_v1(data)
    except MessageError:
        return


@pytest.mark.parametrize(
    "frame",
    [
        b"",
        b"\x00" * 7,
        b"\xff" * 64,
        *(join_v1("iopub", PARTS)[:cut] for cut in (5, 30, 60, 70, -1)),
        join_v1("iopub", PARTS) + b"x",
        serialize_msg_to_ws_v1(PARTS[:3], "iopub"),
        serialize_msg_to_ws_v1(PARTS, "hb"),
        join_v1("shell", [*PARTS, *[b""] * 70_000]),
    ],
)
def test_what_is_no_message_is_refused(frame: bytes) -> None:
    for read in (split_v1, channel_of):
        with pytest.raises(MessageError):
            read(frame)


@pytest.mark.parametrize("part", [DEEP, b"", b"[]", b"1", b"{", b"\xff"])
def test_a_part_that_is_no_object_is_an_error(part: bytes) -> None:
    with pytest.raises(MessageError):
        parse_part(part)
    assert parse_part(b'{"a": 1}') == {"a": 1}


def test_only_pages_and_agents_know_the_channel_of_the_fleet() -> None:
    message = join_v1(FLEET_CHANNEL, [b"{}", b"{}", b"{}", b"{}"])
    assert is_fleet(message)
    assert split_fleet(message) == ("fleet", [b"{}"] * 4)
    for read in (split_v1, channel_of):
        with pytest.raises(MessageError, match="'fleet'"):
            read(message)
    assert not is_fleet(join_v1("shell", [b"{}", b"{}", b"{}", b"{}"]))
    assert not is_fleet(message[:-1])
    with pytest.raises(MessageError):
        split_fleet(join_v1("elsewhere", [b"{}", b"{}", b"{}", b"{}"]))
