"""Messages in the place of a kernel that does not run yet."""

import json

import pytest

from jupyter_ext.wire.launch_messages import aborted_replies, status_message, survives_interrupt
from jupyter_ext.wire.messages import MessageError, join_v1, parse_part, split_v1


def request(kind: str, channel: str = "shell") -> bytes:
    header = {"msg_id": "r-1", "msg_type": kind, "session": "page", "username": "ada"}
    return join_v1(channel, [json.dumps(header).encode(), b"{}", b"{}", b"{}", b"buffer"])


def parsed(message: bytes) -> tuple[str, str, str, str, dict[str, object]]:
    """Channel, kind, sender's session, the request's id, and the content."""
    channel, parts = split_v1(message)
    header, parent, metadata, content = (parse_part(part) for part in parts)
    assert metadata == {}
    assert set(header) == {"msg_id", "msg_type", "session", "username", "date", "version"}
    return channel, header["msg_type"], header["session"], parent.get("msg_id", ""), content


@pytest.mark.parametrize(
    ("kind", "channel", "reply"),
    [
        ("execute_request", "shell", "execute_reply"),
        ("complete_request", "shell", "complete_reply"),
        ("debug_request", "control", "debug_reply"),
    ],
)
def test_an_aborted_request_gets_its_reply_and_an_idle(kind: str, channel: str, reply: str) -> None:
    answers = [parsed(answer) for answer in aborted_replies("lab", request(kind, channel))]
    assert answers == [
        (channel, reply, "lab", "r-1", {"status": "aborted"}),
        ("iopub", "status", "lab", "r-1", {"execution_state": "idle"}),
    ]


def test_nothing_answers_what_is_no_request() -> None:
    for kind in ("comm_msg", "input_reply"):
        assert aborted_replies("lab", request(kind)) == []
    with pytest.raises(MessageError):
        aborted_replies("lab", b"no message")


def test_a_status_has_no_parent() -> None:
    content = {"execution_state": "starting", "launch": {"phase": "pulling"}}
    assert parsed(status_message("lab", content)) == ("iopub", "status", "lab", "", content)


def test_only_the_question_who_the_kernel_is_outlives_an_interrupt() -> None:
    assert survives_interrupt(request("kernel_info_request"))
    assert not survives_interrupt(request("execute_request"))
    assert not survives_interrupt(request("kernel_info_request", "control"))
