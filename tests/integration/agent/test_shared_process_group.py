"""An agent in a container that ends with its process group, as those of YARN do."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, is_running, until

SLEEP = "import subprocess; print(subprocess.Popen(['sleep', '300'], start_new_session={}).pid)"


class Container:
    """The agent below a program, beside another one, all in one group: in YARN these are the
    driver's JVM and what it starts."""

    def __init__(self, fleet: Fleet, folder: Path) -> None:
        self.fleet = fleet
        self._other = folder / "other"
        fleet.agent_command = [
            "sh",
            "-c",
            f'sleep 300 & echo $! >{self._other}; "$0" -m gateway_ext.agent; exit $?',
            sys.executable,
        ]

    async def start(self) -> tuple[Link, Stream]:
        """Returns when the kernel runs."""
        self.fleet.gateway()
        link = await self.fleet.running(keep_process_group=True)
        page = Stream("page")
        await page.open(link)
        return link, page

    @property
    def group(self) -> int:
        """The process group, and the program that leads it."""
        return self.fleet.agent.pid

    @property
    def others(self) -> list[int]:
        """The processes that are not the agent's."""
        return [self.group, int(self._other.read_text())]

    def signal(self, number: int) -> None:
        """What a NodeManager does."""
        os.killpg(self.group, number)

    def stop(self) -> None:
        """Ends it, also if a test failed."""
        if self.fleet.agent.poll() is None:
            self.signal(signal.SIGKILL)


@pytest.fixture
def container(fleet: Fleet, tmp_path: Path) -> Iterator[Container]:
    container = Container(fleet, tmp_path)
    yield container
    container.stop()


def test_the_kernel_and_its_children_are_in_the_container_s_group(container: Container) -> None:
    async def scenario() -> None:
        link, page = await container.start()
        child = int(await page.run(SLEEP.format(False)))
        for pid in (link.state["pid"], child):
            assert os.getpgid(pid) == container.group
        # Also those of a kernel that was not forked ahead.
        await link.command("restart")
        assert os.getpgid(link.state["pid"]) == container.group

    asyncio.run(scenario())


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_the_end_of_the_group_is_the_end_of_the_kernel_and_its_children(
    container: Container, number: int
) -> None:
    async def scenario() -> None:
        link, page = await container.start()
        inside = [link.state["pid"], int(await page.run(SLEEP.format(False)))]
        detached = int(await page.run(SLEEP.format(True)))
        if number == signal.SIGTERM:
            # The agent has time to end what is no more in the group.
            inside.append(detached)
        container.signal(number)
        try:
            await until(lambda: not any(map(is_running, inside)), 30, "everything has ended")
        finally:
            if is_running(detached):
                os.kill(detached, signal.SIGKILL)

    asyncio.run(scenario())


def test_an_interrupt_reaches_the_cell_and_its_children_and_nothing_else(
    container: Container,
) -> None:
    async def scenario() -> None:
        link, page = await container.start()
        cell = await page.execute(
            "import subprocess; child = subprocess.Popen(['sleep', '300']); print('on')\n"
            "import time; time.sleep(60)"
        )
        await until(lambda: page.text(cell), 30, "the cell runs")
        await link.command("interrupt")
        assert (await page.reply(cell))["ename"] == "KeyboardInterrupt"
        assert await page.run("print(child.wait(10))") == f"{-signal.SIGINT}\n"
        assert all(map(is_running, container.others))
        assert link.state["restarts"] == 0

    asyncio.run(scenario())


def test_a_restart_ends_what_the_kernel_started_and_nothing_else(container: Container) -> None:
    async def scenario() -> None:
        link, page = await container.start()
        before, child = link.state["pid"], int(await page.run(SLEEP.format(False)))
        detached = int(await page.run(SLEEP.format(True)))
        await link.command("restart")
        assert not is_running(before)
        await until(lambda: not is_running(child), 30, "the child has ended")
        # As of every kernel, what left its group stays until the kernel is shut down.
        assert all(map(is_running, [*container.others, detached]))
        assert await page.run("print('new')") == "new\n"
        await link.command("shutdown", now=False)
        await until(lambda: not is_running(detached), 30, "the detached child has ended")

    asyncio.run(scenario())


def test_a_kernel_that_crashes_leaves_no_child_and_starts_again(container: Container) -> None:
    async def scenario() -> None:
        link, page = await container.start()
        child = int(await page.run(SLEEP.format(False)))
        await page.execute("import os; os._exit(3)")
        await until(lambda: link.state["restarts"] == 1, 30, "a restart")
        await until(lambda: link.state["process"] == "running", 20, "runs again")
        assert not is_running(child)
        assert all(map(is_running, container.others))

    asyncio.run(scenario())
