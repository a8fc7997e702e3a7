"""Who counts as a user of a kernel's process, and what pages are told of that."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway_ext.agent.client_messages import ClientMessages
from gateway_ext.agent.requests.people import MOST_PROCESSES, MOST_USERS, People, leaves_traces
from gateway_ext.agent.sessions import Sessions
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import split_fleet
from tests.unit.agent.requests_agent import Agent

CONTROL = "jupyter.widget.control"


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("kernel_info_request", {}),
        ("comm_info_request", {"target_name": "jupyter.widget"}),
        ("history_request", {"hist_access_type": "tail", "n": 100}),
        ("is_complete_request", {"code": "1"}),
        ("interrupt_request", {}),
        ("shutdown_request", {"restart": True}),
        ("create_subshell_request", {}),
        ("comm_open", {"comm_id": "c", "target_name": CONTROL, "data": {}}),
        ("comm_msg", {"comm_id": "c", "data": {"method": "request_states"}}),
        ("comm_close", {"comm_id": "c", "data": {}}),
        ("debug_request", {"command": "debugInfo", "arguments": {}}),
    ],
)
def test_what_a_page_sends_by_itself_makes_nobody_a_user(kind: str, content: Any) -> None:
    assert not leaves_traces("shell", kind, json.dumps(content).encode())


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("execute_request", {"code": ""}),
        ("execute_request", {"code": "1", "silent": True}),
        ("inspect_request", {"code": "x"}),
        ("complete_request", {"code": "x."}),
        ("input_reply", {"value": "1"}),
        ("comm_open", {"comm_id": "c", "target_name": "jupyter.widget", "data": {}}),
        ("comm_open", {"comm_id": "c", "target_name": CONTROL, "data": {"code": "1"}}),
        ("comm_msg", {"comm_id": "c", "data": {"method": "update", "state": {}}}),
        ("comm_msg", {"comm_id": "c", "data": {"method": "request_states", "more": 1}}),
        ("comm_msg", {"comm_id": "c"}),
        ("comm_close", {"comm_id": "c", "data": {"x": 1}}),
        ("debug_request", {"command": "evaluate", "arguments": {"expression": "1"}}),
        ("debug_request", {"command": "debugInfo", "arguments": {"x": 1}}),
        ("a_later_request", {}),
    ],
)
def test_what_may_run_or_change_something_does(kind: str, content: Any) -> None:
    assert leaves_traces("shell", kind, json.dumps(content).encode())


# ipykernel's `input()` looks at the value alone, and reads what any client sends.
@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("input_reply", {}),
        ("kernel_info_request", {}),
        ("comm_msg", {"data": {"method": "request_states"}}),
        ("debug_request", {"command": "debugInfo"}),
    ],
)
def test_who_sends_text_into_the_cell_of_another_is_named_before_the_kernel_has_it(
    kind: str, more: Any
) -> None:
    agent = Agent()
    messages = ClientMessages(Sessions(), agent.requests)
    channels: Any = Channels(agent)

    def send(user: str, channel: str, kind: str, content: dict[str, Any]) -> None:
        read = messages.read(user, make_message(user, channel, kind, b"{}", content), user)
        assert read is not None
        messages.pass_on(read, channels)

    send("ann", "shell", "execute_request", {"code": "eval(input())"})
    send("bob", "stdin", kind, {"value": "bob()", **more})
    assert told(agent)[-1] == agent.requests.people == {"process": 1, "users": ["ann", "bob"]}
    assert channels.given[-1] == agent.journal.last


def test_what_cannot_be_read_or_has_buffers_does() -> None:
    asking = json.dumps({"comm_id": "c", "data": {"method": "request_states"}}).encode()
    assert not leaves_traces("shell", "comm_msg", asking)
    assert leaves_traces("shell", "comm_msg", asking, buffers=1)
    assert leaves_traces("shell", "comm_msg", b"no JSON")
    assert leaves_traces("shell", "comm_msg", asking[:-1] + b" " * 2**16 + b"}")


def test_each_process_has_its_own_users() -> None:
    people = People()
    assert people.used(1, "ann")
    assert not people.used(1, "ann")
    assert people.used(1, None)
    assert not people.used(1, None)
    assert people.used(2, "ann")
    assert people.of(1) == {"process": 1, "users": ["ann", None]}
    assert people.of(3) == {"process": 3, "users": []}
    assert people.of_all({1, 3}) == {"1": ["ann", None]}


def test_the_users_of_more_people_and_processes_than_there_is_room_for_are_not_known() -> None:
    people = People()
    for number in range(MOST_USERS + 10):
        people.used(1, f"user {number}")
    users = people.of(1)["users"]
    assert users == [*(f"user {number}" for number in range(MOST_USERS)), None]
    assert not people.used(1, "one more")
    for process in range(2, MOST_PROCESSES + 2):
        people.used(process, "ann")
    assert people.of_all([1, 2]) == {"2": ["ann"]}


class Channels:
    """Those of a process; keeps what it is given, and where the journal was then."""

    def __init__(self, agent: Agent) -> None:
        self.agent = agent
        self.given: list[int] = []

    def send(self, session_id: str, channel: str, parts: list[bytes]) -> None:
        self.given.append(self.agent.journal.last)


def told(agent: Agent) -> list[dict[str, Any]]:
    """What pages were told of people."""
    found = []
    for number in range(1, agent.journal.last + 1):
        entry = agent.journal.get(number)
        assert entry is not None
        _, (header, _, _, content) = split_fleet(entry.message)
        if json.loads(header)["msg_type"] == "people":
            found.append(json.loads(content))
    return found


def test_pages_learn_of_a_new_user_before_the_kernel_has_the_message() -> None:
    agent = Agent()
    messages = ClientMessages(Sessions(), agent.requests)
    channels: Any = Channels(agent)

    def send(user: str | None, kind: str = "execute_request") -> None:
        read = messages.read("s", make_message("s", "shell", kind, b"{}", {"code": ""}), user)
        assert read is not None
        messages.pass_on(read, channels)

    send("ann", "kernel_info_request")
    assert told(agent) == []
    send("ann")
    assert told(agent) == [{"process": 1, "users": ["ann"]}]
    assert channels.given[-1] == agent.journal.last
    send("ann")
    send("bob", "comm_info_request")
    assert len(told(agent)) == 1
    send("bob")
    send(None)
    assert told(agent)[1:] == [
        {"process": 1, "users": ["ann", "bob"]},
        {"process": 1, "users": ["ann", "bob", None]},
    ]
    assert agent.requests.people == told(agent)[-1]


def test_what_waits_for_the_next_process_makes_its_sender_a_user_of_that() -> None:
    agent = Agent()
    messages = ClientMessages(Sessions(), agent.requests)
    channels: Any = Channels(agent)
    content = {"code": "", "silent": True}
    for user in ("ann", "bob"):
        read = messages.read(
            "s", make_message("s", "shell", "execute_request", b"{}", content), user
        )
        assert read is not None
        messages.pass_on(read, channels if user == "ann" else None)
    assert agent.requests.people == {"process": 1, "users": ["ann"]}
    agent.requests.new_process()
    assert told(agent)[-1] == agent.requests.people == {"process": 2, "users": []}
    messages.give_waiting(channels)
    assert told(agent)[-1] == agent.requests.people == {"process": 2, "users": ["bob"]}


def test_whoever_has_prepared_the_processes_is_a_user_of_each_before_it_says_anything() -> None:
    assert told(Agent()) == []
    # Also of the first one, of which pages may have heard that nobody has used it.
    agent = Agent(prepared_by=["ann"])
    assert told(agent) == [agent.requests.people] == [{"process": 1, "users": ["ann"]}]
    agent.requests.new_process(["ann", None])
    assert told(agent)[-1] == {"process": 2, "users": ["ann", None]}


def test_an_answer_names_the_users_of_the_processes_in_its_index() -> None:
    agent = Agent()
    agent.execute("r1", "c1")
    agent.requests.new_process()
    agent.requests.new_process()
    agent.execute("r2", "c2")
    assert agent.ask()[0][0]["people"] == {"1": [None], "3": [None]}


def test_an_answer_tells_which_process_said_a_message_whichever_request_that_names() -> None:
    agent = Agent()
    agent.execute("r1", "c1")
    agent.say("r1", "display_data", {"data": {}, "metadata": {}})
    agent.requests.new_process()
    agent.requests.new_process(["ann"])
    agent.execute("r2", "c2")
    agent.say("r1", "display_data", {"data": {}, "metadata": {}})
    told = agent.ask()[0][0]
    [first, third] = told["numbers"]
    began = {process: after for after, process in told["processes"]}
    assert began[1] == 0 < first < began[2] < began[3] < third


def test_the_first_processes_of_very_many_are_forgotten() -> None:
    people = People()
    for process in range(1, MOST_PROCESSES + 2):
        people.began(process, 10 * process)
    processes = people.processes()
    assert (processes[0], len(processes)) == ((20, 2), MOST_PROCESSES)
