"""Each request runs at most once and each has an end: over reconnects, restarts and deaths."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Any

import pytest

from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until

SLEEP = "import time\ntime.sleep(100)"


async def crash(link: Link) -> None:
    """Kill the kernel's process, and wait until there is a new one."""
    restarts = link.state["restarts"]
    os.kill(link.state["pid"], signal.SIGKILL)
    await until(lambda: link.state["restarts"] > restarts, 20, "the next process")


def test_requests_that_die_with_their_process_have_a_reply_and_an_end(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, stock = Stream("page", cursor=True), Stream("stock")
        await page.open(link)
        await stock.open(link)
        await page.run("print('before')")
        running = await page.execute(f"print('last words', flush=True)\n{SLEEP}", "a")
        queued = await page.execute("print('never')", "b")
        foreign = await stock.execute("print('never either')")
        info = await stock.send("shell", "kernel_info_request", {})
        comm = await stock.send("shell", "comm_msg", {"comm_id": "none", "data": {}})
        await until(lambda: page.text(running), 20, "the last words")
        process = next(m["session"] for m in page.messages if m["parent"] == running)
        await crash(link)
        reply = await page.reply(running)
        assert (reply["status"], reply["ename"]) == ("error", "KernelDied")
        assert reply["evalue"] == link.state["reason"]
        assert "9" in reply["evalue"] or "SIGKILL" in reply["evalue"]
        assert (await page.reply(queued))["status"] == "aborted"
        assert (await stock.reply(foreign))["status"] == "aborted"
        await until(lambda: stock.idle(comm) and stock.idle(info), 20, "the ends")
        assert [m["content"] for m in stock.of(info, "kernel_info_reply")] == [
            {"status": "aborted"}
        ]
        printed = page.of(running, "stream")[-1]["sequence"]
        said = [m for m in page.messages if m["sequence"] > printed]
        ends = [m for m in said if m["parent"] in (running, queued)]
        assert {m["session"] for m in ends} == {process}
        (restarting,) = [m for m in said if m["content"].get("execution_state") == "restarting"]
        assert restarting["session"] == process
        assert all(m["sequence"] < restarting["sequence"] for m in ends)
        # Each in its turn, the reply before the idle.
        assert [(m["parent"], m["type"]) for m in ends if m["channel"] != "fleet"] == [
            (request, kind) for request in (running, queued) for kind in ("execute_reply", "status")
        ]
        await until(lambda: link.state["process"] == "running", 40, "the next process")
        assert await page.run("print('after')") == "after\n"
        replay = await page.ask({"a": None, "b": None})
        assert {c: (r["state"], r["reply"], r["process"]) for c, r in replay.index.items()} == {
            "a": ("done", "error", 1),
            "b": ("done", "aborted", 1),
        }

    asyncio.run(scenario())


def test_a_cell_sent_around_the_death_of_a_process_has_a_reply_and_an_end(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, stock = Stream("page", cursor=True), Stream("stock")
        await page.open(link)
        await stock.open(link)
        # Before it is dead, before the agent knows, while the last words are read, afterwards.
        for pause in (-0.001, 0, 0.004, 0.03, 0.09, 0.13):
            restarts, process = link.state["restarts"], link.state["pid"]
            if pause >= 0:
                os.kill(process, signal.SIGKILL)
                await asyncio.sleep(pause)
            cells = [(stream, await stream.execute("1", "a")) for stream in (page, stock)]
            if pause < 0:
                await asyncio.sleep(-pause)
                os.kill(process, signal.SIGKILL)
            for stream, cell in cells:
                assert (await stream.reply(cell))["status"] in ("ok", "error", "aborted")
                await until(lambda stream=stream, cell=cell: stream.idle(cell), 20, "the end")
            await until(lambda restarts=restarts: link.state["restarts"] > restarts, 20, "the next")
            await until(lambda: link.state["process"] == "running", 40, "the next process")
            # Otherwise the agent gives the kernel up after a few deaths.
            await link.command("restart")
            await page.open(link)

    asyncio.run(scenario())


def test_what_waits_for_a_kernel_that_cannot_be_started_is_aborted(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        spec = {"argv": ["/bin/sh", "-c", "sleep 0.3; exit 3"]}
        fleet.start(kernelspec=spec)
        link = await gateway.link()
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute("print(1)", "a")
        assert (await page.reply(cell))["status"] == "aborted"
        await until(lambda: link.state["process"] == "dead", 20, "the end")

        def dead() -> list[int]:
            said = page.of(None, "status")
            return [m["sequence"] for m in said if m["content"]["execution_state"] == "dead"]

        await until(dead, 20, "its announcement")
        assert dead()[0] > page.of(cell, "execute_reply")[0]["sequence"]
        # What comes later: a page learns that its cell has ended, and a stock client, which would
        # take the kernel for idle then, nothing at all.
        stock = Stream("stock")
        await stock.open(link)
        foreign = await stock.execute("print(2)")
        await until(lambda: stock.acknowledged == 1, 20, "the acknowledgment")
        late = await page.execute("print(3)", "b")
        reply = await page.reply(late)
        assert (reply["status"], reply["ename"]) == ("error", "KernelDied")
        assert reply["evalue"] == link.state["reason"]
        assert (await page.ask({"b": None})).index["b"]["state"] == "done"
        await stock.send("shell", "kernel_info_request", {})
        await page.send("shell", "kernel_info_request", {})
        await until(lambda: stock.acknowledged == 2, 20, "the acknowledgment")
        await until(lambda: page.acknowledged == 4, 20, "the acknowledgment")
        assert stock.messages == []
        assert page.of(foreign, "status") == page.of(foreign, "execute_reply") == []
        idle = [m for m in page.messages if m["content"].get("execution_state") == "idle"]
        assert [m["parent"] for m in idle] == [cell, late]

    asyncio.run(scenario())


def test_a_restart_ends_what_pages_had_sent_and_nothing_of_it_runs_afterwards(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, stock = Stream("page", cursor=True), Stream("stock")
        await page.open(link)
        await stock.open(link)
        await page.run("print('before')")
        stopped = await page.execute(SLEEP, "a")
        await until(lambda: link.state["execution_state"] == "busy", 20, "the cell")
        await until(lambda: page.of(stopped, "execute_input"), 20, "the cell")
        await link.command("interrupt", by="bob")
        await page.reply(stopped)
        await link.command("interrupt", by="bob")
        # Once: nothing ran any more.
        assert [m["content"] for m in page.of(None, "interrupted")] == [{"by": "bob"}]
        running = await page.execute(SLEEP, "a")
        await until(lambda: page.of(running, "execute_input"), 20, "the cell")
        restarting = asyncio.ensure_future(link.command("restart", by="ann"))
        await until(lambda: page.closed, 20, "the end of the page's stream")
        assert page.closed == "the kernel was restarted"
        assert not stock.closed
        # On the way when the restart came: what the page has sent, and what another client has.
        late = await page.execute("open('late', 'w')", "b")
        other = await stock.execute("print('other')")
        await restarting
        # Whichever process gets it: it has an end.
        await stock.reply(other)
        # The page opens its stream again, and has dropped what it had sent before the restart.
        page.sent[-1] = b""
        page.sent.pop()
        opened = await page.open(link)
        assert opened["acknowledged"] == len(page.sent)
        reply = await page.reply(running)
        assert (reply["status"], reply["ename"]) == ("error", "KernelDied")
        assert reply["evalue"] == "the kernel was restarted"
        again = await page.execute("print('again')", "c")
        await page.reply(again)
        assert page.text(again) == "again\n"
        # It was there before the process had ended.
        told = {"process": 1, "reason": "the kernel was restarted", "by": "ann"}
        assert [m["content"] for m in page.of(None, "restarted")] == [{"restarted": told}]
        assert not page.of(late, "execute_input")
        assert not (fleet.cwd / "late").exists()
        assert (await page.ask({"c": None})).index["c"]["process"] == 2

    asyncio.run(scenario())


def test_a_cell_that_waits_for_another_does_not_begin_when_the_kernel_is_restarted(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        for number in range(5):
            page = Stream(f"page{number}", cursor=True)
            await page.open(link)
            first = await page.execute("while True: print('x' * 20)", "a")
            second = await page.execute(f"open('second{number}', 'w')", "b")
            await until(lambda page=page, first=first: page.text(first), 20, "lines")
            await link.command("restart")
            await page.open(link)
            assert (await page.reply(first))["evalue"] == "the kernel was restarted"
            assert (await page.reply(second))["status"] in ("aborted", "error")
        assert not list(fleet.cwd.glob("second*"))

    asyncio.run(scenario())


def test_what_waits_for_a_kernel_that_is_being_started_is_aborted_by_a_restart(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        # Its first process never answers.
        code = "import os, time\nif not os.path.exists('second'):\n    time.sleep(1000)\n"
        startup = fleet.cwd / "sitecustomize.py"
        startup.write_text(code)
        spec = fleet.document()["kernelspec"]
        spec["env"] = {"PYTHONPATH": f"{fleet.cwd}:{os.environ.get('PYTHONPATH', '')}"}
        fleet.start(kernelspec=spec)
        link = await gateway.link()
        page, stock = Stream("page", cursor=True), Stream("stock")
        await page.open(link)
        await stock.open(link)
        cells = [await stream.execute("open('ran', 'w')", "a") for stream in (page, stock)]
        # Both have arrived.
        await until(lambda: page.acknowledged == stock.acknowledged == 1, 20, "the cells")
        (fleet.cwd / "second").touch()
        await link.command("restart")
        assert (await stock.reply(cells[1]))["status"] == "aborted"
        await page.open(link)
        assert (await page.reply(cells[0]))["status"] == "aborted"
        assert await page.run("print(2)") == "2\n"
        assert not (fleet.cwd / "ran").exists()

    asyncio.run(scenario())


def test_a_request_whose_predecessor_never_came_is_not_run(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.run("ran = []")
        # The second of these is lost on its way.
        lost = await page.execute("ran.append(1)")
        await page.reply(lost)
        number = len(page.sent)
        page.sent += [page.sent[-1], page.sent[-1]]
        page.sent.pop()
        page.sent.pop()
        transmit = page._transmit

        async def drop(sequence: int) -> None:
            return

        page._transmit = drop  # type: ignore[method-assign]
        second = await page.execute("ran.append(2)")
        page._transmit = transmit  # type: ignore[method-assign]
        third = await page.execute("ran.append(3)")
        await until(lambda: page.closed, 20, "the end of the stream")
        assert str(number + 2) in page.closed
        opened = await page.open(link)
        assert opened["acknowledged"] == number
        for cell in (second, third):
            assert (await page.reply(cell))["status"] == "ok"
        assert await page.run("print(ran)") == "[1, 2, 3]\n"

    asyncio.run(scenario())


def test_a_lab_that_drops_what_waits_goes_on_with_a_higher_number(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        lab = Stream("lab")
        await lab.open(link)
        await lab.run("x = 1")
        dropped = lab.sent[-1]
        lab.sent += [dropped, dropped]
        assert await lab.run("print(x)") == "1\n"
        assert not lab.closed

    asyncio.run(scenario())


def test_requests_sent_again_after_each_cut_run_once_also_after_a_crash(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        cells = []
        for number in range(8):
            code = f"with open('ran', 'a') as f: f.write('{number} ')"
            cells.append(await page.execute(code, f"cell {number}"))
            link.cut()
            link = await gateway.link()
            await page.open(link)
            if number == 4:
                await page.reply(cells[-1])
                await crash(link)
        for cell in cells:
            assert (await page.reply(cell))["status"] == "ok"
        assert (fleet.cwd / "ran").read_text() == "0 1 2 3 4 5 6 7 "

    asyncio.run(scenario())


SILENT = {"silent": True, "store_history": False}


@pytest.mark.parametrize("cursor", [True, False])
@pytest.mark.parametrize("options", [{}, SILENT])
def test_what_a_reloaded_page_delivers_for_the_one_before_runs_once(
    fleet: Fleet, cursor: bool, options: dict[str, Any]
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        for number in range(3):
            code = f"with open('ran', 'a') as f: f.write('{number} ')"
            await page.reply(await page.execute(code, "a", **options))
        # A process of ipykernel by itself takes no message twice; the next one knows none.
        await crash(link)
        await until(lambda: link.state["process"] == "running", 40, "the next process")
        # Neither the numbers of the page before are known any more, nor its session. A page with a
        # lab of the version before sends again what it has no answer to, too.
        later = Stream("forgotten", cursor=cursor)
        later.sent = list(page.sent)
        await later.open(link)
        if cursor:
            # The page before had asked, and nobody wants the answer.
            await later.send("fleet", "nothing", {})
            await later.send("fleet", "of a later version", {})
        await later.reply(await later.execute("with open('ran', 'a') as f: f.write('3 ')", "b"))
        assert later.acknowledged == len(later.sent)
        assert not later.closed
        assert (fleet.cwd / "ran").read_text() == "0 1 2 3 "

    asyncio.run(scenario())


def test_a_page_of_another_journal_gets_this_one_from_its_start(fleet: Fleet) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        link = await fleet.running()
        assert gateway.hellos[-1]["journal"]
        page = Stream("page", cursor=True)
        opened = await page.open(link)
        assert opened["journal"] == gateway.hellos[-1]["journal"]
        await page.run("print(1)")
        other = Stream("other", cursor=True)
        other.journal = "0" * 32
        opened = await other.open(link, received=2)
        assert opened["start"] == 0
        same = Stream("same", cursor=True)
        same.journal = page.journal
        assert (await same.open(link, received=2))["start"] == 2
        # Without a number a page starts at the end, even if its session has not acknowledged all.
        await page.close()
        late = Stream("page", cursor=True)
        opened = await late.open(link)
        assert opened["start"] >= page.received

    asyncio.run(scenario())
