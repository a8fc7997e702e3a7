"""What readers get of kept journals."""

import json
import struct
from typing import Any

from jupyter_ext.journals import told as told_module
from jupyter_ext.journals.told import told
from jupyter_ext.wire.journal_parts import PartHeader, pack_part
from jupyter_ext.wire.messages import join_v1, parse_part, split_v1

JOURNAL = "0123456789abcdef" * 2


def message(
    kind: str, content: dict[str, Any], *, parent: str = "r1", channel: str = "iopub"
) -> bytes:
    header = {"msg_id": "m", "msg_type": kind}
    parts = [header, {"msg_id": parent}, {}, content]
    return join_v1(channel, [json.dumps(part).encode() for part in parts])


def printed(text: str, *, parent: str = "r1", name: str = "stdout") -> bytes:
    return message("stream", {"name": name, "text": text}, parent=parent)


def record(request: str, state: str = "queued") -> dict[str, Any]:
    return {"request": request, "cell": "c1", "state": state, "count": None, "first": 0, "last": 0}


def part(first: int, last: int, *messages: bytes, **more: Any) -> bytes:
    header = PartHeader(JOURNAL, first, last, **more)
    return pack_part(header, list(enumerate(messages, first)))


def texts(data: list[tuple[int, bytes]]) -> list[tuple[int, str]]:
    return [(number, parse_part(split_v1(one)[1][3])["text"]) for number, one in data]


def test_what_a_request_prints_is_merged_until_something_comes_between() -> None:
    answer = told(
        [
            part(1, 3, printed("a"), printed("b"), printed("c", name="stderr")),
            part(4, 6, printed("d"), printed("e", parent="r2"), printed("f", parent="r2")),
        ],
        None,
    )
    assert answer is not None
    assert texts(answer.messages) == [(2, "ab"), (3, "c"), (4, "d"), (6, "ef")]
    assert (answer.first, answer.last, answer.missing) == (1, 6, [])


def test_a_part_that_was_merged_into_another_object_is_told_once() -> None:
    one, two = part(1, 1, printed("a")), part(2, 2, printed("b"))
    answer = told([one, one + two, two], None)
    assert answer is not None
    assert texts(answer.messages) == [(2, "ab")]


def test_what_is_gone_is_named() -> None:
    answer = told([part(1, 1, printed("a")), part(5, 6, printed("b"), missing=[(6, 6)])], None)
    assert answer is not None
    assert answer.missing == [[2, 4], [6, 6]]


def test_what_is_printed_on_both_sides_of_a_hole_is_not_merged() -> None:
    one = pack_part(
        PartHeader(JOURNAL, 1, 5, missing=[(3, 3)]),
        [(number, printed(str(number))) for number in (1, 2, 4, 5)],
    )
    two = part(6, 8, printed("6"), printed("7"), missing=[(8, 8)])
    answer = told([one, two, part(9, 9, printed("9"))], None)
    assert answer is not None
    assert texts(answer.messages) == [(2, "12"), (7, "4567"), (9, "9")]
    assert answer.missing == [[3, 3], [8, 8]]


def test_requests_are_as_far_as_their_messages_say() -> None:
    announced = message("request", record("r1"), channel="fleet")
    answer = told(
        [
            part(
                1,
                5,
                announced,
                message("execute_input", {"execution_count": 3}),
                printed("a"),
                message("status", {"execution_state": "idle"}),
                message("execute_reply", {"status": "ok"}, channel="shell"),
            ),
            part(6, 6, printed("b", parent="r2"), requests=[record("r2", "running")]),
        ],
        None,
    )
    assert answer is not None
    first, second = answer.requests
    assert (first["state"], first["count"], first["first"], first["last"]) == ("done", 3, 2, 4)
    assert (second["request"], second["state"], second["last"]) == ("r2", "running", 6)
    # What the agent tells pages is not a message of the kernel.
    assert [number for number, _ in answer.messages] == [2, 3, 4, 5, 6]


def test_a_damaged_part_hides_no_other() -> None:
    damaged = bytearray(part(2, 2, printed("b")))
    damaged[-8] ^= 255
    answer = told([part(1, 1, printed("a")) + bytes(damaged) + part(3, 3, printed("c"))], None)
    assert answer is not None
    assert texts(answer.messages) == [(1, "a"), (3, "c")], "it is missing between them"
    assert answer.missing == [[2, 2]]


def test_readers_can_go_back() -> None:
    objects = [part(1, 2, printed("a"), printed("b")), part(3, 3, printed("c"))]
    answer = told(objects, 2)
    assert answer is not None
    assert texts(answer.messages) == [(1, "a")]
    assert (answer.first, answer.last) == (1, 1)
    assert told(objects, 1) is None


def test_the_newest_of_too_much_is_told(monkeypatch: Any) -> None:
    monkeypatch.setattr(told_module, "MOST_BYTES", 1000)
    answer = told([part(n, n, printed("x" * 400)) for n in range(1, 10)], None)
    assert answer is not None
    assert (answer.first, answer.last) == (9, 9)


def test_messages_that_cannot_be_read_hide_no_others() -> None:
    bad = join_v1("iopub", [b"[]", b"{", b"", b""])
    deep = join_v1("iopub", [b"[" * 100_000, b"{}", b"{}", b"{}"])
    answer = told([part(1, 5, b"bytes", bad, deep, printed("a"), printed("b"))], None)
    assert answer is not None
    assert texts(answer.messages) == [(5, "ab")]


def test_an_answer_has_its_head_and_then_the_messages() -> None:
    answer = told([part(1, 2, printed("a"), message("error", {"ename": "E"}))], None)
    assert answer is not None
    body = answer.packed({"kernel": "k"})
    (length,) = struct.unpack_from(">I", body)
    head = json.loads(body[4 : 4 + length])
    assert head["kernel"] == "k"
    assert head["numbers"] == [1, 2]
    place, found = 4 + length, []
    while place < len(body):
        (length,) = struct.unpack_from(">I", body, place)
        found.append(body[place + 4 : place + 4 + length])
        place += 4 + length
    assert [split_v1(one)[0] for one in found] == ["iopub", "iopub"]


def test_the_newest_part_says_whether_more_had_been_said() -> None:
    behind, not_behind = part(1, 1, printed("a"), behind=True), part(2, 2, printed("b"))
    answers = [told(parts, None) for parts in ([behind], [behind, not_behind])]
    assert [answer and answer.behind for answer in answers] == [True, False]


def test_what_browsers_cannot_read_is_in_no_answer() -> None:
    invented = message("request", {**record("r2"), "sent": float("nan")}, channel="fleet")
    counted = message("execute_input", {"execution_count": float("inf")})
    answer = told([part(1, 3, invented, counted, printed("a"), requests=[record("r1")])], None)
    assert answer is not None
    (length,) = struct.unpack_from(">I", answer.packed({}))
    head = json.loads(answer.packed({})[4 : 4 + length], parse_constant=refuse)
    assert [one["request"] for one in head["requests"]] == ["r1"]
    assert texts(answer.messages[-1:]) == [(3, "a")]


def refuse(name: str) -> None:
    raise AssertionError(name)
