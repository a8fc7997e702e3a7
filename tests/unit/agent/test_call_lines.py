"""Calls of kernels as lines."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_ext.agent.call_lines import (
    LONGEST_LINE,
    BadLine,
    Call,
    answer_line,
    call_line,
    failed,
    parse_call,
    succeeded,
)
from gateway_ext.kernels.agents.text_frames import parse_text_frame


def line(**changes: Any) -> bytes:
    return json.dumps({"id": 1, "call": "launch-details", "arguments": {}} | changes).encode()


def test_a_call_is_read() -> None:
    call = parse_call(line(id="a", arguments={"x": [1, "é"]}) + b"\r")
    assert call == Call("a", "launch-details", {"x": [1, "é"]})
    assert parse_call(b'{"id": 7, "call": "x"}') == Call(7, "x", {})
    assert parse_call(call_line(3, "y", {"z": None})) == Call(3, "y", {"z": None})


@pytest.mark.parametrize(
    ("bad", "number", "words"),
    [
        (b"", None, "not JSON"),
        (b"{", None, "not JSON"),
        (b"\xff", None, "not JSON"),
        (b"\0" * 10, None, "not JSON"),
        (b"[" * LONGEST_LINE, None, "not JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", None, "not JSON"),
        (b"[]", None, "not an object"),
        (line(id=None), None, "id must be"),
        (line(id=True), None, "id must be"),
        (line(id=1.5), None, "id must be"),
        (line(id=2**63), None, "id must be"),
        (line(id="x" * 65), None, "id must be"),
        (line(call=None), 1, "call must be the name"),
        (line(call="Launch details"), 1, "call must be the name"),
        (line(call="x" * 65), 1, "call must be the name"),
        (line(arguments=None), 1, "arguments must be an object"),
        (line(arguments=[]), 1, "arguments must be an object"),
        (b'{"id": 1, "call": "x", "arguments": {"a": NaN}}', None, "not JSON"),
        (b'{"id": 1, "call": "x", "arguments": {"a": 1e999}}', 1, "too large"),
    ],
)
def test_what_is_no_call_is_refused_with_the_reason(
    bad: bytes, number: int | None, words: str
) -> None:
    with pytest.raises(BadLine, match=words) as refused:
        parse_call(bad)
    assert refused.value.number == number


def nested(levels: int) -> dict[str, Any]:
    value: Any = {}
    for level in range(levels - 1):
        value = [value] if level % 2 else {"a": value}
    return {"deep": value}


def test_arguments_are_no_deeper_than_gateways_read() -> None:
    assert parse_call(line(arguments=nested(31))).arguments == nested(31)
    with pytest.raises(BadLine, match="nested at most 32") as refused:
        parse_call(line(arguments=nested(32)))
    assert refused.value.number == 1


@pytest.mark.parametrize("item", ["[]", "{}", "1e15", '"\U0001f600"', '"\x7f"', "0"])
def test_a_gateway_reads_every_call_that_fits_a_line(item: str) -> None:
    begin, end = '{"id": 1, "call": "x", "arguments": {"a": [', "]}}"
    room = LONGEST_LINE - len(begin) - len(end)
    longest = begin + ",".join([item] * (room // (len(item.encode()) + 1))) + end
    assert LONGEST_LINE - 10 < len(longest.encode()) <= LONGEST_LINE
    call = parse_call(longest.encode())
    frame = json.dumps({"type": "call", "id": 1, "call": call.name, "arguments": call.arguments})
    assert parse_text_frame(frame)["arguments"] == call.arguments


def test_an_answer_has_the_number_and_fits_a_line() -> None:
    assert json.loads(answer_line("a", succeeded({"x": 1}))) == {
        "id": "a",
        "ok": True,
        "result": {"x": 1},
    }
    assert json.loads(answer_line(None, failed(400, "no"))) == {
        "id": None,
        "ok": False,
        "status": 400,
        "message": "no",
    }
    long = answer_line(5, succeeded({"x": "y" * LONGEST_LINE}))
    assert long.endswith(b"\n")
    assert len(long) < 200
    assert json.loads(long)["status"] == 500


def test_a_call_that_is_too_long_is_not_sent() -> None:
    call_line(1, "x", {"y": "z" * (LONGEST_LINE - 100)})
    with pytest.raises(ValueError, match="at most 65536"):
        call_line(1, "x", {"y": "z" * LONGEST_LINE})
    with pytest.raises(TypeError):
        call_line(1, "x", {"y": object()})
