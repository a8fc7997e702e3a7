"""What one page or one kernel's code can do to an agent, and to those who share it."""

from __future__ import annotations

import asyncio
import json
import uuid

import psutil
import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until

MOST_GROWTH = 64 * 2**20
"""Bytes: far more than the journal may take, far less than what is tried here."""


def memory_of(fleet: Fleet) -> int:
    return int(psutil.Process(fleet.agent.pid).memory_info().rss)


DISPLAYS = """
from IPython.display import publish_display_data
for number in range(200):
    display = str(number) + "x" * 1_000_000
    publish_display_data({"text/plain": "1"}, transient={"display_id": display})
"""
BUSY = """
import json
kernel = get_ipython().kernel
for number in range(200):
    header = json.dumps(kernel.session.msg_header("status"), default=str).encode()
    parent = json.dumps({"msg_id": str(number) + "x" * 1_000_000}).encode()
    parts = [header, parent, b"{}", b'{"execution_state": "busy"}']
    kernel.iopub_thread.send_multipart([b"x", b"<IDS|MSG>", kernel.session.sign(parts), *parts])
"""


@pytest.mark.parametrize("code", [DISPLAYS, BUSY], ids=["display ids", "busy requests"])
def test_what_a_kernel_invents_takes_no_memory_beside_the_journal(fleet: Fleet, code: str) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.run("1")
        before = memory_of(fleet)
        await page.run(code, 120)
        assert memory_of(fleet) - before < MOST_GROWTH

    asyncio.run(scenario())


SPEAK = """
import json
kernel = get_ipython().kernel
def speak(socket, kind, parent, content, **header):
    header = json.dumps({**kernel.session.msg_header(kind), **header}, default=str).encode()
    parts = [header, json.dumps(parent).encode(), b"{}", content.encode()]
    socket.send_multipart([b"x", b"<IDS|MSG>", kernel.session.sign(parts), *parts])
"""
STATE = f"""{SPEAK}
speak(kernel.iopub_thread, "status", {{}}, json.dumps({{"execution_state": "x" * 2_000_000}}))
print("said", flush=True)
"""
SESSION = f"""{SPEAK}
speak(kernel.iopub_thread, "clear_output", {{}}, '{{"wait": false}}', session="s" * 2_000_000)
import os, signal, time
time.sleep(2)
os.kill(os.getpid(), signal.SIGKILL)
"""
LONGEST_FRAME = 256 * 1024
"""What gateways take of an agent's state."""


def test_a_state_that_a_kernel_invents_leaves_its_agent_able_to_connect(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute(STATE + "import time; time.sleep(600)")
        await until(lambda: page.text(cell) == "said\n", 60, "the state is said")
        page.messages.clear()
        await link.command("interrupt")
        await until(lambda: link.state["execution_state"] == "idle", 60, "idle")
        assert all(len(json.dumps(state)) < LONGEST_FRAME for state in link.states)
        assert {state["execution_state"] for state in link.states} <= {"starting", "idle", "busy"}

    asyncio.run(scenario())


def test_what_is_said_for_a_dead_kernel_does_not_repeat_what_it_invented(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.execute(SESSION)
        cells = [await page.execute("1") for _ in range(20)]
        for cell in cells:
            assert (await page.reply(cell, 60))["ename"] == "KernelDied"
        assert all(len(said["session"]) < 100 for said in page.messages if said["parent"] in cells)

    asyncio.run(scenario())


def test_the_questions_of_one_page_cost_others_nothing(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, asking = Stream("page", cursor=True), Stream("asking", cursor=True)
        await page.open(link)
        await asking.open(link)
        for number in range(1, 1001):
            cell = await page.execute("pass", str(uuid.uuid4()))
            if number % 50 == 0:
                await page.reply(cell)
        shown = await page.execute("for i in range(1000): print(i, 'x' * 6000, flush=True)", "a")
        await page.reply(shown)
        asking.take = lambda *frame: None  # type: ignore[method-assign]
        # Answers of 30 MB together, if each were given.
        for _ in range(180):
            await asking.send("fleet", "ask", {"cells": {}, "adopt": False})
        await page.run("1", 100)
        later = Stream("later", cursor=True)
        await later.open(link)
        replay = await later.ask({"a": None})
        assert replay.missing == []
        assert replay.text(shown) == page.text(shown)

    asyncio.run(scenario())
