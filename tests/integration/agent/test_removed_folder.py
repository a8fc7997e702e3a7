"""A kernel whose code removes the agent's folder, as `!rm -rf /tmp/*` does."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until
from tests.integration.agent.test_agent_calls import ASK, opened, socket_of

REMOVE = "import os, shutil; shutil.rmtree(os.path.dirname(os.environ['FLEET_SOCKET']))"


@pytest.mark.parametrize("long", [False, True], ids=["own", "short"])
@pytest.mark.parametrize("replaced", [False, True], ids=["removed", "replaced"])
def test_it_serves_pages_that_come_later_and_restarts_with_everything_made_again(
    fleet: Fleet, long: bool, replaced: bool
) -> None:
    if long:
        fleet.directory = fleet.directory / ("d" * 100)

    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        path = await socket_of(page)
        await page.run("variable = 'kept'\n" + REMOVE)
        if long:
            await page.run(f"shutil.rmtree({str(fleet.directory)!r})")
        if replaced:
            await page.run(
                f"for name in ('k-1', 'k-3', 'k-4', 'leases', 'calls', 'connection.json'):\n"
                f"    os.makedirs({str(path.parent)!r} + '/' + name + '/inner')"
            )
        later = Stream("later")
        await later.open(link)
        asked = await later.send("shell", "kernel_info_request", {})
        await until(lambda: later.of(asked, "kernel_info_reply"), 30, "kernel_info_reply")
        assert (await later.run("print(variable)")).strip() == "kept"
        assert link.state["process"] == "running"
        for _ in range(2):
            await link.command("restart")
            await until(lambda: link.state["process"] == "running", 20, "it runs again")
            assert await socket_of(later) == path
        assert (await asyncio.to_thread(path.parent.stat)).st_mode & 0o777 == 0o700
        assert (await asyncio.to_thread(fleet.directory.stat)).st_mode & 0o777 == 0o700
        leases = await later.run("import os; print(os.listdir(os.environ['FLEET_LEASES']))")
        assert leases.strip() == "[]"
        cell = await later.execute(ASK.format(name="ask"))
        await link.answer_call({"number": 1})
        await later.reply(cell)
        assert json.loads(later.text(cell)) == {"number": 1}
        await link.command("shutdown", now=False)
        await until(lambda: not path.parent.exists(), 20, "nothing is left")

    asyncio.run(scenario())


FORKS = """
import os
for number in range(3):
    if (child := os.fork()) == 0:
        print(number, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.parametrize("remove", ["", REMOVE], ids=["there", "removed"])
def test_what_forked_processes_print_comes(fleet: Fleet, remove: str) -> None:
    async def scenario() -> None:
        fleet.gateway()
        _, page = await opened(fleet)
        cell = await page.execute(remove + FORKS)
        await until(lambda: page.text(cell).split() == ["0", "1", "2"], 30, "what forks print")

    asyncio.run(scenario())


def test_a_kernel_that_crashes_with_it_is_started_again(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        await page.execute(REMOVE + "; os.kill(os.getpid(), 9)")
        await until(lambda: link.state["restarts"] == 1, 20, "the crash is seen")
        await until(lambda: link.state["process"] == "running", 40, "it runs again")
        assert (await page.run("print(1)")).strip() == "1"

    asyncio.run(scenario())


def test_a_link_in_its_place_is_refused_in_words_without_a_path(
    fleet: Fleet, tmp_path: Path
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link, page = await opened(fleet)
        other = tmp_path / "other"
        await asyncio.to_thread(other.mkdir)
        await page.run(f"{REMOVE}; os.symlink({str(other)!r}, {str(fleet.directory)!r})")
        result = await link.command_frame(link.epoch, "restart")
        assert not result["ok"]
        assert "taken by a link" in result["message"]
        assert str(tmp_path) not in result["message"]
        assert await asyncio.to_thread(lambda: list(other.iterdir())) == []
        await asyncio.to_thread(fleet.directory.unlink)
        await link.command("restart")
        await until(lambda: link.state["process"] == "running", 20, "it runs again")

    asyncio.run(scenario())
