"""Large messages, slow gateways, and a journal that cannot hold everything."""

from __future__ import annotations

import asyncio
import time

from tests.integration.agent.scripted_gateway import Fleet, Stream, until


def test_a_message_of_20_mb_passes_and_comes_again_after_a_reconnection(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running(journal_bytes=32 * 2**20)
        page = Stream("page")
        await page.open(link)
        code = "display({'text/plain': 'x' * 20_000_000}, raw=True)"
        cell = await page.execute(code)
        await until(lambda: page.of(cell, "display_data"), 20, "the message")
        data = page.of(cell, "display_data")[0]
        assert len(data["content"]["data"]["text/plain"]) == 20_000_000
        await page.reply(cell)
        first.close()
        later = await second.link()
        again = Stream("page")
        await again.open(later, received=data["sequence"] - 1)
        assert again.opened["gap"] is None
        await until(lambda: again.idle(cell), 20, "the cell's end again")
        assert again.of(cell, "display_data") == [data]

    asyncio.run(scenario())


def test_a_client_message_above_100_mb_reaches_the_kernel(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(ping_timeout=20)
        page = Stream("page")
        await page.open(link)
        await page.run(
            "import comm\n"
            "def opened(c, m): globals().update(n=len(m['content']['data']['x']))\n"
            "comm.get_comm_manager().register_target('t', opened)"
        )
        await page.send(
            "shell",
            "comm_open",
            {"comm_id": "1", "target_name": "t", "data": {"x": "y" * 110_000_000}},
        )
        assert await page.run("print(n)") == "110000000\n"

    asyncio.run(scenario())


def test_a_gap_is_told_and_the_rest_comes_in_order(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running(journal_bytes=200_000)
        page = Stream("page")
        await page.open(link)
        await page.run("print('before')")
        had = page.received
        # The client goes away; the cell prints more than the journal holds.
        await page.close()
        other = Stream("other")
        await other.open(link)
        cell = await other.execute(
            "import sys\nfor i in range(60): print(str(i) * 4000); sys.stdout.flush()"
        )
        await other.reply(cell)
        first.close()
        later = await second.link()
        opened = await page.open(later)
        assert opened["gap"][0] == had + 1
        assert opened["start"] == opened["gap"][1] < other.received
        await until(lambda: page.idle(cell), 5, "the rest")
        shown = "".join(m["content"]["text"] for m in page.of(None, "stream"))
        assert shown.endswith("".join(f"{str(i) * 4000}\n" for i in range(40, 60)))
        assert not page.of(cell, "execute_reply")
        numbers = [m["sequence"] for m in page.messages]
        assert numbers == sorted(set(numbers))

    asyncio.run(scenario())


def test_a_gateway_that_takes_nothing_holds_neither_kernel_nor_agent(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        link = await fleet.running(journal_bytes=8 * 2**20, ping_timeout=30)
        page = Stream("page")
        await page.open(link)
        await page.run("import sys, time")
        reading = asyncio.Event()
        receive = link.handler.on_message

        async def hold(message: str | bytes) -> None:
            await reading.wait()
            receive(message)

        link.handler.on_message = hold  # type: ignore[method-assign]
        cell = await page.execute(
            "begun = time.time()\n"
            "for i in range(60): sys.stdout.write('z' * 1_000_000); sys.stdout.flush()\n"
            "took = time.time() - begun"
        )
        await asyncio.sleep(3)
        # The agent neither grew by what could not be sent nor stopped reading.
        reading.set()
        later = await gateway.link()
        assert (await page.open(later))["gap"] is not None
        await page.reply(cell)
        assert float(await page.run("print(took)")) < 3

    asyncio.run(scenario())


def test_many_small_messages_pass_in_order(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        begun = time.monotonic()
        printed = await page.run("for i in range(5000): print(i, flush=True)", seconds=60)
        assert printed == "".join(f"{i}\n" for i in range(5000))
        assert time.monotonic() - begun < 60

    asyncio.run(scenario())
