"""How an agent calls labs with its ticket: straight, else through its gateway, else not at all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest, HTTPResponse

from gateway_ext.agent import lab_client as module
from gateway_ext.agent.lab_client import LabClient, LabsAway
from gateway_ext.agent.tail import ways as ways_module
from gateway_ext.agent.tail.ways import InLink, WithTicket, best
from jupyter_ext.wire.routes import JOURNAL_ROUTE
from tests.servers.ports import free_ports
from tests.servers.scripted_http import Answer, ScriptedServer

PATH = "/api/fleet/kernels/k-1/journal"
PART = b'"a part"'
"""The scripted servers read JSON."""


class Servers:
    """The front's listener for kernels and the kernel's gateway, and the agent's calls."""

    def __init__(self) -> None:
        self.front, self.gateway = ScriptedServer(), ScriptedServer()
        self.changes = 0
        self.asked: list[dict[str, object]] = []
        self.labs = LabClient(self.changed)
        self.labs.connected(self.gateway.url, self.asked.append)

    def changed(self) -> None:
        self.changes += 1

    def give(self, *urls: str, token: str = "t-1", seconds: float = 900.0) -> None:
        self.labs.given(
            {"kernel_id": "k-1", "ticket": token, "seconds": seconds, "urls": list(urls)}
        )

    def answer(self, server: ScriptedServer, *answers: Answer) -> None:
        server.script("POST", PATH, *answers)

    async def call(self, seconds: float = 20.0) -> module.Answer:
        return await self.labs.call("POST", JOURNAL_ROUTE, PART, seconds)

    def stop(self) -> None:
        self.front.stop()
        self.gateway.stop()


