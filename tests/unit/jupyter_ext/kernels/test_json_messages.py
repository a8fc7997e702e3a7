"""Messages keep every byte through the older layout, and what is no message is refused."""

import json

import pytest
from jupyter_server.services.kernels.connection.base import (
    deserialize_binary_message,
    serialize_binary_message,
)

from jupyter_ext.kernels.json_messages import json_to_v1, v1_to_json
from jupyter_ext.wire.messages import MessageError, join_v1, split_v1

HEADER = {"msg_id": "1_2", "msg_type": "stream", "session": "s", "date": "2026-01-01T00:00:00Z"}
PARTS = [
    json.dumps(HEADER).encode(),
    b"{}",
    b'{"cellId": "c"}',
    '{"name": "stdout", "text": "\u00e9\U0001f600"}'.encode(),
]


def test_a_message_becomes_json_and_is_itself_again() -> None:
    message = join_v1("iopub", PARTS)
    text = v1_to_json(message)
    assert isinstance(text, str)
    document = json.loads(text)
    assert document["msg_id"] == "1_2"
    assert document["msg_type"] == "stream"
    assert document["channel"] == "iopub"
    assert document["content"]["text"] == "\u00e9\U0001f600"
    assert document["buffers"] == []
    channel, parts = split_v1(json_to_v1(text))
    assert channel == "iopub"
    assert [json.loads(part) for part in parts] == [json.loads(part) for part in PARTS]


def test_buffers_travel_in_the_older_binary_layout() -> None:
    message = join_v1("shell", [*PARTS, b"\x00\xff", b"", b"abc"])
    frame = v1_to_json(message)
    assert isinstance(frame, bytes)
    document = deserialize_binary_message(frame)
    assert document["buffers"] == [b"\x00\xff", b"", b"abc"]
    assert document["channel"] == "shell"
    _, parts = split_v1(json_to_v1(frame))
    assert parts[4:] == [b"\x00\xff", b"", b"abc"]


def test_what_upstream_sends_in_the_older_layout_is_understood() -> None:
    frame = serialize_binary_message(
        {
            "header": HEADER,
            "parent_header": {},
            "metadata": {},
            "content": {"code": "1"},
            "channel": "shell",
            "buffers": [b"xyz"],
        }
    )
    channel, parts = split_v1(json_to_v1(frame))
    assert channel == "shell"
    assert json.loads(parts[3]) == {"code": "1"}
    assert parts[4:] == [b"xyz"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"channel": "shell"}',
        '{"header": {}, "channel": null}',
        '{"header": {}, "channel": "hb"}',
        '{"header": {}, "channel": []}',
        '{"header": {}, "channel": {"shell": 1}}',
        '{"header": "x", "channel": "shell"}',
        '{"header": {}, "channel": "shell", "content": {x}}',
        '{"header": {}, "channel": "shell"} x',
        '{"header": {}, "channel": "shell", "content": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"header": {}, "channel": "shell", "content": [' + "[]," * 400_000 + "[]]}",
        '{"header": {}, "channel": "shell", "content": {"code": "' + "x" * 2**24 + '"}}',
        b"",
        b"\x00\x00\x00\x09",
        b"\x00\x01\x00\x00" + b"\x00\x05\x00\x00" * 66_000,
    ],
    ids=lambda text: str(text)[:60],
)
def test_json_that_is_no_message_is_refused(text: str | bytes) -> None:
    with pytest.raises(MessageError):
        json_to_v1(text)


def test_a_long_message_in_the_older_layout_is_passed_on_as_it_is_written() -> None:
    content = '{"code": "' + 'é\\n\\"}{' * 200_000 + '", "more": [' + "0.1, " * 1_000_000 + "1]}"
    text = json.dumps({"header": HEADER, "channel": "shell"})[:-1] + f', "content": {content}}}'
    _, (header, parent_header, metadata, found) = split_v1(json_to_v1(text))
    assert (found == content.encode()) is True
    assert json.loads(header) == HEADER
    assert (parent_header, metadata) == (b"{}", b"{}")


def test_a_message_that_names_no_channel_is_for_shell() -> None:
    assert split_v1(json_to_v1(json.dumps({"header": HEADER})))[0] == "shell"
