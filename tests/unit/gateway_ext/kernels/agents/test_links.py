"""Streams and commands of one agent."""

import asyncio
import json
import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from gateway_ext.kernels.agents.agent_link import (
    LONGEST_CALL,
    AgentLink,
    CommandFailed,
    LinkLost,
)
from gateway_ext.kernels.agents.client_streams import Opened, Opening, person_of
from gateway_ext.kernels.agents.links import AgentLinks, observation_of
from gateway_ext.kernels.kernel_model import kernel_model
from gateway_ext.kernels.place import Place
from gateway_ext.ownership.culling import CullRules
from gateway_ext.ownership.observations import Observation
from gateway_ext.ownership.states import KernelState
from jupyter_ext.database.engine import DatabaseUnavailable
from jupyter_ext.wire.frames import JOURNAL_PART
from tests import skipped_time
from tests.unit.gateway_ext.sample_record import sample_record

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = sample_record(KernelState.LAUNCHING, kernel_id="id", now=NOW)


class Page:
    """A client's end that writes down what it gets."""

    def __init__(self) -> None:
        self.opened_with: Opened | None = None
        self.sequences: list[int] = []
        self.ended: tuple[int, str] | None = None
        self.interrupts = 0
        self.shut_down_by = ""

    def shut_down(self, by: str) -> None:
        self.shut_down_by = by

    def interrupted(self) -> None:
        self.interrupts += 1

    def opened(self, opened: Opened) -> None:
        self.opened_with = opened

    def deliver(self, frame: bytes) -> None:
        sequence, _acknowledged = struct.unpack_from(">QQ", frame)
        if len(frame) > 16:
            assert frame[16:] == b"m%d" % sequence
            self.sequences.append(sequence)

    def end(self, code: int, reason: str) -> None:
        self.ended = (code, reason)


class _Sent:
    """What is done at once."""

    def __await__(self) -> Iterator[None]:
        return iter(())