def with_servers(test: Callable[[Servers], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test with both of them."""

    # Without functools.wraps, by which pytest would look for a fixture.
    def run() -> None:
        servers = Servers()
        try:
            asyncio.run(test(servers))
        finally:
            servers.stop()

    return run


@with_servers
async def test_a_call_goes_straight_to_labs_with_the_ticket(servers: Servers) -> None:
    servers.give(servers.front.url + "/")
    servers.answer(servers.front, Answer(200))
    assert (await servers.call()).status == 200
    (request,) = servers.front.requests
    assert request.headers["authorization"] == "Bearer t-1"
    assert (servers.gateway.requests, servers.changes) == ([], 1)


@with_servers
async def test_without_an_address_of_labs_it_goes_through_the_gateway(servers: Servers) -> None:
    servers.give()
    servers.answer(servers.gateway, Answer(200))
    assert (await servers.call()).status == 200


@with_servers
async def test_an_address_that_does_not_answer_is_the_last_one_for_a_while(
    servers: Servers,
) -> None:
    (port,) = free_ports(1)
    servers.give(f"http://127.0.0.1:{port}")
    servers.answer(servers.gateway, Answer(200), Answer(503))
    assert (await servers.call()).status == 200
    with pytest.raises(LabsAway) as raised:
        await servers.call()
    # The address was tried after the gateway.
    assert f"127.0.0.1:{port}" in str(raised.value)
    assert len(servers.gateway.requests) == 2


@with_servers
async def test_an_address_that_says_nothing_costs_one_call_its_time(servers: Servers) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(200, delay=5.0))
    servers.answer(servers.gateway, Answer(200), Answer(200))
    for _ in range(2):
        assert (await servers.call(seconds=0.5)).status == 200
    assert len(servers.front.requests) == 1


@with_servers
async def test_labs_that_are_away_behind_one_way_are_asked_on_the_other(servers: Servers) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(503), Answer(200))
    servers.answer(servers.gateway, Answer(200))
    assert (await servers.call()).status == 200
    assert len(servers.gateway.requests) == 1
    # It answered: it is not avoided.
    await servers.call()
    assert len(servers.front.requests) == 2


@with_servers
async def test_a_front_that_has_waited_for_slow_labs_in_vain_is_the_last_one_for_a_while(
    servers: Servers,
) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(504))
    servers.answer(servers.gateway, Answer(200), Answer(200))
    for _ in range(2):
        assert (await servers.call()).status == 200
    assert (len(servers.front.requests), len(servers.gateway.requests)) == (1, 2)


@pytest.mark.parametrize("status", [301, 308, 400, 403, 413, 431, 500])
def test_what_a_proxy_in_between_refuses_is_asked_on_the_other_way(status: int) -> None:
    @with_servers
    async def scenario(servers: Servers) -> None:
        servers.give(servers.front.url)
        servers.answer(servers.front, Answer(status))
        servers.answer(servers.gateway, Answer(200))
        assert (await servers.call()).status == 200

    scenario()


@with_servers
async def test_what_a_lab_refuses_is_not_asked_twice(servers: Servers) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(409, {"message": "an earlier owner"}))
    answer = await servers.call()
    assert answer.status == 409
    assert "an earlier owner" in answer.words
    assert servers.gateway.requests == []


@with_servers
async def test_a_ticket_that_is_not_known_is_given_up_and_another_asked_for(
    servers: Servers,
) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(401), Answer(200))
    servers.answer(servers.gateway, Answer(401))
    with pytest.raises(LabsAway):
        await servers.call()
    assert servers.asked == [{"type": "ticket"}]
    assert not servers.labs.possible
    servers.give(servers.front.url, token="t-2")
    assert servers.labs.possible
    await servers.call()
    assert servers.front.requests[-1].headers["authorization"] == "Bearer t-2"


@with_servers
async def test_a_ticket_that_came_during_a_call_is_not_given_up(servers: Servers) -> None:
    servers.give(servers.front.url)
    servers.answer(servers.front, Answer(401), Answer(200))
    servers.answer(servers.gateway, Answer(401))
    fetch = servers.labs._fetch

    async def renewed_meanwhile(request: HTTPRequest) -> HTTPResponse:
        response = await fetch(request)
        servers.give(servers.front.url, token="t-2")
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers.labs, "_fetch", renewed_meanwhile)
        with pytest.raises(LabsAway):
            await servers.call()
    assert servers.asked == []
    assert (await servers.call()).status == 200
    assert servers.front.requests[-1].headers["authorization"] == "Bearer t-2"


@with_servers
async def test_a_ticket_serves_for_its_time_and_without_a_gateway_too(servers: Servers) -> None:
    assert not servers.labs.possible
    servers.give(servers.front.url)
    servers.labs.disconnected()
    servers.answer(servers.front, Answer(200))
    assert (await servers.call()).status == 200
    servers.give()
    assert not servers.labs.possible
    servers.give(servers.front.url, seconds=0.0)
    assert not servers.labs.possible
    with pytest.raises(LabsAway):
        await servers.call()


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel_id": None},
        {"ticket": 5},
        {"ticket": "ü"},
        {"seconds": "900"},
        {"urls": "http://x"},
    ],
)
def test_a_ticket_that_cannot_be_read_changes_nothing(wrong: dict[str, Any]) -> None:
    labs = LabClient(lambda: None)
    labs.connected("http://gateway", lambda frame: None)
    good = {"kernel_id": "k-1", "ticket": "t", "seconds": 60, "urls": ["file:///x", 5]}
    labs.given({**good, **wrong})
    assert not labs.possible
    labs.given(good)
    assert labs.possible


@with_servers
async def test_a_part_is_kept_or_is_to_be_sent_again(servers: Servers) -> None:
    with pytest.MonkeyPatch.context() as slower:
        slower.setattr(ways_module, "_PACE_SECONDS", 0.2)
        way = WithTicket(servers.labs)
        servers.give(servers.front.url)
        assert way.possible
        servers.answer(servers.front, *[Answer(200)] * 3, Answer(409, {"message": "no"}))
        begun = time.monotonic()
        for _ in range(3):
            assert await way.send(1, PART) is None
        # It leaves labs to others now and then.
        assert time.monotonic() - begun >= 0.4
    refused = await way.send(1, PART)
    assert refused is not None
    assert refused.message.startswith("409")
    servers.front.stop()
    servers.labs.disconnected()
    first, second = await way.send(1, PART), await way.send(1, PART)
    assert first is not None
    assert second is not None
    assert 0 < first.seconds < second.seconds


@with_servers
async def test_parts_that_no_lab_answers_go_in_the_agent_s_connection_for_a_while(
    servers: Servers,
) -> None:
    async def send(frame: bytes) -> None:
        raise AssertionError

    with pytest.MonkeyPatch.context() as shorter:
        shorter.setattr(ways_module, "_PACE_SECONDS", 0.0)
        way, link = WithTicket(servers.labs), InLink(lambda: None)
        link.connected(send, keeps=True)
        assert best(way, link) is link
        servers.give(servers.front.url)
        servers.answer(servers.front, *[Answer(404)] * 4, Answer(200), Answer(404))
        servers.answer(servers.gateway, *[Answer(404)] * 5)
        for _ in range(3):
            assert best(way, link) is way
            assert await way.send(1, PART) is not None
        assert best(way, link) is link
        # A gateway that takes no parts, or is gone: there is no other way.
        link.disconnected()
        assert best(way, link) is way
        link.connected(send, keeps=True)
        clock = time.monotonic() + ways_module._AROUND_SECONDS
        shorter.setattr(ways_module, "time", SimpleNamespace(monotonic=lambda: clock))
        # One try is enough to know that nothing has changed, or that everything is well.
        assert best(way, link) is way
        assert await way.send(1, PART) is not None
        assert best(way, link) is link
        clock += ways_module._AROUND_SECONDS
        assert await way.send(1, PART) is None
        assert await way.send(1, PART) is not None
        assert best(way, link) is way
