"""How a replay is cut into parts, and what is in each of them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway_ext.agent.entry import CURSORS, EVERYBODY
from gateway_ext.agent.requests import index as index_module
from gateway_ext.agent.requests import kernel_requests
from gateway_ext.agent.requests import replay as replay_module
from gateway_ext.agent.requests.merged_streams import LONGEST_MERGED
from gateway_ext.agent.requests.replay import replayed
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import join_v1, split_fleet, split_v1
from tests.unit.agent.requests_agent import Agent


def test_parts_are_cut_by_length_and_together_have_all_in_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_module, "PART_BYTES", 3000)
    agent = Agent()
    agent.execute("r", "a")
    for number in range(40):
        agent.print("r", f"{number}\n")
        agent.journal.append(EVERYBODY, b"of nobody")
    last = agent.journal.last
    parts = agent.ask(a=None)
    assert len(parts) > 3
    contents = [content for content, _ in parts]
    assert [c["part"] for c in contents] == list(range(1, len(parts) + 1))
    assert {c["fence"] for c in contents} == {agent.journal.last} == {last + len(parts)}
    assert [("index" in c) for c in contents] == [True] + [False] * (len(parts) - 1)
    assert contents[0]["limit"] == agent.journal.limit
    texts = "".join(told["text"] for _, messages in parts for told in messages)
    assert texts == "".join(f"{number}\n" for number in range(40))
    for content, messages in parts:
        assert len(content["numbers"]) == len(messages) == 1, "merged"
    assert contents[-1]["numbers"] == [last - 1]


def test_a_page_that_lacks_nothing_gets_one_part_with_the_index() -> None:
    agent = Agent()
    ((content, messages),) = agent.ask(a=None)
    assert (content["index"], content["numbers"], content["missing"]) == ([], [], [])
    assert (content["part"], content["parts"], content["fence"]) == (1, 1, 1)
    assert messages == []


def test_a_page_is_told_what_its_kernel_lost_with_a_process_until_something_is_run() -> None:
    agent = Agent()

    def restarted() -> Any:
        return agent.ask(a=None)[0][0]["restarted"]

    asyncio.run(agent.requests.died("never used", "k"))
    agent.requests.new_process()
    assert restarted() is None, "there was nothing to lose"
    agent.execute("r", "a")
    assert restarted() is None
    asyncio.run(agent.requests.died("why", "k"))
    lost = {"process": 2, "reason": "why", "by": None}
    assert restarted() == lost
    agent.requests.new_process()
    assert restarted() == lost
    agent.execute("q", "b")
    assert restarted() is None


def test_a_page_that_has_asked_is_told_of_a_restart() -> None:
    agent = Agent()

    def told() -> Any:
        agent.requests.restarted("ann")
        entry = agent.journal.get(agent.journal.last)
        assert entry is not None
        assert entry.audience == CURSORS
        _, (header, _, _, content) = split_fleet(entry.message)
        assert json.loads(header)["msg_type"] == "restarted"
        return json.loads(content)["restarted"]

    assert told() is None, "there was nothing to lose"
    agent.execute("r", "a")
    assert agent.ask(a=None)[0][0]["restarted"] is None
    asyncio.run(agent.requests.died("why", "k"))
    assert told() == {"process": 1, "reason": "why", "by": "ann"}
    # Who comes later, too.
    assert agent.ask(a=None)[0][0]["restarted"]["by"] == "ann"
    agent.requests.new_process()
    agent.execute("q", "b")
    assert told() is None


def test_what_the_journal_has_lost_is_missing() -> None:
    agent = Agent(limit=20_000)
    agent.execute("r", "a")
    for number in range(20):
        agent.print("r", f"{number}".ljust(5000))
    ((content, messages),) = agent.ask(a=None)
    ((first, last),) = content["missing"]
    assert (first, last) == (content["index"][0]["first"], first + 16)
    assert [told["text"].split() for told in messages] == [["17", "18", "19"]]
    # Lost between question and answer: a slow page asks for it in vain.
    entry = agent.journal.get(agent.journal.last)
    assert entry is not None
    for _ in range(20):
        agent.journal.append(EVERYBODY, b"x" * 5000)
    late = asyncio.run(replayed(agent.journal, entry.message))
    again = json.loads(split_fleet(late)[1][3])
    assert again["missing"] == [[first, content["index"][0]["last"]]]


def test_what_is_missing_of_a_cell_is_not_within_the_next_one() -> None:
    agent = Agent(limit=30_000)
    for request, cell in (("r", "a"), ("s", "b")):
        agent.execute(request, cell)
    for number in range(20):
        if number == 3:
            # An agent that is behind with outputs has the replies of all cells before them.
            agent.reply("r")
            agent.reply("s")
        agent.print("r", f"{number}".ljust(5000))
    for request in ("r", "s"):
        agent.say(request, "status", {"execution_state": "idle"})
    ((content, messages),) = agent.ask(a=None, b=None)
    missing, index = content["missing"], {one["request"]: one for one in content["index"]}
    lost = [number for first, last in missing for number in range(first, last + 1)]
    printed = [one for message in messages for one in message.get("text", "").split()]
    assert len(lost) + len(printed) == 20
    assert index["r"]["first"] <= lost[0]
    assert lost[-1] < index["r"]["last"]
    assert index["r"]["last"] < index["s"]["first"]


def test_each_part_says_what_of_it_was_lost_before_it_was_sent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(replay_module, "PART_BYTES", 12_000)
    agent = Agent(limit=100_000)
    agent.execute("r", "a")
    printed: list[int] = []
    for number in range(10):
        agent.print("r", f"{number}".ljust(5000))
        printed.append(agent.journal.last)
        agent.journal.append(EVERYBODY, b"of nobody")
    said = agent.journal.last
    asked = agent.ask(a=None)
    assert not any(content["missing"] for content, _ in asked)
    parts = [agent.journal.get(said + part) for part in range(1, len(asked) + 1)]
    for _ in range(30):
        agent.journal.append(EVERYBODY, b"x" * 5000)
    missing: list[int] = []
    for part, (before, _) in zip(parts, asked, strict=True):
        assert part is not None
        late = asyncio.run(replayed(agent.journal, part.message))
        content = json.loads(split_fleet(late)[1][3])
        lost = [number for first, last in content["missing"] for number in range(first, last + 1)]
        assert [number for number in lost if number in printed][-1] == before["numbers"][-1]
        missing += lost
    assert len(parts) > 2
    assert [number for number in missing if number in printed] == printed


@pytest.mark.parametrize("part_bytes", [2**20, 12_000])
def test_what_was_printed_on_both_sides_of_a_hole_is_not_merged(
    monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> None:
    monkeypatch.setattr(replay_module, "PART_BYTES", part_bytes)
    # Long messages go first.
    agent = Agent(limit=30_000)
    agent.execute("r", "a")
    for number in range(20):
        agent.print("r", f"{number}".ljust(5000 if 5 <= number < 18 else 10))
    parts = agent.ask(a=None)
    lost = parts[0][0]["missing"]
    printed = [
        (number, message["text"].split())
        for content, messages in parts
        for number, message in zip(content["numbers"], messages, strict=True)
        if "text" in message
    ]
    (before, head), *rest = printed
    assert head == ["0", "1", "2", "3", "4"]
    assert before < lost[0][0]
    tail = [int(word) for _, text in rest for word in text]
    assert tail == list(range(tail[0], 20))
    assert tail[0] > 5
    assert rest[0][0] > lost[0][1]


def test_what_is_superseded_is_no_hole_beside_one() -> None:
    agent = Agent(limit=30_000)
    agent.execute("r", "a")

    def bar() -> list[int]:
        """Numbers of the steps that are left out."""
        first = agent.journal.last + 2
        for text in ("start\n", *(f"\r{number}" for number in range(5))):
            agent.print("r", text)
        return list(range(first, first + 4))

    steps = bar()
    long = agent.journal.last + 1
    for number in range(10):
        agent.print("r", f"{number}".ljust(5000))
    steps += bar()
    lost = [long, long + 10 - sum(agent.journal.get(long + n) is not None for n in range(10)) - 1]
    assert lost[0] < lost[1] < long + 9
    assert not any(map(agent.journal.get, steps))
    ((content, messages),) = agent.ask(a=None)
    assert content["missing"] == [lost]
    first, second = [message["text"] for message in messages if "text" in message]
    # Merged over the steps, and not over what is missing.
    assert first == "start\n\r4"
    assert second.split()[0] == f"{lost[1] - long + 1}"
    assert second.endswith(" start\n\r4")


def test_what_a_page_has_of_a_cell_is_not_merged_with_what_it_lacks() -> None:
    agent = Agent()
    agent.execute("r", "a")
    numbers = []
    for number in range(10):
        agent.print("r", f"{number} ")
        numbers.append(agent.journal.last)
    ((content, messages),) = agent.ask(a={"request": "r", "number": numbers[3]})
    texts = [message["text"] for message in messages if "text" in message]
    assert texts == ["0 1 2 3 ", "4 5 6 7 8 9 "]
    assert content["numbers"][-2:] == [numbers[3], numbers[9]]


def test_runs_with_others_messages_are_replayed_without_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "MOST_RUNS", 2)
    agent = Agent()
    for request, cell in (("r", "a"), ("q", "b")):
        agent.execute(request, cell)
    for number in range(5):
        agent.print("r", f"r{number} ")
        agent.print("q", f"q{number} ")
    agent.say("q", "status", {"execution_state": "idle"})
    record = agent.requests.index.get("q")
    assert record is not None
    ((_, messages),) = agent.ask(a=None, b={"request": "q", "number": record.last})
    assert "".join(told["text"] for told in messages) == "r0 r1 r2 r3 r4 "


def test_a_message_that_cannot_be_read_is_replayed_as_it_is() -> None:
    agent = Agent()
    agent.execute("r", "a")
    parts = [b'{"msg_type": "stream"}', b'{"msg_id": "r"}', b"{}", b"{no JSON"]
    agent.requests.received(None, "iopub", "stream", "r", parts)
    entry = agent.journal.get(agent.journal.last)
    assert entry is not None
    assert entry.message == join_v1("iopub", parts)
    agent.requests.from_page(
        agent.journal,
        "page",
        split_fleet(make_message("p", "fleet", "ask", b"{}", {"cells": {"a": None}}))[1],
    )
    part = agent.journal.get(agent.journal.last)
    assert part is not None
    assert split_fleet(asyncio.run(replayed(agent.journal, part.message)))[1][4:] == [entry.message]


def test_a_long_text_is_not_parsed_to_merge_it() -> None:
    agent = Agent()
    agent.execute("r", "a")
    for text in ("x" * LONGEST_MERGED, "short", "er"):
        agent.print("r", text)
    ((_, messages),) = agent.ask(a=None)
    shown = [len(content["text"]) for content in messages if "text" in content]
    assert shown == [LONGEST_MERGED, 7]


def test_a_question_that_is_too_long_or_names_no_cells_is_answered_without_any(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent()
    agent.execute("r", "a")
    agent.print("r", "text")
    monkeypatch.setattr(kernel_requests, "LONGEST_QUESTION", 1000)
    ((content, messages),) = agent.ask(**dict.fromkeys(map(str, range(100))))
    assert (content["index"], messages) == ([], [])
    question = make_message("page", "fleet", "ask", b"{}", {"cells": 5})
    agent.requests.from_page(agent.journal, "page", split_fleet(question)[1])
    assert len(agent.ask(a=None)[0][1]) == 1


def test_a_question_with_a_header_that_no_page_sends_takes_nothing_of_the_journal() -> None:
    agent = Agent()
    question = make_message("page" * 2**15, "fleet", "ask", b"{}", {"cells": {}, "adopt": False})
    agent.requests.from_page(agent.journal, "page", split_fleet(question)[1])
    assert agent.journal.last == 0
    assert len(agent.ask()) == 1


def test_the_index_of_many_cells_takes_little_of_the_journal() -> None:
    agent = Agent()
    for number in range(1000):
        agent.execute(f"{number:032x}", f"cell-{number}")
    ((content, _),) = agent.ask()
    assert len(content["index"]) == 1000
    entry = agent.journal.get(agent.journal.last)
    assert entry is not None
    assert len(entry.message) < len(json.dumps(content["index"])) / 5


def test_of_many_cells_each_part_names_those_that_have_something_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(index_module, "MOST_RUNS", 2)
    monkeypatch.setattr(replay_module, "PART_BYTES", 2**16)
    agent = Agent()
    requests = [f"{number:032x}" for number in range(300)]
    for number, request in enumerate(requests):
        agent.execute(request, f"cell-{number}")
    # A thread of the first one goes on in the second one.
    for number in range(5):
        for request in requests[:2]:
            agent.print(request, f"{number} ")
    for request in requests[1:]:
        agent.print(request, request * 50)
    said, before = agent.journal.last, agent.journal._bytes
    parts = agent.ask()
    first = agent.journal.get(said + 1)
    assert first is not None
    assert len(parts) > 5
    texts = {text["text"] for _, messages in parts for text in messages}
    assert texts >= {request * 50 for request in requests[2:]}
    # The index is in the first one.
    taken = agent.journal._bytes - before - len(first.message)
    assert taken / (len(parts) - 1) < 3000


def test_every_page_learns_that_a_question_is_answered() -> None:
    agent = Agent()
    agent.execute("r", "a")
    question = make_message("k", "stdin", "input_request", b'{"msg_id": "r"}', {"prompt": "?"})
    agent.requests.received("page", "stdin", "input_request", "r", split_v1(question)[1])
    asked = agent.journal.last
    for _ in range(2):
        agent.requests.sent("other", "stdin", {"msg_type": "input_reply"}, [])
    assert agent.journal.last == asked + 1, "it is told once"
    entry = agent.journal.get(asked + 1)
    assert entry is not None
    assert entry.audience == CURSORS
    record = json.loads(split_fleet(entry.message)[1][3])
    assert (record["request"], record["state"], record["asks"]) == ("r", "queued", None)