class Agent:
    """The other end of a link."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.calls: list[tuple[dict[str, Any], int]] = []
        self.parts: list[tuple[int, bytes]] = []
        self.link = AgentLink(
            RECORD,
            {"process": "running", "execution_state": "idle"},
            self._hear,
            lambda: None,
            lambda link: None,
            lambda link, frame, size: self.calls.append((frame, size)),
            lambda link, last, part: self.parts.append((last, part)),
            logging.getLogger("test"),
        )

    def _hear(self, frame: str | bytes) -> Any:
        self.heard.append(json.loads(frame) if isinstance(frame, str) else frame)
        return _Sent()

    def message(self, stream: int, sequence: int) -> None:
        self.link.receive(struct.pack(">IQQ", stream, sequence, 0) + b"m%d" % sequence)

    def answer(self, **result: Any) -> None:
        command = self.heard[-1]
        self.link.receive(json.dumps({"type": "result", "id": command["id"], **result}))


def test_a_stream_gets_each_number_once_and_in_order() -> None:
    agent, page = Agent(), Page()
    stream = agent.link.open_stream(page, Opening("s", "n", 4))
    command = agent.heard[-1]
    assert command["epoch"] == 7
    assert (command["stream"], command["received"], command["session_id"]) == (stream, 4, "s")
    # Not yet open: what goes to everybody comes again among the missed messages.
    agent.message(0, 5)
    assert page.sequences == []
    agent.answer(ok=True, start=4, acknowledged=2, gap=None)
    assert page.opened_with == Opened(4, 2)
    agent.message(stream, 5)
    agent.message(stream, 6)
    agent.message(0, 6)
    agent.message(0, 9)
    agent.message(stream, 8)
    assert page.sequences == [5, 6, 9]
    agent.link.from_client(stream, struct.pack(">QQ", 1, 9) + b"x")
    assert agent.heard[-1] == struct.pack(">IQQ", stream, 1, 9) + b"x"
    agent.link.close_stream(stream)
    assert agent.heard[-1]["command"] == "close"
    agent.message(0, 10)
    assert page.sequences == [5, 6, 9]


def test_what_a_client_says_of_its_journal_reaches_the_agent_and_back() -> None:
    agent, page = Agent(), Page()
    stream = agent.link.open_stream(page, Opening("s", "n", 4, "ab" * 16, cursor=True))
    command = agent.heard[-1]
    assert {name: command[name] for name in ("stream", "nonce", "journal", "cursor")} == {
        "stream": stream,
        "nonce": "n",
        "journal": "ab" * 16,
        "cursor": True,
    }
    agent.answer(ok=True, start=0, acknowledged=2, gap=[1, 3], limit=100, journal="cd" * 16)
    assert page.opened_with == Opened(0, 2, (1, 3), 100, "cd" * 16)


def test_an_agent_knows_who_sends_over_a_stream_and_pages_who_has_used_the_kernel() -> None:
    agent, page = Agent(), Page()
    agent.link.open_stream(page, Opening("s", "n", cursor=True, user="ann"))
    assert agent.heard[-1]["user"] == "ann"
    people = {"process": 2, "users": ["ann", None], "number": 7}
    agent.answer(ok=True, start=0, acknowledged=0, gap=None, people=people)
    assert page.opened_with == Opened(0, 0, people=people)


def test_an_agent_knows_which_streams_are_one_person_s() -> None:
    agent = Agent()
    for user in ("ann", "bob", "ann"):
        agent.link.open_stream(Page(), Opening("s", "n", cursor=True, person=person_of(user)))
    ann, bob, again = (command["person"] for command in agent.heard[-3:])
    assert ann == again != bob
    assert len(ann) == len(bob) == 64


@pytest.mark.parametrize("gap", [[1], 5, [1, 2, 3], ["a", "b"]])
def test_a_gap_that_cannot_be_read_ends_the_connection(gap: Any) -> None:
    agent, page = Agent(), Page()
    agent.link.open_stream(page, Opening("s", "n"))
    with pytest.raises((ValueError, TypeError)):
        agent.answer(ok=True, start=0, acknowledged=0, gap=gap)


def test_a_stream_that_the_agent_closes_is_opened_again() -> None:
    agent, page, other = Agent(), Page(), Page()
    stream = agent.link.open_stream(page, Opening("s", "n", cursor=True))
    agent.answer(ok=True, start=0, acknowledged=0, gap=None)
    agent.link.open_stream(other, Opening("t", "m"))
    agent.answer(ok=True, start=0, acknowledged=0, gap=None)
    closed = {"type": "closed", "stream": stream, "reason": "the kernel was restarted"}
    agent.link.receive(json.dumps(closed))
    assert page.ended == (1012, "the kernel was restarted")
    assert other.ended is None
    assert agent.link.connections == 1
    agent.message(0, 5)
    assert (page.sequences, other.sequences) == ([], [5])
    agent.link.receive(json.dumps(closed))


@pytest.mark.parametrize(
    ("by", "reason"),
    [("ann", "the kernel was shut down by ann"), ("", "the kernel was deleted")],
)
def test_clients_of_a_kernel_that_is_shut_down_are_told_by_whom(by: str, reason: str) -> None:
    agent, page = Agent(), Page()
    agent.link.open_stream(page, Opening("s", "n", cursor=True))
    agent.answer(ok=True, start=0, acknowledged=0, gap=None)
    agent.link.deleted(by)
    agent.link.end("the connection has ended")
    assert (page.shut_down_by, page.ended) == (by, (4404, reason))


def test_an_acknowledgement_alone_is_passed_on() -> None:
    agent, page = Agent(), Page()
    frames: list[bytes] = []
    page.deliver = frames.append  # type: ignore[method-assign, assignment]
    stream = agent.link.open_stream(page, Opening("s", "n"))
    agent.answer(ok=True, start=4, acknowledged=0, gap=None)
    agent.link.receive(struct.pack(">IQQ", stream, 0, 3))
    assert frames == [struct.pack(">QQ", 0, 3)]


def test_a_call_of_the_kernel_is_passed_on_and_answered() -> None:
    agent = Agent()
    frame = json.dumps({"type": "call", "id": 3, "call": "x", "arguments": {}})
    agent.link.receive(frame)
    assert agent.calls == [(json.loads(frame), len(frame))]
    asyncio.run(agent.link.answer_call(3, {"ok": True, "result": {"y": 1}}))
    assert agent.heard == [{"type": "called", "id": 3, "ok": True, "result": {"y": 1}}]
    agent.link.end("gone")
    asyncio.run(agent.link.answer_call(4, {"ok": True, "result": {}}))
    assert len(agent.heard) == 1


def test_a_call_that_no_agent_sends_ends_the_connection() -> None:
    agent = Agent()
    with pytest.raises(ValueError, match="a call has"):
        agent.link.receive(json.dumps({"type": "call", "id": 1, "call": "x" * LONGEST_CALL}))
    assert agent.calls == []


def test_a_refused_stream_ends() -> None:
    agent, page = Agent(), Page()
    agent.link.open_stream(page, Opening("s", "n"))
    agent.answer(ok=False, message="no")
    assert page.ended == (1013, "no")
    assert agent.link.connections == 0


@pytest.mark.parametrize(("deleted", "code"), [(False, 1012), (True, 4404)])
def test_the_end_of_a_link_ends_its_streams(deleted: bool, code: int) -> None:
    agent, page = Agent(), Page()
    agent.link.open_stream(page, Opening("s", "n"))
    if deleted:
        agent.link.deleted()
    agent.link.end("gone")
    assert page.ended is not None
    assert page.ended[0] == code
    with pytest.raises(LinkLost):
        agent.link.open_stream(page, Opening("s", "n"))


def test_commands() -> None:
    async def run() -> None:
        agent = Agent()
        task = asyncio.ensure_future(agent.link.command("interrupt", seconds=1))
        await asyncio.sleep(0)
        agent.answer(ok=True, more=1)
        assert (await task)["more"] == 1
        task = asyncio.ensure_future(agent.link.command("restart", seconds=1))
        await asyncio.sleep(0)
        agent.answer(ok=False, message="the kernel does not start")
        with pytest.raises(CommandFailed, match="does not start"):
            await task
        with pytest.raises(LinkLost, match="did not answer"):
            await agent.link.command("interrupt", seconds=0.01)
        task = asyncio.ensure_future(agent.link.command("interrupt", seconds=1))
        await asyncio.sleep(0)
        agent.link.end("gone")
        with pytest.raises(LinkLost):
            await task

    skipped_time.run(run())


def test_what_the_agent_reports() -> None:
    agent = Agent()
    state = {
        "process": "dead",
        "execution_state": "busy",
        "reason": "it crashed",
        "last_activity": "2026-02-03T04:05:06.000007Z",
    }
    agent.link.receive(json.dumps({"type": "state", "state": state}))
    assert (agent.link.process, agent.link.execution_state) == ("dead", "dead")
    assert agent.link.reason == "it crashed"
    assert agent.link.last_activity == datetime(2026, 2, 3, 4, 5, 6, 7, UTC)
    agent.link.receive(json.dumps({"type": "of a later version"}))
    for nonsense in (b"short", "{", '{"type": "result"}', '{"type": "state"}'):
        with pytest.raises((ValueError, KeyError)):
            agent.link.receive(nonsense)


@pytest.mark.parametrize(
    "moment", ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"]
)
def test_an_impossible_time_of_an_agent_breaks_no_list_and_keeps_no_kernel_alive(
    moment: str,
) -> None:
    agent = Agent()
    state = {"process": "running", "execution_state": "idle"}
    state |= {"last_activity": moment, "last_work": moment}
    agent.link.receive(json.dumps({"type": "state", "state": state}))
    assert NOW <= agent.link.last_activity <= datetime.now(UTC)
    model = kernel_model(RECORD, agent.link, CullRules(60.0, True, False, 600.0, NOW))
    assert model["cull_at"] is not None


def test_a_text_of_an_agent_that_no_table_takes_is_cut() -> None:
    agent = Agent()
    state = {
        "process": "running",
        "execution_state": "\ud800" * 100,
        "reason": "\ud800" + "é" * 70_000,
    }
    agent.link.receive(json.dumps({"type": "state", "state": state}))
    assert agent.link.execution_state == "?" * 16
    assert agent.link.reason == "?" + "é" * 9_999


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        ("[]", "not a JSON object"),
        ('{"type": "state", "state": "running"}', "dictionary update sequence"),
        ('{"type": "state", "state": ' + "[" * 1000 + "]" * 1000 + "}", "levels deep"),
        ('{"type": "state", "state": ' + "[" * 100_000 + "]" * 100_000 + "}", "arrays and objects"),
        ('{"type": "state", "state": [' + "[]," * 100_000 + "[]]}", "arrays and objects"),
        ('{"type": "state", "state": {"reason": "' + "x" * 2**20 + '"}}', "at most"),
    ],
    ids=["list", "text", "deep", "very deep", "many", "long"],
)
def test_a_text_frame_that_is_no_object_or_too_much_is_an_error_and_changes_nothing(
    frame: str, words: str
) -> None:
    agent = Agent()
    before = agent.link.state
    with pytest.raises(ValueError, match=words):
        agent.link.receive(frame)
    assert agent.link.state == before


@pytest.mark.parametrize(
    "state",
    [
        {"reason": "\ud800"},
        {"reason": "x" * 1_000_000},
        {"execution_state": "\udfff" * 40},
        {"last_activity": "0001-01-01T00:00:00+14:00"},
        {"last_activity": "9999-12-31T23:59:59-14:00"},
    ],
)
def test_whatever_an_agent_says_can_be_stored(state: dict[str, Any]) -> None:
    agent = Agent()
    agent.link.receive(json.dumps({"type": "state", "state": {"process": "running", **state}}))
    seen = observation_of(agent.link)
    assert len(seen.reason.encode()) <= 65535
    assert len(seen.execution_state.encode()) <= 16
    assert seen.last_activity == NOW
    assert agent.link.last_activity == NOW


class Table:
    """Records that refuse what is said of some kernels, and are away for others."""

    def __init__(self, refused: str = "", away: str = "") -> None:
        self.refused, self.away = refused, away
        self.stored: list[str] = []

    async def observe(self, observations: Sequence[Observation]) -> None:
        ids = [one.kernel_id for one in observations]
        if self.refused in ids:
            raise ValueError("cannot be stored")
        if self.away in ids:
            raise DatabaseUnavailable("away")
        self.stored += ids


def links_to(table: Table, *kernel_ids: str) -> AgentLinks:
    links = AgentLinks(table, logging.getLogger("test"))  # type: ignore[arg-type]
    for kernel_id in kernel_ids:
        link = Agent().link
        link.record = replace(RECORD, kernel_id=kernel_id)
        links.add(link)
    return links


def test_a_state_that_cannot_be_stored_keeps_no_other_kernels_state_from_being_stored() -> None:
    table = Table(refused="bad")
    links = links_to(table, "a", "bad", "b")
    asyncio.run(links.write())
    assert table.stored == ["a", "b"]


def test_states_that_were_not_stored_are_stored_when_the_database_is_back() -> None:
    table = Table(refused="bad", away="b")
    links = links_to(table, "a", "bad", "b", "c")
    with pytest.raises(DatabaseUnavailable):
        asyncio.run(links.write())
    assert table.stored == ["a"]
    table.away = ""
    asyncio.run(links.write())
    assert sorted(table.stored) == ["a", "b", "c"]


POOLED = {"process": "running", "execution_state": "idle", "pooled": True}


def claimed_link(agent: Agent) -> AgentLink:
    """The link of a kernel that was in a pool and has just become somebody's."""
    link = agent.link
    link.record = replace(RECORD, kernel_id="member", project="", pool="shape")
    link.state = dict(POOLED)
    assert link.pooled
    assert not link.must_learn_claim
    link.claimed(replace(RECORD, epoch=8, launch_id="member"))
    return link


