"""Calls of the code in a kernel, which may be hostile."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import psutil

from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until

ASK = """
import json
from gateway_ext.kernel_tools.fleet_calls import FleetCallError, call_fleet
try:
    print(json.dumps(call_fleet({name!r}, {{"x": "é"}})))
except FleetCallError as error:
    print(error.status, error)
"""


async def opened(fleet: Fleet) -> tuple[Link, Stream]:
    """A running kernel, and a page on it."""
    link, page = await fleet.running(), Stream("page")
    await page.open(link)
    return link, page


async def socket_of(page: Stream) -> Path:
    return Path((await page.run("import os; print(os.environ['FLEET_SOCKET'])")).strip())


def test_a_cell_calls_and_the_socket_stays_while_kernels_are_restarted(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        path = await socket_of(page)
        before = await asyncio.to_thread(path.stat)
        assert before.st_mode & 0o777 == 0o600
        assert (await asyncio.to_thread(path.parent.stat)).st_mode & 0o777 == 0o700
        for number in (1, 2):
            cell = await page.execute(ASK.format(name="ask"))
            call = await link.answer_call({"number": number})
            assert (call["call"], call["arguments"]) == ("ask", {"x": "é"})
            await page.reply(cell)
            assert json.loads(page.text(cell)) == {"number": number}
            # Also from what the kernel starts.
            assert (await page.run("!echo $FLEET_SOCKET")).strip() == str(path)
            await link.command("restart")
        after = await asyncio.to_thread(path.stat)
        assert (after.st_ino, after.st_dev) == (before.st_ino, before.st_dev)
        await link.command("shutdown", now=False)
        await until(lambda: not path.exists(), 20, "the socket is removed")

    asyncio.run(scenario())


def test_a_socket_that_a_cell_has_deleted_is_back_after_a_restart(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        path = await socket_of(page)
        await page.run("import os; os.remove(os.environ['FLEET_SOCKET'])")
        await link.command("restart")
        assert await socket_of(page) == path
        cell = await page.execute(ASK.format(name="ask"))
        await link.answer_call({"number": 1})
        await page.reply(cell)
        assert json.loads(page.text(cell)) == {"number": 1}

    asyncio.run(scenario())


def test_a_kernel_with_a_long_directory_has_a_socket_too(fleet: Fleet) -> None:
    fleet.directory = fleet.directory / ("d" * 100)

    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        path = await socket_of(page)
        assert not path.is_relative_to(fleet.directory)
        assert (await asyncio.to_thread(path.parent.stat)).st_mode & 0o777 == 0o700
        cell = await page.execute(ASK.format(name="ask"))
        await link.answer_call({})
        await page.reply(cell)
        assert page.text(cell) == "{}\n"
        await link.command("shutdown", now=False)
        await until(lambda: not path.parent.exists(), 20, "its folder is removed")

    asyncio.run(scenario())


def test_an_unanswered_call_goes_to_the_next_gateway_unless_it_must_not_be_repeated(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link, page = await opened(fleet)
        await page.run("from concurrent.futures import ThreadPoolExecutor; import json")
        cell = await page.execute(
            "from gateway_ext.kernel_tools.fleet_calls import call_fleet\n"
            "with ThreadPoolExecutor(2) as pool:\n"
            "    ask, buy = pool.submit(call_fleet, 'ask'), pool.submit(call_fleet, 'buy')\n"
            "    print(json.dumps([ask.result(), buy.exception().status, str(buy.exception())]))"
        )
        await until(lambda: len(link.calls) == 2, 20, "both calls")
        first.close()
        later = await second.link()
        await page.open(later)
        again = await later.answer_call({"from": "second"})
        assert again["call"] == "ask"
        assert again in link.calls
        await page.reply(cell)
        result, status, words = json.loads(page.text(cell))
        assert (result, status) == ({"from": "second"}, 503)
        assert "may or may not have been done" in words
        assert later.calls == []

    asyncio.run(scenario())


def test_gateways_of_before_get_no_calls_and_the_cell_is_told(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway().calls = None
        link, page = await opened(fleet)
        said = await page.run(ASK.format(name="ask"))
        assert said.startswith("503 this fleet's gateways are too old")
        assert link.calls == []

    asyncio.run(scenario())


FLOODS = {
    "long lines": """
for _ in range(5):
    with connect() as one:
        one.sendall(b"x" * 2**20 + b"\\n")
        assert b'"status": 413' in one.recv(1000)
""",
    "connections": """
kept = []
for _ in range(10_000):
    kept.append(connect())
    if len(kept) > 500:
        kept.pop(0).close()
""",
    "half lines": """
kept = [connect() for _ in range(200)]
for one in kept[-60:]:
    one.sendall(b'{"id": 1, "call": "' + b"x" * 60_000)
""",
    "nonsense that is never read": """
kept = [connect() for _ in range(60)]
for one in kept:
    one.setblocking(False)
    for _ in range(30):
        try:
            one.send(b"[]\\n" * 20_000)
        except OSError:
            break
""",
    "deep and large JSON": """
for text in (b"[" * 65_000, b'{"id":1,"call":"ask","arguments":{"a":' + b"[" * 30_000
             + b"]" * 30_000 + b"}}", b'{"id": ' + b"9" * 60_000 + b"}"):
    with connect() as one:
        one.sendall(text + b"\\n")
        assert b'"status": 400' in one.recv(1000)
""",
}
CONNECT = """
import os, socket, time
def connect():
    one = socket.socket(socket.AF_UNIX)
    one.connect(os.environ["FLEET_SOCKET"])
    return one
"""


def test_code_that_misuses_the_socket_delays_only_itself(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        link, page = await opened(fleet)
        await page.run(CONNECT)
        agent = psutil.Process(fleet.agent.pid)
        before = agent.memory_info().rss
        for name, flood in FLOODS.items():
            cell = await page.execute(flood)
            assert (await page.reply(cell, 100))["status"] == "ok", (name, page.of(cell, "error"))
            assert await page.run("print('still here')") == "still here\n"
            ask = await page.execute(ASK.format(name="ask"))
            await link.answer_call({"y": 1})
            await page.reply(ask)
            assert json.loads(page.text(ask)) == {"y": 1}, name
            assert len(os.listdir(f"/proc/{agent.pid}/fd")) < 200, name
            assert agent.memory_info().rss - before < 64 * 2**20, name
        # Nor was the agent ever so late that its gateway took it for gone.
        assert gateway.links.empty()
        assert not link.closed.is_set()
        assert fleet.agent.poll() is None

    asyncio.run(scenario())
