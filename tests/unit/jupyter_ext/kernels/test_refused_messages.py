"""What a client is told of a message that is not passed on."""

import json
from typing import Any

import pytest

from jupyter_ext.kernels.json_messages import json_to_v1
from jupyter_ext.kernels.refused_messages import refusals, too_long
from jupyter_ext.wire.messages import split_v1

MB = 1024 * 1024


def message(kind: str = "execute_request", **content: Any) -> str:
    header = {"msg_id": "m1", "msg_type": kind, "session": "s", "username": ""}
    # A string that looks like a member comes first.
    metadata = {"note": '"header": {"msg_id": "other"}'}
    return json.dumps(
        {"metadata": metadata, "parent_header": {}, "header": header, "content": content}
    )


def told(answers: list[bytes]) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Channel, type, the request's id and content of each answer."""
    split = [split_v1(answer) for answer in answers]
    return [
        (
            channel,
            json.loads(parts[0])["msg_type"],
            json.loads(parts[1])["msg_id"],
            json.loads(parts[3]),
        )
        for channel, parts in split
    ]


@pytest.mark.parametrize("v1", [False, True])
def test_a_cell_shows_why_it_was_not_run_and_ends(v1: bool) -> None:
    text = message(code="x" * 200_000)
    # Of a message that was too long only the beginning is there.
    beginning: str | bytes = json_to_v1(text)[:4096] if v1 else text[:4096]
    answers = told(refusals(beginning, v1=v1, sender="k", reason="too long"))
    assert [(c, k, r) for c, k, r, _ in answers] == [
        ("iopub", "error", "m1"),
        ("shell", "execute_reply", "m1"),
        ("iopub", "status", "m1"),
    ]
    assert answers[0][3]["evalue"] == answers[1][3]["evalue"] == "too long"
    assert answers[1][3]["status"] == "error"
    assert answers[2][3] == {"execution_state": "idle"}


def test_other_requests_get_a_reply_and_no_output() -> None:
    answers = told(refusals(message("complete_request"), v1=False, sender="k", reason="no"))
    assert [(c, k) for c, k, _, _ in answers] == [("shell", "complete_reply"), ("iopub", "status")]


@pytest.mark.parametrize("v1", [False, True])
@pytest.mark.parametrize(
    "beginning",
    [
        b"",
        b"\0" * 7,
        b"\0" * 400,
        b"\xff" * 400,
        b'{"header": {"msg_id": 1',
        b'{"header": ' + b"[" * 50_000,
        b'{"header": 7}',
        b'{"content": {}}',
        message("comm_msg").encode(),
    ],
)
def test_what_does_not_say_which_request_it_is_has_no_answer(beginning: bytes, v1: bool) -> None:
    assert refusals(beginning, v1=v1, sender="k", reason="no") == []


def test_the_limit_is_said_in_words() -> None:
    assert "has 70.0 MB, and at most 64 MB can be sent" in too_long(70 * MB, 64 * MB)
