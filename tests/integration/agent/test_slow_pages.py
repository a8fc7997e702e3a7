"""A page that reads more slowly than the kernel prints, and a journal that cannot keep it all."""

from __future__ import annotations

import asyncio
import time

from gateway_ext.agent.slow_readers import MOST_SECONDS
from tests.integration.agent.scripted_gateway import Fleet, Stream, until

LIMITS = {"journal_memory_bytes": 2**19, "journal_disk_bytes": 2**21}
LINES = 200


def printing(done: str) -> str:
    """Code that prints ten times as much as the journal keeps, and makes a file at its end."""
    return (
        "import os, base64, pathlib\n"
        f"for i in range({LINES}):\n"
        "    print(i, base64.b64encode(os.urandom(75_000)).decode(), flush=True)\n"
        f"pathlib.Path({done!r}).touch()"
    )


def test_a_page_that_reads_slowly_slows_the_kernel_and_misses_nothing(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(**LIMITS)
        page = Stream("page", cursor=True)
        await page.open(link)
        cell = await page.execute(printing("printed"), "a")
        # It says what it has read when it has read so much more.
        for most in range(20, LINES, 20):
            await until(lambda most=most: len(page.of(cell, "stream")) >= most, 60, f"{most} lines")
            assert not (fleet.cwd / "printed").exists(), "nobody has waited for the page"
            await page.acknowledge()
        await page.reply(cell, 60)
        shown = [int(line.split()[0]) for line in page.text(cell).splitlines()]
        assert shown == list(range(LINES))
        assert not page.closed

    asyncio.run(scenario())


def test_a_page_that_does_not_read_is_cut_and_the_kernel_goes_on(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(**LIMITS)
        page, other = Stream("page", cursor=True), Stream("other")
        await page.open(link)
        await other.open(link)
        had = page.received
        begun = time.monotonic()
        cell = await other.execute(printing("printed"))
        await until(lambda: page.closed, MOST_SECONDS + 60, "the page is cut")
        assert time.monotonic() - begun >= MOST_SECONDS
        assert "too slowly" in page.closed
        assert not (fleet.cwd / "printed").exists()
        # It comes back, and reads no more than before: nobody waits for it a second time.
        page.received = had
        begun = time.monotonic()
        opened = await page.open(link)
        assert opened["gap"] is not None
        await other.reply(cell, MOST_SECONDS + 60)
        assert time.monotonic() - begun < MOST_SECONDS
        assert not page.closed
        # Once it has everything it is as others are.
        await until(lambda: page.idle(cell), 60, "the end")
        assert await other.run("print('after')") == "after\n"

    asyncio.run(scenario())
