"""An agent whose kernel is nobody's: what it does before and after its claim."""

from __future__ import annotations

import asyncio
import json
import uuid
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.agent.scripted_gateway import (
    KERNELSPEC,
    REPOSITORY,
    Fleet,
    Link,
    Stream,
    is_running,
    until,
)

SEE = "import os, json; print(json.dumps([dict(os.environ), os.getcwd()]))"


def late(kernel_id: str, **more: Any) -> dict[str, Any]:
    """What a gateway says of the kernel as which it is claimed."""
    document = {
        "kernel_id": kernel_id,
        "kernelspec": json.loads(KERNELSPEC.read_text()) | {"env": {"FROM_SPEC": "${MINE}!"}},
        "environment": {"MINE": "of ada", "KERNEL_ID": kernel_id},
        "orphan_seconds": 60,
    }
    return document | more


async def pooled(fleet: Fleet) -> Link:
    """An agent that waits."""
    link = await fleet.running(pooled=True, environment={"OF_POOL": "yes", "KERNEL_ID": "pool"})
    assert link.state["pooled"] is True
    assert (link.state["execution_state"], link.state["pid"]) == ("idle", None)
    return link


async def claim(link: Link, document: dict[str, Any], raised: int = 0) -> dict[str, Any]:
    """The agent's result; the connection has a higher epoch from then on."""
    raised = raised or link.epoch + 1
    result = await link.command_frame(link.epoch, "claim", raised=raised, document=document)
    if result["ok"]:
        link.epoch = raised
    return result


def test_a_claimed_kernel_has_its_own_environment_and_folder_and_nothing_of_the_pool(
    fleet: Fleet, tmp_path: Path
) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        children = psutil.Process(fleet.agent.pid).children()
        kernel_id, folder = str(uuid.uuid4()), tmp_path / "of-ada"
        folder.mkdir()
        assert (await claim(link, late(kernel_id, cwd=str(folder))))["ok"]
        page = Stream("page")
        await page.open(link)
        environment, cwd = json.loads(await page.run(SEE))
        assert cwd == str(folder)
        assert (environment["MINE"], environment["FROM_SPEC"]) == ("of ada", "of ada!")
        assert environment["KERNEL_ID"] == kernel_id
        assert "OF_POOL" not in environment
        assert await asyncio.to_thread(Path(environment["FLEET_SOCKET"]).is_socket)
        # It is the process that waited, with its imports done.
        assert link.state["pid"] in [child.pid for child in children]
        assert link.state["pooled"] is False
        # The process after that has the same.
        await link.command("restart")
        assert json.loads(await page.run(SEE))[0]["MINE"] == "of ada"

    asyncio.run(scenario())


def test_before_its_claim_a_kernel_can_only_be_claimed_handed_over_or_ended(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        for command in ("interrupt", "restart"):
            result = await link.command_frame(link.epoch, command)
            assert not result["ok"]
            assert "nobody's" in result["message"]
        stream = {"stream": 5, "session_id": "s", "nonce": "n", "received": None}
        result = await link.command_frame(link.epoch, "open", **stream)
        assert not result["ok"]
        children = psutil.Process(fleet.agent.pid).children()
        await link.command("shutdown", now=False)
        await fleet.agent_ends()
        await until(lambda: not any(is_running(c.pid) for c in children), 30, "the fork ends")
        assert not fleet.directory.exists()

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "wrong",
    [
        {"kernel_id": ""},
        {"environment": {"A": 1}},
        {"kernelspec": {}},
        {"orphan_seconds": 0},
        {"cwd": "relative"},
    ],
)
def test_a_claim_that_cannot_be_read_changes_nothing(fleet: Fleet, wrong: dict[str, Any]) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        result = await claim(link, late(str(uuid.uuid4())) | wrong)
        assert not result["ok"]
        assert next(iter(wrong)) in result["message"]
        # It can still be claimed.
        assert (await claim(link, late(str(uuid.uuid4()))))["ok"]

    asyncio.run(scenario())


def test_a_kernel_is_claimed_once(fleet: Fleet) -> None:
    async def scenario() -> None:
        first, second = fleet.gateway(), fleet.gateway()
        link = await pooled(fleet)
        old, kernel_id = link.epoch, str(uuid.uuid4())
        assert (await claim(link, late(kernel_id), raised=first.epochs()))["ok"]
        # Whoever owned it before can do nothing any more.
        assert not (await link.command_frame(old, "interrupt"))["ok"]
        # Its gateway ended before it heard that: the next one says it again.
        first.close()
        again = await second.link()
        assert again.hello["state"]["pooled"] is False
        assert (await claim(again, late(kernel_id)))["ok"]
        other = await claim(again, late(str(uuid.uuid4())))
        assert "somebody has it already" in other["message"]
        page = Stream("page")
        await page.open(again)
        assert await page.run("import os; print(os.environ['KERNEL_ID'])") == f"{kernel_id}\n"

    asyncio.run(scenario())


def test_what_comes_between_a_claim_and_its_kernel_waits_for_it(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        assert (await claim(link, late(str(uuid.uuid4()))))["ok"]
        page = Stream("page")
        await page.open(link)
        requests = [await page.execute(f"x = {n}; print(x)") for n in range(3)]
        for number, request in enumerate(requests):
            await page.reply(request)
            assert page.text(request) == f"{number}\n"

    asyncio.run(scenario())


def test_variables_that_only_a_new_process_obeys_are_obeyed(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        children = psutil.Process(fleet.agent.pid).children()
        environment = {"PYTHONPATH": f"{REPOSITORY}:/of-ada"}
        assert (await claim(link, late(str(uuid.uuid4()), environment=environment)))["ok"]
        page = Stream("page")
        await page.open(link)
        assert await page.run("import sys; print('/of-ada' in sys.path)") == "True\n"
        assert link.state["pid"] not in [child.pid for child in children]
        await until(lambda: not any(is_running(c.pid) for c in children), 30, "the fork ends")

    asyncio.run(scenario())


def test_a_kernel_that_cannot_start_after_its_claim_says_why(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await pooled(fleet)
        assert (await claim(link, late(str(uuid.uuid4()), cwd="/no/such/folder")))["ok"]
        await until(lambda: link.state["process"] == "dead", 30, "it is dead")
        assert "/no/such/folder" in link.state["reason"]

    asyncio.run(scenario())