def test_a_claimed_kernel_starts_until_its_agent_knows_whose_it_is() -> None:
    link = claimed_link(Agent())
    assert (link.kernel_id, link.must_learn_claim, link.pooled) == ("id", True, False)
    seen = observation_of(link)
    assert (seen.kernel_id, seen.epoch, seen.state, seen.execution_state) == (
        "id",
        8,
        None,
        "starting",
    )


def test_nothing_reaches_an_agent_before_it_knows_whose_kernel_it_is() -> None:
    async def scenario() -> None:
        agent, page = Agent(), Page()
        link = claimed_link(agent)
        stream = link.open_stream(page, Opening("s", "n"))
        assert agent.heard == []
        telling = asyncio.ensure_future(link.tell_claim({"kernel_id": "id"}, seconds=5))
        await asyncio.sleep(0)
        [claim] = agent.heard
        assert (claim["command"], claim["epoch"], claim["raised"]) == ("claim", 7, 8)
        assert claim["document"] == {"kernel_id": "id"}
        link.receive(json.dumps({"type": "result", "id": claim["id"], "ok": True}))
        await telling
        opened = agent.heard[1]
        assert (opened["command"], opened["epoch"], opened["stream"]) == ("open", 8, stream)
        assert not link.must_learn_claim

    asyncio.run(scenario())


