"""A page that reads more slowly than the kernel prints, and a journal that cannot keep it all."""

from __future__ import annotations

import asyncio
import sys
import time

import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until

LIMITS = {"journal_memory_bytes": 2**19, "journal_disk_bytes": 2**21}
MEMORY_ALONE = {"journal_memory_bytes": 2**24, "journal_disk_bytes": 0}
LINES = 300
MOST_SECONDS = 10.0
"""In place of 30. tests/unit/agent/test_slow_readers.py has the agent's own."""
IMPATIENT = f"""
from gateway_ext.agent import program, slow_readers
slow_readers.MOST_SECONDS = {MOST_SECONDS}
program.main()
"""
"""An agent that waits for slow pages for so long."""


def printing(lines: int, done: str) -> str:
    """Code that prints more than the journal keeps and the kernel may owe, and makes a file at its
    end."""
    return (
        "import os, base64, pathlib\n"
        f"for i in range({lines}):\n"
        "    print(i, base64.b64encode(os.urandom(75_000)).decode(), flush=True)\n"
        f"pathlib.Path({done!r}).touch()"
    )


async def until_it_stands(page: Stream, cell: str) -> int:
    """How many lines have come when no more do."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 2:
        await asyncio.sleep(0.05)
        count = len(page.of(cell, "stream"))
        if count != before:
            before, since = count, time.monotonic()
    return before


@pytest.mark.parametrize("limits", [LIMITS, MEMORY_ALONE], ids=["on disk", "in memory alone"])
def test_a_page_that_reads_slowly_slows_the_kernel_and_misses_nothing(
    fleet: Fleet, limits: dict[str, int]
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(**limits)
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute(printing(LINES, "printed"), "a")
        await until(lambda: len(page.of(cell, "stream")) > 20, 30, "the first lines")
        # They have come, and are not said to have been handed over: a reload would lose them.
        assert 20 < await until_it_stands(page, cell) < LINES
        assert not (fleet.cwd / "printed").exists(), "nobody has waited for the page"
        # Others are served meanwhile.
        other = Stream("other", cursor=True)
        await other.open(link)
        assert (await other.ask({"a": None}, adopt=False)).index["a"]["request"] == cell
        await other.close()
        assert not page.closed
        # The reply is on a channel of its own: lines may come after it.
        while not (page.of(cell, "execute_reply") and page.idle(cell)):
            await page.acknowledge()
            await asyncio.sleep(0.05)
        shown = [int(line.split()[0]) for line in page.text(cell).splitlines()]
        assert shown == list(range(LINES))
        assert not page.closed
        # A page that comes from before all that is told that it lacks something.
        late = await Stream("late", cursor=True).open(link, received=page.messages[0]["sequence"])
        assert late["gap"] is not None

    asyncio.run(scenario())


def test_a_page_that_does_not_read_is_cut_and_the_kernel_goes_on(fleet: Fleet) -> None:
    fleet.agent_command = [sys.executable, "-c", IMPATIENT]

    async def scenario() -> None:
        gateway = fleet.gateway()
        link = await fleet.running(**LIMITS)
        page, other = Stream("page", cursor=True), Stream("other")
        await page.open(link)
        await page.run("print('before')")
        had = page.received
        await other.open(link)
        cell = await other.execute(printing(LINES // 2, "printed"))
        await until(lambda: page.closed, MOST_SECONDS + 60, "the page is cut")
        assert "too slowly" in page.closed
        assert not (fleet.cwd / "printed").exists()
        await other.reply(cell, 60)
        # It comes back, and says of nothing that it has it: nobody waits for it a second time.
        page.received = had
        opened = await page.open(link)
        assert opened["gap"] is not None
        while not page.idle(cell):
            ended = link.closed
            await until(lambda e=ended: page.idle(cell) or page.closed or e.is_set(), 60, "the end")
            if ended.is_set():
                # More was dropped than the connection has taken.
                link = await gateway.link()
                await other.open(link)
                await page.open(link)
            elif page.closed:
                # More was dropped while it caught up.
                await page.open(link)
        again = await other.execute(printing(LINES // 5, "again"))
        await other.reply(again, 60)
        await until(lambda: page.idle(again), 60, "the end of the other cell")
        assert not page.closed

    asyncio.run(scenario())
