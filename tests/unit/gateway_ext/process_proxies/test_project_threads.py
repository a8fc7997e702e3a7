"""Blocking work of one project beside that of others."""

import asyncio
import threading
import time

import pytest

from gateway_ext.process_proxies.project_threads import ProjectThreads


def test_work_of_one_project_that_hangs_holds_up_no_other_project() -> None:
    async def run() -> None:
        threads = ProjectThreads(2, "test")
        end = threading.Event()
        hanging = [asyncio.ensure_future(threads.run("a", end.wait)) for _ in range(20)]
        try:
            for project in "bcd":
                assert await asyncio.wait_for(threads.run(project, lambda: 42), 30) == 42
        finally:
            end.set()
        assert await asyncio.gather(*hanging) == [True] * 20

    asyncio.run(run())


def test_a_project_has_no_more_threads_than_it_may_and_none_without_work() -> None:
    async def run() -> None:
        threads = ProjectThreads(2, "fleet-test")
        together = threading.Barrier(2)
        present: list[int] = []
        most: list[int] = []

        def work() -> None:
            present.append(1)
            # In pairs: two threads there are.
            together.wait(30)
            most.append(len(present))
            together.wait(30)
            present.pop()

        await asyncio.gather(*(threads.run("a", work) for _ in range(50)))
        assert max(most) == 2

    asyncio.run(run())
    deadline = time.monotonic() + 30
    while any(one.name.startswith("fleet-test") for one in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_errors_of_the_work_are_raised() -> None:
    async def run() -> None:
        threads = ProjectThreads(1, "test")
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await threads.run("a", lambda: 1 / 0)

    asyncio.run(run())