def test_an_interrupt_of_a_claimed_kernel_reaches_the_clients_with_whom_everything_waits() -> None:
    agent, page = Agent(), Page()
    link = claimed_link(agent)
    assert Place("id", "demo", 8, link, None, None).is_launching
    link.open_stream(page, Opening("s", "n"))
    assert link.interrupt_waiting()
    assert (page.interrupts, agent.heard) == (1, [])


def test_an_interrupt_of_an_agent_reaches_clients_whose_streams_are_not_open() -> None:
    agent, open_page, page = Agent(), Page(), Page()
    agent.link.open_stream(open_page, Opening("s", "n"))
    agent.answer(ok=True, start=0, acknowledged=0, gap=None)
    agent.link.open_stream(page, Opening("t", "n"))
    assert not agent.link.interrupt_waiting()
    assert (open_page.interrupts, page.interrupts) == (0, 1)


@pytest.mark.parametrize(
    ("process", "launching"), [("starting", True), ("running", False), ("restarting", False)]
)
def test_a_connected_agent_says_whether_its_kernel_is_being_launched(
    process: str, launching: bool
) -> None:
    link = Agent().link
    link.state = {"process": process}
    assert Place("id", "demo", 7, link, None, None).is_launching is launching


def test_each_restart_is_reported_until_it_is_written() -> None:
    link = Agent().link
    for restarts, reason in enumerate(("killed", "exit 3"), 1):
        state = {"process": "restarting", "restarts": restarts, "reason": reason}
        link.receive(json.dumps({"type": "state", "state": state}))
    assert observation_of(link).ended == ("killed", "exit 3")
    link.not_written(("killed", "exit 3"))
    assert observation_of(link).ended == ("killed", "exit 3")
    assert observation_of(link).ended == ()


