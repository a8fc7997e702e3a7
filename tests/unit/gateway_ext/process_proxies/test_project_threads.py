"""Blocking work of one project beside that of others."""

import asyncio
import threading

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
        used: set[int] = set()

        def work() -> None:
            used.add(threading.get_ident())

        await asyncio.gather(*(threads.run("a", work) for _ in range(50)))
        assert len(used) <= 2
        while any(one.name.startswith("fleet-test") for one in threading.enumerate()):
            await asyncio.sleep(0.01)

    asyncio.run(asyncio.wait_for(run(), 30))


def test_errors_of_the_work_are_raised() -> None:
    async def run() -> None:
        threads = ProjectThreads(1, "test")
        for _ in range(2):
            with pytest.raises(ZeroDivisionError):
                await threads.run("a", lambda: 1 / 0)

    asyncio.run(run())
