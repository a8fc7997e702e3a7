"""What a page that comes back asks for, and what all pages learn of each other's cells."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from tests.integration.agent.scripted_gateway import Fleet, Stream, until

WAIT = "import pathlib, time\nwhile not pathlib.Path({!r}).exists(): time.sleep(0.02)\n"


def lines(count: int) -> str:
    return "".join(f"{number}\n" for number in range(count))


def records(page: Stream, request: str) -> list[dict[str, Any]]:
    """What the agent has said of a request to all pages, in order."""
    return [
        m["content"]
        for m in page.messages
        if m["type"] == "request" and m["content"]["request"] == request
    ]


async def end_of(page: Stream, request: str) -> dict[str, Any]:
    """What the agent says of a request that is done."""
    await page.reply(request)
    await until(lambda: records(page, request)[-1]["state"] == "done", 20, "the end")
    return records(page, request)[-1]


def test_a_page_that_comes_back_in_a_cell_gets_what_it_missed_and_then_the_rest(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        done = await page.execute("print('done')", "a")
        await page.reply(done)
        code = f"for i in range(300): print(i, flush=True)\n{WAIT.format('go')}print('end')"
        cell = await page.execute(code, "b")
        queued = await page.execute("print('queued')", "c")
        await until(lambda: "299" in page.text(cell), 20, "the lines")
        await page.close()
        later = Stream("later", cursor=True)
        opened = await later.open(link)
        assert (opened["journal"], opened["start"]) == (page.journal, opened["start"])
        replay = await later.ask({"a": None, "b": None, "c": None, "unknown": None})
        assert {c: r["state"] for c, r in replay.index.items()} == {
            "a": "done",
            "b": "running",
            "c": "queued",
        }
        assert not any(r["held"] or r["gone"] for r in replay.index.values())
        record = replay.index["b"]
        assert record["source"] == hashlib.sha256(code.encode()).hexdigest()
        assert (record["request"], record["session"], record["count"]) == (cell, "page", 2)
        assert (record["process"], record["reply"], record["asks"]) == (1, None, None)
        assert replay.text(done) == "done\n"
        assert replay.text(cell) == lines(300)
        assert len(replay.of(cell, "stream")) == 1, "the lines were not merged"
        assert replay.of(done, "execute_reply")
        assert replay.missing == []
        (fleet.cwd / "go").touch()
        await later.reply(cell)
        await later.reply(queued)
        assert later.text(cell) == "end\n"
        assert min(m["sequence"] for m in later.of(cell, "stream")) > replay.fence
        assert (await end_of(later, cell))["adopted"] == "later"
        assert [r["state"] for r in records(later, cell)] == ["running", "done"]

    asyncio.run(scenario())


def test_what_a_page_has_already_does_not_come_again(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        held, lacks, gone = [await page.execute(f"print({c!r})", c) for c in ("a", "b", "c")]
        numbers = [(await end_of(page, cell))["last"] for cell in (held, lacks, gone)]
        has = {
            "a": {"request": held, "number": numbers[0]},
            "b": {"request": lacks, "number": numbers[1] - 1},
        }
        replay = await page.ask(has)
        assert {c: (r["held"], r["gone"]) for c, r in replay.index.items()} == {
            "a": (True, False),
            "b": (False, False),
            "c": (False, True),
        }
        assert {m["parent"] for m in replay.messages} == {lacks, gone}
        assert all(r["adopted"] is None for r in replay.index.values())

    asyncio.run(scenario())


def test_a_question_that_waits_is_asked_again_and_answered_from_another_page(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute("print('hello', input('name? '))", "a", allow_stdin=True)
        await until(lambda: page.of(cell, "input_request"), 20, "the question")
        await page.close()
        later = Stream("later", cursor=True)
        await later.open(link)
        replay = await later.ask({"a": None})
        (question,) = replay.of(cell, "input_request")
        assert question["content"]["prompt"] == "name? "
        assert replay.index["a"]["asks"] == question["sequence"]
        await later.send("stdin", "input_reply", {"value": "ada", "status": "ok"})
        await later.reply(cell)
        assert later.text(cell) == "hello ada\n"
        # What it asks after that goes to the page that has adopted it.
        again = await page.open(link)
        assert again["gap"] is None

    asyncio.run(scenario())


def test_an_adopted_cell_asks_the_page_that_has_adopted_it(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, later = Stream("page", cursor=True), Stream("later", cursor=True)
        await page.open(link)
        await later.open(link)
        code = f"{WAIT.format('go')}print(input('1'), input('2'))"
        cell = await page.execute(code, "a", allow_stdin=True)
        await until(lambda: page.of(cell, "execute_input"), 20, "the cell")
        assert (await later.ask({"a": None})).index["a"]["asks"] is None
        (fleet.cwd / "go").touch()
        for value in "xy":
            await until(lambda: later.of(cell, "input_request"), 20, "the question")
            assert later.messages.pop()["type"] == "input_request"
            await later.send("stdin", "input_reply", {"value": value, "status": "ok"})
        await later.reply(cell)
        assert later.text(cell) == "x y\n"
        assert len(page.of(cell, "input_request")) == 2, "the first page is asked as well"

    asyncio.run(scenario())


def test_a_display_that_a_later_cell_changed_is_replayed_with_the_change(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        show = "_ = display({'text/plain': %r}, raw=True, display_id='d'%s)"
        cell = await page.execute(show % ("first", ""), "a")
        before = (await end_of(page, cell))["last"]
        other = await page.execute(show % ("second", ", update=True"), "b")
        last = (await end_of(page, other))["last"]
        replay = await page.ask(
            {
                "a": {"request": cell, "number": before},
                "b": {"request": other, "number": last},
            }
        )
        assert replay.index["b"]["held"]
        assert not replay.index["a"]["held"]
        assert [
            m["content"]["data"]["text/plain"] for m in replay.messages if "data" in m["content"]
        ] == ["first", "second"]

    asyncio.run(scenario())


def test_much_output_is_replayed_from_disk_in_parts_and_few_messages(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(journal_memory_bytes=2**20)
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute("for i in range(20_000): print(i, flush=True)", "a")
        await page.reply(cell, 120)
        other = await page.execute(
            "for i in range(30): display({'text/plain': str(i) * 50_000}, raw=True)", "b"
        )
        await page.reply(other)
        later = Stream("later", cursor=True)
        await later.open(link)
        replay = await later.ask({"a": None, "b": None})
        assert replay.text(cell) == page.text(cell) == lines(20_000)
        assert len(replay.of(cell, "stream")) <= replay.parts < 30
        assert replay.longest < 3 * 2**20
        shown = [m["content"]["data"]["text/plain"] for m in replay.of(other, "display_data")]
        assert shown == [str(i) * 50_000 for i in range(30)]
        # The same again after a cut in the middle of it: parts are numbered messages.
        cut = Stream("cut", cursor=True)
        await cut.open(link)
        assert (await cut.ask({"a": None, "b": None})).text(cell) == lines(20_000)
        half = cut.of(None, "replay")[1]["sequence"]
        rest = Stream("cut", cut.nonce, cursor=True)
        rest.journal, rest.sent = cut.journal, cut.sent
        await rest.open(link, received=half)
        await until(lambda: len(rest.of(None, "replay")) == replay.parts - 2, 30, "the other parts")
        # As if they had not been sent before, but for the names of the parts.
        assert [m["buffers"] for m in rest.of(None, "replay")] == [
            m["buffers"] for m in cut.of(None, "replay")[2:]
        ]

    asyncio.run(scenario())


def test_every_page_learns_of_a_cell_before_its_output_and_gets_its_reply(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page, other = Stream("page", cursor=True), Stream("other", cursor=True)
        stock, lab = Stream("stock"), Stream("page")
        for stream in (page, other, stock, lab):
            await stream.open(link)
        cell = await page.execute("print(1)", "a")
        console = await page.execute("print(2)")
        for stream in (page, lab):
            await stream.reply(cell)
            await stream.reply(console)
        await other.reply(cell)
        await until(lambda: records(other, console)[1:], 20, "the end of the other request")
        types = [m["type"] for m in other.messages if cell in (m["parent"], records_of(m))]
        assert types[0] == "request"
        assert [r["state"] for r in records(other, cell)] == ["queued", "done"]
        assert records(other, console)[0]["cell"] is None
        assert not other.of(console, "execute_reply"), "replies without a cell are the page's alone"
        await until(lambda: stock.idle(console), 20, "the end")
        for stream in (stock, lab):
            assert not [m for m in stream.messages if m["channel"] == "fleet"]
        assert not stock.of(None, "execute_reply")
        # A stream that is no page's cannot ask.
        await stock.send("fleet", "ask", {"cells": {}})
        assert await stock.run("print(3)") == "3\n"
        assert not stock.of(None, "replay")

    asyncio.run(scenario())


def records_of(message: dict[str, Any]) -> str | None:
    """The request that a message of the agent is about."""
    request: str | None = message["content"].get("request")
    return request


def test_a_question_that_cannot_be_read_is_dropped(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page", cursor=True)
        await page.open(link)
        await page.send("fleet", "ask", {"cells": []})
        await page.send("fleet", "tell", {"cells": {}})
        assert (await page.ask({"a": {"request": 5, "number": "x"}})).index == {}
        assert await page.run("print(1)") == "1\n"

    asyncio.run(scenario())


def test_a_widget_that_moves_all_the_time_costs_no_output(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        limits = {"journal_memory_bytes": 2**18, "journal_comm_bytes": 2**18}
        link = await fleet.running(**limits, journal_disk_bytes=2**24)
        page = Stream("page", cursor=True)
        await page.open(link)
        before = page.received
        cell = await page.execute(
            "import comm, os\n"
            "one = comm.create_comm(target_name='t')\n"
            "for i in range(3000):\n"
            "    one.send({'value': i, 'noise': os.urandom(300).hex()})\n"
            "    if i % 100 == 0: print(i, flush=True)",
            "a",
        )
        while not page.idle(cell):
            await page.acknowledge()
            await asyncio.sleep(0.05)
        assert len(page.of(cell, "comm_msg")) == 3000
        printed = "".join(f"{i}\n" for i in range(0, 3000, 100))
        assert page.text(cell) == printed
        # A new page gets all that the cell shows, and is told of nothing else.
        later = Stream("later", cursor=True)
        await later.open(link)
        replay = await later.ask({"a": None})
        assert replay.text(cell) == printed
        assert replay.missing == []
        moved = [m["content"]["data"]["value"] for m in replay.of(cell, "comm_msg")]
        assert 0 < len(moved) < 3000
        # Disk and memory drop on their own: some may be left that are older than dropped ones.
        assert (moved, moved[-1]) == (sorted(set(moved)), 2999)
        # One that had the widget before is told.
        await page.close()
        opened = await page.open(link, received=max(before, 0))
        first, last = opened["gap"]
        assert first == max(before, 0) + 1
        kept = {message["sequence"] for message in replay.of(cell, "comm_msg")}
        assert last not in kept
        assert last < max(kept)

    asyncio.run(scenario())