def test_an_agent_that_cannot_become_the_kernel_is_dead_with_the_reason() -> None:
    link = claimed_link(Agent())
    link.claim_failed("it has no such folder")
    assert (link.process, link.execution_state, link.reason) == (
        "dead",
        "dead",
        "it has no such folder",
    )


def test_a_link_is_found_under_the_kernel_that_it_has_become() -> None:
    async def scenario() -> None:
        agent = Agent()
        link = agent.link
        link.record = replace(RECORD, kernel_id="member", pool="shape")
        link.state = dict(POOLED)
        records: Any = None
        links = AgentLinks(records, logging.getLogger("test"))
        links.add(link)
        links.claimed(link, replace(RECORD, epoch=8, launch_id="member"))
        assert links.get("member") is None
        assert links.get("id") is link

    asyncio.run(scenario())


def test_an_agent_is_left_alone_while_its_record_becomes_a_user_s() -> None:
    link = Agent().link
    assert link.overtaken({})
    link.being_claimed = True
    assert not link.overtaken({})


def test_a_part_of_the_journal_is_no_message_and_goes_to_no_client() -> None:
    agent = Agent()
    agent.link.receive(struct.pack(">IQQ", JOURNAL_PART, 7, 0) + b"part")
    assert agent.parts == [(7, b"part")]
    agent.link.answer_part(7, {"ok": True})
    assert agent.heard == [{"type": "kept", "last": 7, "ok": True}]
