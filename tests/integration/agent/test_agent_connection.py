"""The agent when gateways break, freeze, lie, hand over and come back."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from tests.integration.agent.scripted_gateway import (
    Fleet,
    Link,
    ScriptedGateway,
    Stream,
    proof,
    until,
)

COUNT = "import time\nfor i in range(40): print(i, flush=True); time.sleep(0.05)"
COUNTED = "".join(f"{i}\n" for i in range(40))


def freeze(link: Link) -> None:
    """From now on take bytes and answer nothing, not even pings, as a stopped process does."""
    # Tornado reads the next frame when on_message returns.
    link.handler.on_message = lambda message: asyncio.sleep(3600)  # type: ignore[method-assign]


def test_a_cell_that_prints_while_its_gateway_dies_loses_no_line(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        pid = link.state["pid"]
        page = Stream("page")
        await page.open(link)
        cell = await page.execute(COUNT)
        await until(lambda: len(page.text(cell)) > 10, 30, "some lines")
        begun = time.monotonic()
        first.close()
        later = await second.link()
        assert time.monotonic() - begun < 5
        assert later.hello["epoch"] == link.epoch
        assert later.hello["state"]["execution_state"] == "busy"
        assert later.hello["state"]["pid"] == pid
        # It prints on while its page is away.
        other = Stream("other")
        await other.open(later)
        await until(lambda: other.text(cell), 30, "more lines")
        await page.open(later)
        await page.reply(cell)
        assert page.text(cell) == COUNTED
        assert len(page.of(cell, "execute_reply")) == 1

    asyncio.run(scenario())


def test_an_agent_proves_who_it_is_when_it_dials(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        first.close()
        later = await second.link()
        nonces = set()
        for one in (link, later):
            header = one.handler.request.headers["X-Fleet-Agent-Proof"]
            version, when, nonce, given = header.split(" ")
            assert (version, len(nonce)) == ("1", 32)
            assert given == proof("dial", 1, one.hello["kernel_id"], when, nonce)
            assert abs(time.time() - int(when)) < 60
            nonces.add(nonce)
        assert len(nonces) == 2

    asyncio.run(scenario())


def test_a_session_that_names_no_number_gets_what_it_has_not_acknowledged(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        await page.run("print('before')")
        await page.acknowledge()
        acknowledged = page.received
        cell = await page.execute("print('after')")
        await page.reply(cell)
        # The same session from a new end that remembers nothing.
        reloaded = Stream("page")
        opened = await reloaded.open(link)
        assert opened["start"] == acknowledged
        assert opened["acknowledged"] == 0
        await until(lambda: reloaded.of(cell, "execute_reply"), 30, "the reply again")
        assert reloaded.text(cell) == "after\n"
        # A session that was never there begins with what comes from now on.
        stranger = Stream("stranger")
        await stranger.open(link)
        # What is said to pages alone has a number too.
        assert stranger.opened["start"] >= page.received
        assert not stranger.messages
        # One that speaks of numbers that there never were has nothing of this journal.
        lost = Stream("lost")
        assert (await lost.open(link, received=10**6))["start"] == 0

    asyncio.run(scenario())


def test_two_streams_of_one_session_both_get_its_replies(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        # A duplicated browser tab has its original's session id.
        tab, copy = Stream("page"), Stream("page")
        await tab.open(link)
        await copy.open(link)
        # Each end counts its own messages: the second's first is not the first's again.
        for number, end in enumerate((tab, copy)):
            cell = await end.execute(f"print('cell', {number})")
            for reader in (tab, copy):
                await reader.reply(cell)
                assert reader.text(cell) == f"cell {number}\n"

    asyncio.run(scenario())


def test_a_client_message_that_is_sent_again_is_executed_once(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        await page.run("n = 0")
        cell = await page.execute("n += 1")
        await page.send_again(2)
        await page.reply(cell)
        await until(lambda: page.acknowledged == 2, 30, "taken")
        first.close()
        later = await second.link()
        assert (await page.open(later))["acknowledged"] == 2
        await page.send_again(2)
        assert await page.run("print(n)") == "1\n"

    asyncio.run(scenario())


def test_a_frozen_gateway_is_left_within_the_time_out(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        second = fleet.gateway()
        link = await fleet.running(ping_timeout=2)
        page = Stream("page")
        await page.open(link)
        cell = await page.execute(COUNT)
        await until(lambda: page.text(cell), 30, "a line")
        freeze(link)
        begun = time.monotonic()
        later = await second.link()
        # The kernel goes on printing meanwhile: bytes that the frozen one's machine takes
        # must not pass for life.
        assert 1.5 < time.monotonic() - begun < 8
        await page.open(later)
        await page.reply(cell)
        assert page.text(cell) == COUNTED

    asyncio.run(scenario())


def test_a_gateway_frozen_before_its_challenge_does_not_hold_the_agent(fleet: Fleet) -> None:
    async def scenario() -> None:
        silent = await asyncio.start_server(lambda r, w: asyncio.sleep(3600), "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        gateway = fleet.gateway()
        begun = time.monotonic()
        fleet.start(gateways=[f"http://127.0.0.1:{port}", gateway.url], ping_timeout=1)
        await gateway.link()
        assert time.monotonic() - begun < 15
        silent.close()

    asyncio.run(scenario())


def test_handover_leads_to_the_gateway_that_was_named(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        second, third = fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        cell = await page.execute(COUNT)
        await until(lambda: page.text(cell), 30, "a line")
        begun = time.monotonic()
        await link.command("handover", gateways=[third.url, second.url])
        later = await third.link()
        assert time.monotonic() - begun < 4
        await until(link.closed.is_set, 30, "the old connection is closed")
        await page.open(later)
        await page.reply(cell)
        assert page.text(cell) == COUNTED
        assert second.hellos == []

    asyncio.run(scenario())


def test_a_deleted_kernel_and_its_directory_go(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        second.answer = second.deleted
        first.close()
        await fleet.agent_ends()
        assert not fleet.directory.exists()
        assert link.closed.is_set()

    asyncio.run(scenario())


def stale(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return gateway.welcome(hello, hello["epoch"])


def older(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return gateway.welcome(hello, hello["epoch"] - 1)


def forged(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return gateway.welcome(hello, 99) | {"proof": proof("welcome", "other", hello["nonce"], 99)}


def replayed(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return gateway.welcome(hello | {"nonce": "0" * 32}, 99)


def deleted_without_key(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return {"type": "deleted", "proof": "0" * 64}


def nonsense(gateway: ScriptedGateway, hello: dict[str, Any]) -> dict[str, Any]:
    return {"type": "welcome", "epoch": "99", "proof": None}


@pytest.mark.parametrize(
    "lie", [stale, older, forged, replayed, deleted_without_key, nonsense], ids=lambda f: f.__name__
)
def test_a_gateway_without_a_right_to_it_is_not_obeyed(fleet: Fleet, lie: Any) -> None:
    async def scenario() -> None:
        first, second, third = fleet.gateway(), fleet.gateway(), fleet.gateway()
        link = await fleet.running()
        second.answer = lambda hello, epoch: lie(second, hello)
        first.close()
        later = await third.link()
        assert len(second.hellos) == 1
        assert later.hello["epoch"] == link.epoch
        page = Stream("page")
        await page.open(later)
        assert await page.run("print('alive')") == "alive\n"
        if not second.links.empty():
            await until(second.links.get_nowait().closed.is_set, 30, "the liar was left")

    asyncio.run(scenario())


def test_a_command_with_another_epoch_is_refused(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        for epoch in (link.epoch - 1, link.epoch + 1):
            result = await link.command_frame(epoch, "shutdown", now=True)
            assert not result["ok"]
            assert "epoch" in result["message"]
        unknown = await link.command_frame(link.epoch, "dance")
        assert not unknown["ok"]
        assert "dance" in unknown["message"]
        page = Stream("page")
        await page.open(link)
        assert await page.run("print('alive')") == "alive\n"

    asyncio.run(scenario())


def test_a_refused_agent_learns_of_others_and_comes_back(fleet: Fleet) -> None:
    async def scenario() -> None:
        first = fleet.gateway()
        unknown = ScriptedGateway(fleet.kernel_id, lambda: 7)
        first.answer = lambda hello, epoch: {
            "type": "refused",
            "reason": "draining",
            "message": "about to end",
            "gateways": [unknown.url],
        }
        fleet.start()
        link = await unknown.link()
        assert link.epoch == 7
        first.answer = first.welcome
        fleet._epoch = 7
        unknown.close()
        assert (await first.link()).hello["epoch"] == 7

    asyncio.run(scenario())


def test_a_gateway_that_comes_back_after_a_while_finds_the_kernel(fleet: Fleet) -> None:
    async def scenario() -> None:
        only = fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        await page.run("x = 41")
        refused = 0

        def away(hello: dict[str, Any], epoch: int) -> dict[str, Any]:
            nonlocal refused
            refused += 1
            if refused > 3:
                return only.welcome(hello, epoch)
            return {"type": "refused", "reason": "database", "message": "away", "gateways": []}

        only.answer = away
        link.cut()
        later = await only.link()
        await page.open(later)
        assert await page.run("print(x + 1)") == "42\n"

    asyncio.run(scenario())


def test_an_orphan_ends_after_its_time(fleet: Fleet) -> None:
    async def scenario() -> None:
        only = fleet.gateway()
        await fleet.running(orphan_seconds=1)
        begun = time.monotonic()
        only.close()
        await fleet.agent_ends()
        assert time.monotonic() - begun > 1
        assert not fleet.directory.exists()

    asyncio.run(scenario())
