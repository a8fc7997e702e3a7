"""Large messages, slow gateways, and a journal that cannot hold everything."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import time

import psutil
import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until


def test_a_message_of_20_mb_passes_and_comes_again_after_a_reconnection(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await fleet.running(journal_memory_bytes=32 * 2**20)
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
        link = await fleet.running(journal_memory_bytes=200_000, journal_disk_bytes=0)
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
        assert opened["start"] == had < opened["gap"][0] < opened["gap"][1] < other.received
        await until(lambda: page.idle(cell), 30, "the rest")
        # The gap begins with what is lost, not with what is here.
        assert opened["gap"][0] not in {m["sequence"] for m in page.messages}
        assert opened["gap"][0] == 1 + page.of(cell, "execute_input")[0]["sequence"]
        shown = "".join(m["content"]["text"] for m in page.of(None, "stream"))
        assert shown.endswith("".join(f"{str(i) * 4000}\n" for i in range(40, 60)))
        assert not page.of(cell, "execute_reply")
        numbers = [m["sequence"] for m in page.messages]
        assert numbers == sorted(set(numbers))

    asyncio.run(scenario())


async def most_memory_until_idle(agent: psutil.Process) -> int:
    """The bytes that the agent has at most until it has taken everything from the kernel and has
    nothing to do."""
    used: list[float] = []
    most = 0
    while len(used) < 10 or used[-1] != used[-10]:
        await asyncio.sleep(0.1)
        used.append(sum(agent.cpu_times()[:2]))
        most = max(most, agent.memory_info().rss)
    return most


@pytest.mark.parametrize("disk_bytes", [0, 2**30])
def test_a_gateway_that_takes_nothing_holds_neither_kernel_nor_agent(
    fleet: Fleet, disk_bytes: int
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        link = await fleet.running(
            journal_memory_bytes=8 * 2**20, journal_disk_bytes=disk_bytes, ping_timeout=30
        )
        page = Stream("page")
        await page.open(link)
        await page.run("import sys, pathlib")
        reading = asyncio.Event()
        receive = link.handler.on_message

        async def hold(message: str | bytes) -> None:
            await reading.wait()
            await receive(message)

        link.handler.on_message = hold  # type: ignore[method-assign]
        cell = await page.execute(
            "for i in range(60): sys.stdout.write('z' * 1_000_000); sys.stdout.flush()\n"
            "pathlib.Path('printed').touch()"
        )
        # The kernel prints everything while nobody takes it, and the agent obeys meanwhile.
        await until((fleet.cwd / "printed").exists, 30, "the cell has printed")
        await page.send("control", "kernel_info_request", {})
        assert await most_memory_until_idle(psutil.Process(fleet.agent.pid)) < 150 * 2**20
        gaps: list[list[int] | None] = []

        async def follow() -> None:
            # While the journal still grows it may overtake a connection more than once.
            while True:
                later = await gateway.link(60)
                opening = asyncio.ensure_future(page.open(later))
                closed = asyncio.ensure_future(later.closed.wait())
                await asyncio.wait([opening, closed], return_when=asyncio.FIRST_COMPLETED)
                if opening.done():
                    gaps.append(opening.result()["gap"])
                await closed
                opening.cancel()

        following = asyncio.ensure_future(follow())
        reading.set()
        await page.reply(cell, 60)
        following.cancel()
        if disk_bytes:
            assert page.text(cell) == "z" * 60_000_000
            assert not gaps, "the connection was lost"
            return
        assert any(gaps)
        assert 0 < len(page.text(cell)) < 60_000_000

    asyncio.run(scenario())


def test_what_the_disk_may_not_hold_is_a_gap_with_its_limit(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        limits = {"journal_memory_bytes": 2**19, "journal_disk_bytes": 2**21}
        link = await fleet.running(**limits)
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.run("import os, base64, pathlib")
        cell = await page.execute(
            "for i in range(200): print(i, base64.b64encode(os.urandom(75_000)), flush=True)\n"
            "pathlib.Path('printed').touch()",
            "a",
        )
        await page.close()
        had = page.received
        await until((fleet.cwd / "printed").exists, 60, "the cell has printed")
        await until(lambda: link.state["execution_state"] == "idle", 20, "the cell's end")
        await most_memory_until_idle(psutil.Process(fleet.agent.pid))
        folder = fleet.directory / "journal"
        assert sum(file.stat().st_size for file in folder.iterdir()) < 2**21 + 2**20
        opened = await page.open(link)
        first, last = opened["gap"]
        assert first == had + 1 < last
        assert opened["limit"] == sum(limits.values())
        await page.reply(cell)
        shown = [int(line.split()[0]) for line in page.text(cell).splitlines() if " " in line]
        assert shown[-1] == 199
        assert shown == list(range(shown[0], 200)) or shown[1:] == list(range(shown[1], 200))
        replay = await page.ask({"a": None})
        assert replay.missing[0][0] == replay.index["a"]["first"]
        assert replay.missing[-1][1] <= last
        assert replay.of(cell, "execute_reply")

    asyncio.run(scenario())


def test_a_disk_that_cannot_be_written_leaves_the_journal_in_memory(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(journal_memory_bytes=2**20)
        # Where the folder will be is a file.
        (fleet.directory / "journal").write_text("")
        page = Stream("page")
        await page.open(link)
        cell = await page.execute("for i in range(100): print(i, 'x' * 50_000, flush=True)")
        await page.reply(cell)
        assert await page.run("print('after')") == "after\n"
        log = (fleet.directory / "agent.log").read_text()
        assert log.count("memory alone keeps it") == 1

    asyncio.run(scenario())


async def throttled(port: int, bytes_a_second: int) -> asyncio.Server:
    """A network that takes what goes to `port` at this speed, and what comes from it at once."""

    async def copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, rate: int) -> None:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
            if rate:
                await asyncio.sleep(len(data) / rate)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(
            copy(reader, back, bytes_a_second), copy(there, writer, 0), return_exceptions=True
        )

    listener = socket.socket()
    # Or the operating system takes several megabytes at once on the slow network's behalf.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    listener.bind(("127.0.0.1", 0))
    return await asyncio.start_server(serve, sock=listener)


def test_a_large_message_on_a_slow_network_outlasts_the_time_out(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        network = await throttled(gateway.port, 2_000_000)
        url = f"http://127.0.0.1:{network.sockets[0].getsockname()[1]}"
        gateway.gateways = [url]
        link = await fleet.running(gateways=[url], ping_timeout=1, ping_seconds=0.3)
        page = Stream("page")
        await page.open(link)
        begun = time.monotonic()
        cell = await page.execute("display({'text/plain': 'x' * 8_000_000}, raw=True)")
        await page.reply(cell)
        assert time.monotonic() - begun > 3
        assert page.of(cell, "display_data")
        assert not link.closed.is_set()
        assert len(gateway.hellos) == 1

    asyncio.run(scenario())


def test_many_small_messages_pass_in_order(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        printed = await page.run("for i in range(5000): print(i, flush=True)", seconds=60)
        assert printed == "".join(f"{i}\n" for i in range(5000))

    asyncio.run(scenario())


def test_what_a_kernel_prints_while_its_agent_stands_still_is_not_lost(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        cell = await page.execute(
            "import time, pathlib; time.sleep(1)\n"
            "for i in range(5000): print(i, flush=True)\n"
            "pathlib.Path('printed').touch()"
        )
        await until(lambda: page.of(cell, "execute_input"), 30, "the cell begins")
        # With all its threads, those of ZMQ included.
        fleet.agent.send_signal(signal.SIGSTOP)
        await until((fleet.cwd / "printed").exists, 30, "the cell has printed")
        fleet.agent.send_signal(signal.SIGCONT)
        await page.reply(cell)
        assert page.text(cell) == "".join(f"{i}\n" for i in range(5000))

    asyncio.run(scenario())


def test_a_page_that_has_missed_much_holds_up_no_other_page(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(journal_memory_bytes=200 * 2**20)
        late, other = Stream("late"), Stream("other")
        await late.open(link)
        await late.close()
        await other.open(link)
        # A message for each line: ipykernel joins what is printed to as long a one as it likes.
        await other.run(
            "kernel = get_ipython().kernel\n"
            "for i in range(1500): kernel.send_response(kernel.iopub_socket, 'stream', "
            "{'name': 'stdout', 'text': f'<{i}>' + 'x' * 100_000})",
            seconds=60,
        )
        brief = Stream("brief")
        await brief.open(link)
        await brief.close()
        await other.run("print('little')")
        await late.open(link)
        await brief.open(link)
        await until(lambda: brief.of(None, "stream"), 30, "what the other page has missed")
        assert late.raw_bytes < 100e6, "the page that has missed little had to wait"
        cell = await other.execute("print('now')")
        await until(lambda: other.of(cell, "execute_reply"), 30, "the other page's reply")
        assert other.text(cell) == "now\n"
        assert late.raw_bytes < 100e6, "the other page had to wait"
        # Live messages went between those that were missed, and each page has its own in order.

        def text() -> str:
            return "".join(message["content"]["text"] for message in late.of(None, "stream"))

        await until(lambda: late.of(cell, "status") and late.idle(cell), 60, "what was missed")
        assert re.findall(r"<(\d+)>", text()) == [str(number) for number in range(1500)]
        assert text().endswith("little\nnow\n")

    asyncio.run(scenario())
