"""Whatever one user wants of the threads, the others get theirs."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.platform.fair_turns import FairTurns


class Jobs:
    """Jobs that run until they are told to end."""

    def __init__(self) -> None:
        self.threads = FairThreads(4, 2, thread_name_prefix="fair")
        self.begun: list[str] = []
        self._ends: dict[str, threading.Event] = {}
        self._tasks: dict[str, asyncio.Task[str]] = {}

    def start(self, *names: str) -> None:
        """Ask for jobs; the user is the first letter."""
        for name in names:
            end = self._ends[name] = threading.Event()

            def job(name: str = name, end: threading.Event = end) -> str:
                self.begun.append(name)
                end.wait()
                return name

            self._tasks[name] = asyncio.ensure_future(self.threads.run(name[0], job))

    def let_end(self, name: str) -> None:
        self._ends[name].set()

    async def end(self, name: str) -> None:
        self.let_end(name)
        assert await self._tasks[name] == name

    def cancel(self, name: str) -> asyncio.Task[str]:
        self._tasks[name].cancel()
        return self._tasks[name]

    async def until(self, *names: str) -> None:
        """Wait until these have begun, and no others."""
        async with asyncio.timeout(10):
            while len(self.begun) < len(names):  # noqa: ASYNC110 (threads set it)
                await asyncio.sleep(0.001)
        assert sorted(self.begun) == sorted(names)

    async def end_all(self) -> None:
        for end in self._ends.values():
            end.set()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)


@asynccontextmanager
async def some_jobs() -> AsyncIterator[Jobs]:
    made = Jobs()
    try:
        yield made
    finally:
        await made.end_all()


async def test_one_user_takes_half_of_the_threads_and_another_begins_at_once() -> None:
    async with some_jobs() as jobs:
        jobs.start("a1", "a2", "a3", "a4", "a5", "b1")
        await jobs.until("a1", "a2", "b1")
        await jobs.end("a1")
        await jobs.until("a1", "a2", "b1", "a3")


async def test_users_who_wait_have_turns() -> None:
    async with some_jobs() as jobs:
        begun = ["a1", "a2", "b1", "b2"]
        jobs.start(*begun)
        await jobs.until(*begun)
        jobs.start("a3", "a4", "a5", "c1", "c2", "d1")
        # a waited first, but holds its two; when it may have one, the others have had theirs.
        for ended, next_one in (("b1", "c1"), ("b2", "d1"), ("a1", "a3"), ("c1", "c2")):
            await jobs.end(ended)
            begun.append(next_one)
            await jobs.until(*begun)


async def test_what_is_canceled_while_it_waits_is_never_called() -> None:
    async with some_jobs() as jobs:
        jobs.start("a1", "a2", "a3", "a4")
        await jobs.until("a1", "a2")
        with pytest.raises(asyncio.CancelledError):
            await jobs.cancel("a3")
        await jobs.end("a1")
        await jobs.until("a1", "a2", "a4")


async def test_what_runs_holds_its_thread_until_it_ends_though_nobody_waits_for_it() -> None:
    async with some_jobs() as jobs:
        jobs.start("a1", "a2", "a3")
        await jobs.until("a1", "a2")
        with pytest.raises(asyncio.CancelledError):
            await jobs.cancel("a1")
        jobs.start("b1")
        await jobs.until("a1", "a2", "b1")
        jobs.let_end("a1")
        await jobs.until("a1", "a2", "b1", "a3")


async def test_a_turn_that_comes_as_it_is_canceled_goes_to_the_next() -> None:
    turns: FairTurns[str] = FairTurns(1, 1)
    await turns.take("a")
    first = asyncio.ensure_future(turns.take("a"))
    second = asyncio.ensure_future(turns.take("b"))
    await asyncio.sleep(0)
    turns.give_back("a")
    first.cancel()
    await asyncio.wait_for(second, 10)
    assert first.cancelled()


async def test_errors_come_back_and_give_the_thread_back() -> None:
    def fail() -> None:
        raise LookupError("no")

    threads = FairThreads(1, 1, thread_name_prefix="fair")
    for _ in range(3):
        with pytest.raises(LookupError):
            await asyncio.wait_for(threads.run("a", fail), 10)
