"""What the agent knows of requests, and what it says of those that died."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway_ext.agent.requests import index as index_module
from gateway_ext.agent.requests.index import LONGEST_PARSED, RequestIndex, display_id
from gateway_ext.agent.requests.merged_streams import MergedStreams
from gateway_ext.agent.requests.runs import extend, union, without
from gateway_ext.agent.requests.unanswered import (
    MOST_UNANSWERED,
    Unanswered,
    UnansweredRequests,
    last_messages,
)
from jupyter_ext.wire.messages import join_v1, split_v1

NUMBERS = st.sets(st.integers(1, 60))


def packed(**content: Any) -> bytes:
    return json.dumps(content).encode()


def as_runs(numbers: set[int]) -> list[list[int]]:
    runs: list[list[int]] = []
    for number in sorted(numbers):
        extend(runs, number, 1000)
    return runs


def as_numbers(runs: list[list[int]]) -> set[int]:
    return {number for first, last in runs for number in range(first, last + 1)}


@given(NUMBERS, NUMBERS)
def test_runs_are_sets_of_numbers(some: set[int], others: set[int]) -> None:
    assert as_numbers(as_runs(some)) == some
    both = union([as_runs(some), as_runs(others)])
    assert both == as_runs(some | others)
    assert without(as_runs(some), as_runs(others)) == as_runs(some - others)


def test_too_many_runs_become_fewer_that_hold_more() -> None:
    runs: list[list[int]] = []
    for number in (1, 3, 5, 5, 9):
        extend(runs, number, 2)
    assert runs == [[1, 1], [3, 9]]


def sent(
    index: RequestIndex, request: str, cell: str | None = "c", **content: Any
) -> dict[str, Any] | None:
    header = {"msg_id": request, "msg_type": "execute_request", "date": "2026-01-01"}
    metadata = packed(cellId=cell) if cell else b"{}"
    record = index.sent("s", header, metadata, packed(**{"code": "1", **content}), 1)
    return None if record is None else record.shown()


def test_a_request_from_its_arrival_to_its_end() -> None:
    index = RequestIndex()
    assert sent(index, "r", code="print('ä')") == {
        "request": "r",
        "cell": "c",
        "session": "s",
        "source": hashlib.sha256("print('ä')".encode()).hexdigest(),
        "sent": "2026-01-01",
        "process": 1,
        "state": "queued",
        "count": None,
        "first": 0,
        "last": 0,
        "reply": None,
        "asks": None,
        "adopted": None,
    }
    record = index.get("r")
    assert record is not None
    assert index.heard("iopub", "status", "r", packed(execution_state="busy"), 4) is None
    assert record.state == "running"
    index.heard("iopub", "execute_input", "r", packed(execution_count=7), 5)
    index.heard("stdin", "input_request", "r", packed(prompt="?"), 7)
    assert (record.count, record.asks, record.last) == (7, 7, 5)
    assert index.answered() == [record]
    assert record.asks is None
    assert index.answered() == []
    index.heard("iopub", "stream", "r", packed(name="stdout", text="x"), 8)
    assert index.heard("iopub", "status", "r", packed(execution_state="idle"), 9) is record
    reply = packed(status="ok", execution_count=7)
    # The reply may be numbered after the idle: it is no output that a page would lack.
    assert index.heard("shell", "execute_reply", "r", reply, 12) is None
    assert (record.state, record.reply, record.first, record.last) == ("done", "ok", 4, 9)
    assert record.numbers == [[4, 5], [7, 9], [12, 12]]
    assert record.is_held("r", 9)
    assert not record.is_held("r", 8)
    assert not record.is_held("other", 9)
    assert not record.is_held("r", None)


def test_a_request_does_not_begin_with_a_reply_that_comes_before_its_turn() -> None:
    index = RequestIndex()
    sent(index, "earlier", "a")
    sent(index, "r", "b")
    text = packed(name="stdout", text="x")
    index.heard("iopub", "stream", "earlier", text, 1)
    # Each session has a socket for replies, and outputs have another one.
    index.heard("shell", "execute_reply", "r", packed(status="ok", execution_count=2), 2)
    record = index.get("r")
    assert record is not None
    assert (record.first, record.last, record.numbers) == (0, 0, [[2, 2]])
    index.heard("iopub", "stream", "earlier", text, 3)
    index.heard("iopub", "status", "r", packed(execution_state="busy"), 4)
    index.heard("iopub", "status", "r", packed(execution_state="idle"), 5)
    assert (record.first, record.last, record.numbers) == (4, 5, [[2, 2], [4, 5]])


def test_what_is_no_cell_is_not_indexed() -> None:
    index = RequestIndex()
    assert sent(index, "r", silent=True) is None
    assert index.sent("s", {"msg_id": "k", "msg_type": "kernel_info_request"}, b"", b"", 1) is None
    assert sent(index, "console", cell=None) is not None
    assert sent(index, "console", cell=None) is None, "sent again"
    assert index.latest() == {}
    assert index.heard("iopub", "stream", "unknown", b"{}", 1) is None


def test_every_execute_request_is_known_when_it_comes_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "MOST_RECORDS", 3)
    index = RequestIndex()
    assert not index.has_come("cell")
    sent(index, "cell")
    for request in "abcd":
        sent(index, request, cell=None, silent=True, store_history=False)
    assert [request for request in ("cell", *"abcd") if index.has_come(request)] == [
        "cell",
        *"bcd",
    ]
    assert [record.request for record in index] == ["cell"], "no page is told of silent ones"
    assert sent(index, "b", silent=False) is None, "sent again"


def test_an_invented_status_of_a_reply_is_not_kept_at_any_length() -> None:
    index = RequestIndex()
    sent(index, "r")
    index.heard("shell", "execute_reply", "r", packed(status="x" * 100_000), 1)
    record = index.get("r")
    assert record is not None
    assert len(record.reply or "") < 1000


def test_a_source_that_is_too_long_is_not_looked_at() -> None:
    shown = sent(RequestIndex(), "r", code="x" * LONGEST_PARSED)
    assert shown is not None
    assert shown["source"] is None
    assert shown["cell"] == "c"


def test_an_aborted_request_is_done() -> None:
    index = RequestIndex()
    sent(index, "r")
    done = index.heard("shell", "execute_reply", "r", packed(status="aborted"), 1)
    assert done is not None
    assert (done.state, done.reply) == ("done", "aborted")


def test_the_latest_request_of_a_cell_counts() -> None:
    index = RequestIndex()
    for request, cell in (("1", "a"), ("2", "b"), ("3", "a")):
        sent(index, request, cell)
    assert {cell: record.request for cell, record in index.latest().items()} == {
        "a": "3",
        "b": "2",
    }


def test_the_oldest_that_are_done_are_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "MOST_RECORDS", 3)
    index = RequestIndex()
    for request in "abc":
        sent(index, request)
    index.heard("shell", "execute_reply", "b", packed(status="aborted"), 1)
    sent(index, "d")
    assert [record.request for record in index] == ["a", "c", "d"]
    sent(index, "e")
    assert [record.request for record in index] == ["c", "d", "e"]


def test_a_changed_display_belongs_to_the_cells_that_show_it() -> None:
    index = RequestIndex()
    for request in ("shows", "also", "changes"):
        sent(index, request, request)
    shown = packed(data={}, transient={"display_id": "d"})
    index.heard("iopub", "display_data", "shows", shown, 3)
    index.heard("iopub", "execute_result", "also", shown, 4)
    index.heard("iopub", "update_display_data", "changes", shown, 9)
    index.heard("iopub", "update_display_data", "silent", shown, 12)
    found = {record.request: (record.numbers, record.last) for record in index}
    assert found == {
        "shows": ([[3, 3], [9, 9], [12, 12]], 12),
        "also": ([[4, 4], [9, 9], [12, 12]], 12),
        "changes": ([[9, 9]], 9),
    }


def test_a_display_that_many_runs_show_belongs_to_the_latest_of_each_cell(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "MOST_CELLS_OF_A_DISPLAY", 2)
    index = RequestIndex()
    shown = packed(data={}, transient={"display_id": "d"})
    for number, (request, cell) in enumerate(
        [("a1", "a"), ("b1", "b"), ("a2", "a"), ("c1", "c"), ("c2", "c")], 1
    ):
        sent(index, request, cell)
        index.heard("iopub", "display_data", request, shown, number)
    index.heard("iopub", "update_display_data", "later", shown, 9)
    assert {record.request for record in index if record.last == 9} == {"a2", "c2"}


def test_the_id_of_a_display_is_found_in_short_and_long_messages() -> None:
    assert display_id(packed(data={"text/plain": '"display_id": "x"'})) is None
    assert display_id(packed(data={}, transient={"display_id": 'd"1'})) == 'd"1'
    long = "x" * (LONGEST_PARSED + 1)
    assert display_id(packed(data={"text/plain": long}, transient={"display_id": "d"})) == "d"
    assert display_id(packed(data={"text/plain": '"display_id": "e"' + long})) is None
    assert display_id(b'{"display_id"') is None


def waiting(kind: str = "execute_request", session: str = "s") -> Unanswered:
    return Unanswered(session, "shell", kind, packed(msg_id="r", msg_type=kind))


def test_what_is_finished_is_not_answered_again() -> None:
    requests = UnansweredRequests()
    for request in ("done", "replied", "idle", "queued", "running"):
        requests.add(request, waiting())
    requests.add("comm", waiting("comm_msg"))
    for request in ("done", "replied"):
        requests.heard("execute_reply", request, "")
    for request in ("done", "idle", "comm"):
        requests.heard("status", request, "idle")
    requests.heard("status", "running", "busy")
    requests.heard("stream", "unknown", "")
    left = requests.take()
    assert list(left) == ["replied", "idle", "queued", "running"]
    assert not requests.take()
    said = {
        request: [(kind, content) for _, kind, _, content in last_messages(one, "k", "why", 7)]
        for request, one in left.items()
    }
    idle = ("status", {"execution_state": "idle"})
    died = {
        "status": "error",
        "ename": "KernelDied",
        "evalue": "why",
        "traceback": [],
        "execution_count": 7,
    }
    aborted = ("execute_reply", {**died, "status": "aborted"})
    assert said == {
        "replied": [idle],
        "idle": [aborted],
        "queued": [aborted, idle],
        "running": [("execute_reply", died), idle],
    }


def test_last_messages_answer_the_request_in_the_dead_kernel_s_session() -> None:
    one = waiting("complete_request")
    one.running = True
    (channel, _, reply, _), (_, _, idle, _) = last_messages(one, "kernel", "why")
    assert channel == "shell"
    assert split_v1(reply)[0] == "shell"
    for message in (reply, idle):
        header, parent, *_ = (json.loads(part) for part in split_v1(message)[1])
        assert parent["msg_id"] == "r"
        assert header["session"] == "kernel"
    assert json.loads(split_v1(reply)[1][3]) == {"status": "aborted"}


def test_what_no_kernel_ever_answers_is_bounded() -> None:
    requests = UnansweredRequests()
    for number in range(MOST_UNANSWERED + 5):
        requests.add(str(number), waiting("comm_msg"))
    assert next(iter(requests.take())) == "5"


def test_what_runs_is_answered_however_many_wait_behind_it() -> None:
    requests = UnansweredRequests()
    requests.add("widget", waiting("comm_msg"))
    for number in range(MOST_UNANSWERED + 5):
        requests.add(str(number), waiting("execute_request"))
    assert list(requests.take()) == [str(number) for number in range(MOST_UNANSWERED)]


def stream(text: str, name: str = "stdout", request: str = "r", **more: Any) -> bytes:
    header = packed(msg_type="stream", msg_id=text)
    return join_v1("iopub", [header, packed(msg_id=request), b"{}", packed(name=name, text=text)])


def test_only_neighbours_of_one_request_and_stream_are_merged() -> None:
    display = join_v1("iopub", [packed(msg_type="display_data"), packed(msg_id="r"), b"{}", b"{}"])
    said = [
        stream("a"),
        stream("b"),
        stream("c", name="stderr"),
        stream("d", name="stderr", request="q"),
        display,
        stream("e", request="q"),
        stream("\N{BROOM}f\n", request="q"),
    ]
    merged = MergedStreams()
    for number, message in enumerate(said, 10):
        merged.add(number, message)
    found = merged.finish()
    assert [number for number, _ in found] == [11, 12, 13, 14, 16]
    assert [found[1][1], found[2][1], found[3][1]] == said[2:5], "what stands alone is as it was"
    texts = [json.loads(split_v1(message)[1][3]) for _, message in (found[0], found[4])]
    assert texts == [
        {"name": "stdout", "text": "ab"},
        {"name": "stdout", "text": "e\N{BROOM}f\n"},
    ]
    assert json.loads(split_v1(found[0][1])[1][0])["msg_id"] == "a"


@given(st.lists(st.tuples(st.text(max_size=5), st.sampled_from("oe"), st.sampled_from("rq"))))
def test_merging_keeps_every_text_in_its_order(said: list[tuple[str, str, str]]) -> None:
    merged = MergedStreams()
    for number, (text, name, request) in enumerate(said, 1):
        merged.add(number, stream(text, name, request))
    joined: list[list[str]] = []
    for text, name, request in said:
        if joined and joined[-1][1:] == [name, request]:
            joined[-1][0] += text
        else:
            joined.append([text, name, request])
    found = []
    for _, message in merged.finish():
        _, (_, parent, _, content) = split_v1(message)
        told = json.loads(content)
        found.append([told["text"], told["name"], json.loads(parent)["msg_id"]])
    assert found == joined


def test_a_request_with_too_many_runs_says_that_they_may_be_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "MOST_RUNS", 3)
    index = RequestIndex()
    sent(index, "r")
    record = index.get("r")
    assert record is not None
    for number in (1, 3, 5):
        assert not record.has_others
        index.heard("iopub", "stream", "r", b"{}", number)
    assert record.has_others
