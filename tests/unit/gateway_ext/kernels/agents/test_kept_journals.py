"""How a gateway passes parts of journals on to labs."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from gateway_ext.kernels.agents import kept_journals as module
from gateway_ext.kernels.agents.agent_link import AgentLink
from gateway_ext.kernels.agents.kept_journals import KeptJournals
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES
from tests.servers.scripted_http import Answer, ScriptedServer
from tests.unit.gateway_ext.kernels.agents.test_links import RECORD

LOG = logging.getLogger("test")
PART = b'"a part"'
"""The scripted labs read JSON."""


class Link:
    """An agent's link that keeps what its agent is told."""

    def __init__(self, **changes: Any) -> None:
        self.record = replace(RECORD, **changes)
        self.pooled = self.record.pool is not None
        self.answers: list[tuple[int, dict[str, Any]]] = []
        self._new = asyncio.Semaphore(0)

    def answer_part(self, last: int, answer: dict[str, Any]) -> None:
        self.answers.append((last, answer))
        self._new.release()

    async def answered(self) -> list[tuple[int, dict[str, Any]]]:
        """All answers, one of which is new."""
        await asyncio.wait_for(self._new.acquire(), 20)
        return self.answers


def send(journals: KeptJournals, link: Link, last: int = 1, part: bytes = PART) -> None:
    journals.receive(cast(AgentLink, link), last, part)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PAUSE", 0.0)


@pytest.fixture
def token(tmp_path: Path) -> str:
    file = tmp_path / "token"
    file.write_text("the token\n")
    return str(file)


def test_without_labs_or_token_nothing_is_kept() -> None:
    assert not KeptJournals([], "token", LOG).keeps
    assert not KeptJournals(["http://lab"], "", LOG).keeps
    with pytest.raises(ValueError, match="not asked for"):
        send(KeptJournals([], "", LOG), Link())


def test_a_part_goes_to_the_first_lab_that_keeps_it_with_what_the_record_says(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        labs[0].script("POST", "/api/fleet/kernels/k-9/journal", Answer(503, {"message": "away"}))
        labs[1].script("POST", "/api/fleet/kernels/k-9/journal", Answer(200), Answer(200))
        journals = KeptJournals([lab.url for lab in labs], token, LOG)
        link = Link(kernel_id="k-9", project="demo", path="demo/ä b.ipynb", username="ada")
        send(journals, link, 7)
        assert await link.answered() == [(7, {"ok": True})]
        # The next one goes to the lab that answered.
        send(journals, link, 9)
        assert (await link.answered())[1] == (9, {"ok": True})
        (request, _) = labs[1].requests
        assert request.query["project"] == "demo"
        assert request.query["path"] == "demo/ä b.ipynb"
        assert request.query["username"] == "ada"
        assert request.headers["authorization"] == "Bearer the token"
        assert len(labs[0].requests) == 1

    run(scenario, 2)


def test_a_part_is_refused_while_too_many_bytes_wait(
    token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_WAITING_BYTES", len(PART))

    async def scenario(labs: list[ScriptedServer]) -> None:
        for kernel in ("k", "other"):
            labs[0].script("POST", f"/api/fleet/kernels/{kernel}/journal", Answer(200))
        journals = KeptJournals([labs[0].url], token, LOG)
        link, other = Link(kernel_id="k"), Link(kernel_id="other")
        send(journals, link)
        send(journals, other)
        ((_, refused),) = await other.answered()
        assert refused["ok"] is False
        assert await link.answered() == [(1, {"ok": True})]
        # There is room again.
        send(journals, other)
        assert (await other.answered())[1] == (1, {"ok": True})

    run(scenario, 1)


def test_an_agent_is_told_when_no_lab_keeps_a_part(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        labs[0].script("POST", "/api/fleet/kernels/k/journal", Answer(503, {"message": "no store"}))
        link = Link(kernel_id="k")
        journals = KeptJournals(["http://127.0.0.1:1", labs[0].url], token, LOG)
        send(journals, link, 7)
        ((last, answer),) = await link.answered()
        assert (last, answer["ok"]) == (7, False)
        assert answer["seconds"] > 0
        assert "no store" in answer["message"]

    run(scenario, 1)


def test_a_part_that_comes_again_before_its_answer_is_not_passed_on_twice(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        labs[0].script("POST", "/api/fleet/kernels/k/journal", Answer(200, delay=0.2))
        link = Link(kernel_id="k")
        journals = KeptJournals([labs[0].url], token, LOG)
        send(journals, link)
        send(journals, link)
        assert await link.answered() == [(1, {"ok": True})]
        assert len(labs[0].requests) == 1

    run(scenario, 1)


def test_an_agent_that_connects_again_is_answered_at_its_new_link(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        labs[0].script("POST", "/api/fleet/kernels/k/journal", Answer(200, delay=0.5))
        cut, link = Link(kernel_id="k"), Link(kernel_id="k")
        journals = KeptJournals([labs[0].url], token, LOG)
        send(journals, cut)
        send(journals, link)
        assert await link.answered() == [(1, {"ok": True})]
        assert cut.answers == []
        assert len(labs[0].requests) == 1

    run(scenario, 1)


def test_another_part_of_a_kernel_waits_until_the_first_one_is_kept(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        labs[0].script("POST", "/api/fleet/kernels/k/journal", Answer(200, delay=0.5))
        first, second = Link(kernel_id="k"), Link(kernel_id="k")
        journals = KeptJournals([labs[0].url], token, LOG)
        send(journals, first)
        send(journals, second, part=b'"another"')
        ((_, refused),) = await second.answered()
        assert refused["ok"] is False
        assert await first.answered() == [(1, {"ok": True})]
        assert len(labs[0].requests) == 1

    run(scenario, 1)


def test_no_part_is_kept_of_a_kernel_in_a_pool_or_beyond_the_limit(token: str) -> None:
    async def scenario(labs: list[ScriptedServer]) -> None:
        journals = KeptJournals([labs[0].url], token, LOG)
        link = Link(pool="shape")
        send(journals, link)
        ((_, answer),) = await link.answered()
        assert answer["ok"] is False
        with pytest.raises(ValueError, match="not asked for"):
            send(journals, Link(), part=bytes(MOST_PART_BYTES + 1))
        assert labs[0].requests == []

    run(scenario, 1)


def run(scenario: Callable[[list[ScriptedServer]], Coroutine[Any, Any, None]], labs: int) -> None:
    servers = [ScriptedServer() for _ in range(labs)]
    try:
        asyncio.run(scenario(servers))
    finally:
        for server in servers:
            server.stop()
