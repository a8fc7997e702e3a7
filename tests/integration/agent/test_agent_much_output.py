"""Cells that print more than memory holds: all of it comes, and neither agent nor kernel grows."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from gateway_ext.agent.output_credit import MOST_BUFFERED, MOST_OWED
from gateway_ext.agent.written_region import FILE_BYTES
from tests.integration.agent.memory import Growth
from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until

MB = 2**20
MOST_MORE = 20 * MB
"""How much more than its bound a process may have."""
KERNEL_BOUND = MOST_OWED + MOST_BUFFERED + FILE_BYTES
"""With the file of what was printed last, which the kernel maps."""
AGENT_BOUND = 16 * MB
"""In memory, as a gateway sets it unless it is told otherwise; the disk has the default as well."""
PRINTED = "\npathlib.Path('printed').touch()"


def printing(lines: int) -> str:
    """Code that prints so many numbered lines of about 100 characters."""
    return f"for i in range({lines}): print(i, 'x' * 96)"


def expected(lines: int) -> str:
    tail = "x" * 96
    return "".join(f"{number} {tail}\n" for number in range(lines))


async def start(fleet: Fleet, page: Stream, memory_bytes: int) -> tuple[Link, Growth]:
    """A running kernel with this page on it, and how much it and its agent grow from now on."""
    fleet.gateway()
    link = await fleet.running(journal_memory_bytes=memory_bytes)
    await page.open(link)
    await page.run("import pathlib")
    return link, Growth(fleet.agent.pid, link.state["pid"])


async def watched(growth: Growth, reached: Callable[[], Any], seconds: float, what: str) -> None:
    """Wait for a condition, with an eye on the agent's memory."""

    def look() -> Any:
        growth.look()
        return reached()

    await until(look, seconds, what)


async def wait_for_print(fleet: Fleet, link: Link, growth: Growth, seconds: float) -> None:
    """Return when the cell has printed everything and the agent has all of it."""

    def has_ended() -> bool:
        return (fleet.cwd / "printed").exists() and link.state["execution_state"] == "idle"

    await watched(growth, has_ended, seconds, "the cell's end")


def assert_small(growth: Growth, agent_bound: int, code_bytes: int = 0) -> None:
    """Neither process is above its bound by much; the cell's own code needs `code_bytes`."""
    assert growth.agent < agent_bound + MOST_MORE, f"agent: {growth.agent / MB:.0f} MB"
    kernel_bound = KERNEL_BOUND + code_bytes
    assert growth.kernel < kernel_bound + MOST_MORE, f"kernel: {growth.kernel / MB:.0f} MB"


@pytest.mark.parametrize(
    "lines", [200_000, pytest.param(2_000_000, marks=[pytest.mark.long, pytest.mark.timeout(900)])]
)
def test_what_is_printed_while_nobody_reads_is_complete_and_takes_no_memory(
    fleet: Fleet, lines: int
) -> None:
    async def scenario() -> None:
        memory_bytes = 4 * MB
        page = Stream("page", cursor=True)
        link, growth = await start(fleet, page, memory_bytes)
        cell = await page.execute(printing(lines) + PRINTED, "a")
        await page.close()
        await wait_for_print(fleet, link, growth, lines / 2000 + 60)
        assert_small(growth, memory_bytes)
        folder = fleet.directory / "journal"
        assert folder.stat().st_mode & 0o777 == 0o700
        assert sum(file.stat().st_size for file in folder.iterdir()) < lines * 100 / 4
        later = Stream("later", cursor=True)
        await later.open(link)
        replay = await later.ask({"a": None})
        assert replay.missing == []
        assert replay.text(cell) == expected(lines)
        # A stream that goes on where it was gets the same.
        await page.open(link)
        await page.reply(cell, 60 + lines / 5000)
        assert page.text(cell) == expected(lines)

    asyncio.run(scenario())


class HashingStream(Stream):
    """Keeps the length and the hash of what is printed, not the text: a page's memory is not what
    is tested."""

    def __init__(self, session_id: str) -> None:
        super().__init__(session_id, cursor=True)
        self.printed = 0
        self.hash = hashlib.sha256()

    def take(self, sequence: int, acknowledged: int, message: bytes) -> None:
        """See the base class."""
        super().take(sequence, acknowledged, message)
        if self.messages and self.messages[-1]["type"] == "stream":
            text = self.messages.pop()["content"]["text"].encode()
            self.printed += len(text)
            self.hash.update(text)


PRINTS, PRINT_BYTES = 1000, 1_000_000
LINES = {
    "compressible": """
def line(number):
    return f"{number:06d} {'all work and no play makes a dull log ' * 30_000}"[:999_999]
""",
    # Of text, it is what shrinks least: three quarters are left.
    "random": """
import base64, random
def line(number):
    return f"{number:06d} " + base64.b64encode(random.Random(number).randbytes(749_994)).decode()
""",
}
"""Code that makes the lines, 1 MB each with their ends; in the kernel and here."""


@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("is_read", [True, False], ids=["read", "unread"])
@pytest.mark.parametrize("kind", LINES)
def test_1_gb_in_prints_of_1_mb_is_complete_to_the_byte_and_takes_no_memory(
    fleet: Fleet, kind: str, is_read: bool
) -> None:
    async def scenario() -> None:
        page = HashingStream("page")
        link, growth = await start(fleet, page, AGENT_BOUND)
        await page.run(LINES[kind])
        before = page.printed
        page.hash = hashlib.sha256()
        cell = await page.execute(f"for i in range({PRINTS}): print(line(i)){PRINTED}", "a")
        if not is_read:
            await page.close()
            await wait_for_print(fleet, link, growth, 300)
            opened = await page.open(link)
            assert opened["gap"] is None

        def has_ended() -> bool:
            return bool(page.of(cell, "execute_reply")) and page.idle(cell)

        await watched(growth, has_ended, 600, "the cell's end in the page")
        assert page.printed - before == PRINTS * PRINT_BYTES
        here: dict[str, Any] = {}
        exec(LINES[kind], here)
        wanted = hashlib.sha256()
        for number in range(PRINTS):
            wanted.update(f"{here['line'](number)}\n".encode())
        assert page.hash.digest() == wanted.digest()
        # The code has a line four times: as bytes, in base64, as text, and with its number.
        assert_small(growth, AGENT_BOUND, 4 * PRINT_BYTES)

    asyncio.run(scenario())
