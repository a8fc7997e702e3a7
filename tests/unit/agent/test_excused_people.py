"""For whose pages the journal waits once a page of that person was cut."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gateway_ext.agent import commands as module
from gateway_ext.agent.commands import Commands
from gateway_ext.agent.entry import EVERYBODY
from gateway_ext.agent.journal import Journal
from gateway_ext.agent.kernel_state import ReportedState
from gateway_ext.agent.sender import Stream
from gateway_ext.agent.sessions import Sessions
from gateway_ext.agent.slow_readers import EXCUSED_SECONDS


class Agent:
    """The commands of one connection, with a journal of ten messages."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: self.now))
        self.journal, self.sessions = Journal(10**6), Sessions()
        self.say(10)
        self.streams = 0
        self.closed: list[str] = []
        self.opened: list[Stream] = []
        self.posted: list[dict[str, Any]] = []
        self.sender: Any = SimpleNamespace(
            open=self._opened,
            close=lambda stream: self.closed.append(stream.session.session_id),
            post=self.posted.append,
        )
        kernel: Any = SimpleNamespace(
            state=ReportedState(pooled=False), connect=lambda session_id: None
        )
        connection: Any = SimpleNamespace(epoch=7)
        self.commands = Commands(
            connection,
            self.sender,
            kernel,
            self.sessions,
            self.journal,
            on_shutdown=lambda: None,
            on_handover=lambda gateways: None,
            on_gateways=lambda gateways: None,
            on_called=lambda frame: None,
            on_kept=lambda frame: None,
            on_ticket=lambda frame: None,
            on_claim=lambda document, epoch: None,
        )

    def _opened(self, command: int, stream: Stream) -> None:
        stream.start = self.journal.last
        self.opened.append(stream)

    def say(self, messages: int) -> None:
        for _ in range(messages):
            self.journal.append(EVERYBODY, b"said")

    def open(self, session_id: str, **more: Any) -> None:
        self.streams += 1
        frame = {"type": "command", "id": 1, "epoch": 7, "command": "open", "nonce": "n"}
        self.commands.text(
            {**frame, "stream": self.streams, "session_id": session_id, "cursor": True, **more}
        )

    @property
    def waited_for(self) -> list[str]:
        return [reader.session for reader in self.commands.readers()]


def test_a_person_who_opens_a_page_after_a_cut_does_not_stall_the_kernel_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent(monkeypatch)
    agent.open("slow", person="ann")
    agent.open("reads", person="ann")
    agent.open("other", person="bob")
    assert agent.waited_for == ["slow", "reads", "other"]
    agent.say(5)
    agent.commands.cut(["slow"])
    assert agent.closed == ["slow"]
    agent.open("anew", person="ann")
    agent.open("bob's", person="bob")
    assert agent.waited_for == ["reads", "other", "bob's"]
    agent.now += EXCUSED_SECONDS
    assert agent.waited_for == ["reads", "other", "anew", "bob's"]


def test_a_gateway_that_says_of_nobody_whose_a_page_is_makes_sessions_people(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent(monkeypatch)
    for person in ({}, {"person": ""}, {"person": 5}):
        agent.open(f"slow {person}", **person)
        agent.say(5)
        agent.commands.cut([f"slow {person}"])
        agent.open(f"anew {person}", **person)
        assert agent.waited_for[-1] == f"anew {person}"


def test_who_sends_over_a_stream_is_whom_the_gateway_names(monkeypatch: pytest.MonkeyPatch) -> None:
    agent = Agent(monkeypatch)
    for said in ({"user": "ann"}, {}, {"user": ""}, {"user": 5}):
        agent.open("s", **said)
    assert [stream.user for stream in agent.opened] == ["ann", None, None, None]


def test_a_page_that_lost_something_while_it_caught_up_comes_back_and_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    agent = Agent(monkeypatch)
    agent.open("caught up", person="ann")
    agent.open("other", person="bob")
    agent.sender.on_lost(agent.opened[0])
    assert agent.closed == ["caught up"]
    reason = "the journal has dropped what it lacks"
    assert agent.posted[-1] == {"type": "closed", "stream": 1, "reason": reason}
    assert agent.waited_for == ["other"]
    agent.open("caught up", person="ann")
    assert agent.waited_for == ["other", "caught up"]
