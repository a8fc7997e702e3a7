"""When a gateway gets a ticket for a kernel, and for which kernels it gets none."""

import asyncio
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway_ext.kernels.agents import agent_tickets as module
from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.agent_tickets import AgentTickets, needs_ticket
from gateway_ext.kernels.agents.lab_calls import LabCalls
from tests.servers.scripted_http import Answer, ScriptedServer
from tests.unit.gateway_ext.kernels.agents.test_links import RECORD

LOG = logging.getLogger("test")


class Link:
    """An agent's link that keeps which tickets its agent gets."""

    def __init__(self, **changes: Any) -> None:
        self.record = replace(RECORD, **changes)
        self.kernel_id = self.record.kernel_id
        self.pooled = self.must_learn_claim = self.wants_ticket = self.lost = False
        self.given: list[dict[str, Any]] = []

    def give_ticket(self, document: dict[str, Any]) -> None:
        self.given.append(document)

    async def until(self, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.given) < count:  # noqa: ASYNC110 (nobody tells)
                await asyncio.sleep(0.01)


def as_link(link: Link) -> AgentLink:
    return cast(AgentLink, link)


def test_a_ticket_is_got_at_once_when_asked_for_and_in_time() -> None:
    link = Link()
    assert needs_ticket(as_link(link), float("-inf"), 0.0)
    assert not needs_ticket(as_link(link), 10.0, 9.9)
    assert needs_ticket(as_link(link), 10.0, 10.0)
    link.wants_ticket = True
    assert needs_ticket(as_link(link), 10.0, 0.0)
    link.must_learn_claim = True
    assert not needs_ticket(as_link(link), 10.0, 20.0)
    link.pooled, link.must_learn_claim = True, False
    assert not needs_ticket(as_link(link), 10.0, 20.0)


class Office:
    """Tickets of one lab for one kernel."""

    def __init__(self, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("the gateway's\n")
        self.lab = ScriptedServer()
        self.link = Link(kernel_id="k-9", project="demo", username="ada", epoch=4)
        labs = LabCalls([self.lab.url], str(tmp_path / "token"), 4)
        self.tickets = AgentTickets(labs, ["http://front/"], LOG)

    def issue(self, *answers: Answer) -> None:
        self.lab.script("POST", "/api/fleet/kernels/k-9/ticket", *answers)

    def run(self, count: int, *, again: bool = False) -> None:
        """Until the agent has so many tickets."""

        async def scenario() -> None:
            running = asyncio.create_task(self.tickets.run([as_link(self.link)]))
            try:
                await self.link.until(1)
                self.link.wants_ticket = again
                await self.link.until(count)
            finally:
                running.cancel()
                await asyncio.gather(running, return_exceptions=True)

        asyncio.run(scenario())


@pytest.fixture
def office(tmp_path: Path) -> Any:
    office = Office(tmp_path)
    yield office
    office.lab.stop()


def ticket(name: str, seconds: float = 900.0) -> Answer:
    return Answer(200, {"ticket": name, "seconds": seconds})


def test_a_lab_is_told_of_the_kernel_and_the_agent_of_the_ticket(office: Office) -> None:
    office.issue(ticket("t-1"))
    office.run(1)
    (request,) = office.lab.requests
    assert request.headers["authorization"] == "Bearer the gateway's"
    assert (request.body["project"], request.body["user"]) == ("demo", "ada")
    assert (request.body["role"], request.body["epoch"]) == ("editor", 4)
    assert office.link.given == [
        {"kernel_id": "k-9", "ticket": "t-1", "seconds": 900.0, "urls": ["http://front"]}
    ]


def test_the_last_two_tickets_of_a_link_are_known(office: Office) -> None:
    office.issue(*(ticket(f"t-{number}", 0.2) for number in range(1, 20)))
    office.run(3)
    given = [one["ticket"] for one in office.link.given]
    link = as_link(office.link)
    assert office.tickets.was_given(link, given[-1])
    assert office.tickets.was_given(link, given[-2])
    assert not office.tickets.was_given(link, "t-1")
    assert not office.tickets.was_given(as_link(Link()), given[-1])


def test_an_agent_that_asks_gets_another_ticket(office: Office) -> None:
    office.issue(ticket("t-1"), ticket("t-2"))
    office.run(2, again=True)
    assert [one["ticket"] for one in office.link.given] == ["t-1", "t-2"]
    assert not office.link.wants_ticket


def test_an_agent_that_asks_while_labs_are_away_gets_one_when_they_are_back(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.1)
    office.issue(ticket("t-1"), Answer(503), ticket("t-2"))
    office.run(2, again=True)
    assert [one["ticket"] for one in office.link.given] == ["t-1", "t-2"]


@pytest.mark.parametrize("problem", [Answer(503), Answer(403), Answer(200, {"no": "ticket"})])
def test_labs_that_issue_none_are_asked_again_later(
    office: Office, problem: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(module, "_REFUSED_SECONDS", 0.1)
    office.issue(problem, problem, ticket("t-1"))
    office.run(1)
    assert len(office.lab.requests) == 3


def test_a_kernel_that_labs_refuse_a_ticket_keeps_no_other_waiting(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_REFUSED_SECONDS", 3600.0)
    office.lab.script("POST", "/api/fleet/kernels/k-9/ticket", Answer(400), forever=True)
    other = Link(kernel_id="k-10")
    office.lab.script("POST", "/api/fleet/kernels/k-10/ticket", ticket("t-1"), ticket("t-2"))

    async def scenario() -> None:
        links = [as_link(office.link)]
        running = asyncio.create_task(office.tickets.run(links))
        try:
            async with asyncio.timeout(20):
                while not office.lab.requests:  # noqa: ASYNC110 (nobody tells)
                    await asyncio.sleep(0.01)
                # The answer has come when it may be asked for again.
                while office.tickets._held[links[0]].being_asked_for:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
            links.append(as_link(other))
            await other.until(1)
            other.wants_ticket = True
            await other.until(2)
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    asyncio.run(scenario())
    asked = [request.path.split("/")[-2] for request in office.lab.requests]
    assert (asked.count("k-9"), asked.count("k-10")) == (1, 2)


def test_without_labs_or_a_token_nothing_is_asked(tmp_path: Path) -> None:
    for labs in (LabCalls([], "token", 1), LabCalls(["http://lab"], "", 1)):
        asyncio.run(AgentTickets(labs, [], LOG).run([as_link(Link())]))
