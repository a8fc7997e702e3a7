"""What a cell prints in the moment in which its process ends is not lost, nor there twice."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until

ENDS = {
    "abort": "os.abort()",
    "segmentation fault": "ctypes.string_at(0)",
    "kill": "os.kill(os.getpid(), signal.SIGKILL)",
    "exit": "os._exit(3)",
}
IMPORTS = "import ctypes, os, signal, sys, threading\n"


@pytest.mark.parametrize("end", ENDS)
def test_the_last_lines_come_whatever_ends_the_process(fleet: Fleet, end: str) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.run("print('another cell', flush=True)")
        request = await page.execute(
            f"{IMPORTS}print('flushed ä', flush=True)\nprint('not flushed ö')\n"
            f"sys.stderr.write('wrong ü\\n')\n{ENDS[end]}",
            "a",
        )
        reply = await page.reply(request)
        assert reply["ename"] == "KernelDied"
        said = page.of(request, "stream")
        texts = {"stdout": "", "stderr": ""}
        for one in said:
            texts[one["content"]["name"]] += one["content"]["text"]
        assert texts == {"stdout": "flushed ä\nnot flushed ö\n", "stderr": "wrong ü\n"}
        # Before the cell has ended.
        end_of_cell = page.of(request, "execute_reply")[0]["sequence"]
        assert all(one["sequence"] < end_of_cell for one in said)

    asyncio.run(scenario())


@pytest.mark.parametrize("flush", [True, False])
def test_lines_of_a_process_that_is_killed_while_it_prints_come_once_and_in_order(
    fleet: Fleet, flush: bool
) -> None:
    async def scenario(flush: bool) -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        request = await page.execute(
            f"import time\nfor i in range(10**9):\n  print(i, flush={flush})\n"
            "  if i % 100 == 0: time.sleep(0.001)",
            "a",
        )
        await until(lambda: "\n500\n" in page.text(request), 20, "lines")
        os.kill(link.state["pid"], signal.SIGKILL)
        await page.reply(request)
        complete = page.text(request).split("\n")[:-1]
        assert complete == [str(i) for i in range(len(complete))]

    asyncio.run(scenario(flush))


def test_what_a_task_of_an_earlier_cell_prints_stays_with_that_cell(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        first = await page.execute(
            "import asyncio, os\ngo = asyncio.Event()\nasync def later():\n  await go.wait()\n"
            "  print('of the first')\n  os.abort()\ntask = asyncio.create_task(later())",
            "a",
        )
        await page.reply(first)
        second = await page.execute(
            "print('of the second'); go.set(); await asyncio.sleep(60)", "b"
        )
        await page.reply(second)
        assert (page.text(first), page.text(second)) == ("of the first\n", "of the second\n")

    asyncio.run(scenario())


def test_a_process_that_ends_between_the_messages_of_two_cells_loses_nothing_of_either(
    fleet: Fleet, tmp_path: Path
) -> None:
    go = tmp_path / "go"

    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        first = await page.execute(
            "import asyncio, os, pathlib, sys, time\nfirst = asyncio.Event()\n"
            "async def later():\n  await first.wait()\n  print('of the first')\n"
            "task = asyncio.create_task(later())\nthread = sys.stdout.pub_thread\n"
            "send = thread._really_send\ndef sends_one(frames, *arguments, **options):\n"
            "  send(frames, *arguments, **options)\n"
            "  if b'stream' in frames[0] and b'of the ' in frames[-1]:\n"
            f"    while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\n"
            "    os.abort()\nthread._really_send = sends_one",
            "a",
        )
        await page.reply(first)
        # Both have printed before the stream is flushed.
        second = await page.execute(
            "with sys.stdout._buffer_lock:\n  print('of the second')\n  first.set()\n"
            "  await task\n  print('more of the second')\nawait asyncio.sleep(60)",
            "b",
        )
        await until(lambda: page.text(first) + page.text(second), 20, "one of the messages")
        assert not (page.text(first) and page.text(second))
        go.touch()
        await page.reply(second)
        texts = (page.text(first), page.text(second))
        assert texts == ("of the first\n", "of the second\nmore of the second\n")

    asyncio.run(scenario())


@pytest.mark.parametrize("end", ["abort", "kill"])
@pytest.mark.parametrize("times", [20, 1000])
def test_tasks_of_two_cells_that_print_in_turn_keep_each_line_in_its_cell(
    fleet: Fleet, end: str, times: int
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        first = await page.execute(
            f"{IMPORTS}import asyncio\ngo = asyncio.Event()\nasync def prints(name):\n"
            f"  await go.wait()\n  for i in range({times}):\n    print(name, i)\n"
            "    await asyncio.sleep(0)\ntask = asyncio.create_task(prints('first'))",
            "a",
        )
        await page.reply(first)
        second = await page.execute(f"go.set()\nawait prints('second')\n{ENDS[end]}", "b")
        await page.reply(second)
        for name, request in (("first", first), ("second", second)):
            assert page.text(request) == "".join(f"{name} {i}\n" for i in range(times))

    asyncio.run(scenario())


def test_a_long_print_of_a_process_that_crashes_then_is_complete(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        request = await page.execute(
            f"{IMPORTS}print('0123456789' * 500_000)\n{ENDS['abort']}", "a"
        )
        await page.reply(request, 60)
        assert page.text(request) == "0123456789" * 500_000 + "\n"

    asyncio.run(scenario())


def test_what_a_forked_process_prints_comes_once_also_if_the_kernel_dies_then(
    fleet: Fleet, tmp_path: Path
) -> None:
    go = tmp_path / "go"

    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        request = await page.execute(
            f"{IMPORTS}print('parent', flush=True)\nif (child := os.fork()) == 0:\n"
            "  print('child', flush=True)\n  os._exit(0)\n"
            "os.waitpid(child, 0)\nimport pathlib, time\n"
            f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.02)\nos.abort()",
            "a",
        )
        await until(lambda: "child\n" in page.text(request), 20, "what the child prints")
        # Nothing is printed after it.
        go.touch()
        await page.reply(request)
        assert page.text(request) == "parent\nchild\n"

    asyncio.run(scenario())


def test_a_process_that_is_forked_while_a_thread_prints_can_print(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        await page.open(link)
        text = await page.run(
            f"{IMPORTS}import time\nstop = False\ndef prints():\n"
            "  while not stop: print('x' * 20, file=sys.stdout)\n"
            "thread = threading.Thread(target=prints)\nthread.start()\nwithout = 0\n"
            "for _ in range(40):\n  time.sleep(0.002)\n  if (child := os.fork()) == 0:\n"
            "    os._exit(not sys.stdout._buffer_lock.acquire(timeout=1))\n"
            "  without += os.waitpid(child, 0)[1] != 0\nstop = True\nthread.join()\n"
            "print('without the lock:', without)"
        )
        assert text.endswith("\nwithout the lock: 0\n")

    asyncio.run(scenario())
