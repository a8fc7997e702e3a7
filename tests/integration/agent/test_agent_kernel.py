"""A real kernel under the agent, driven through a scripted gateway."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.integration.agent.scripted_gateway import Fleet, Stream, until


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.stop()


def test_a_cell_runs_and_its_output_and_reply_come_back(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running()
        page = Stream("page")
        opened = await page.open(link)
        assert opened["gap"] is None
        assert await page.run("print(6 * 7)") == "42\n"
        assert link.state["pid"] != fleet.agent.pid
        assert psutil.Process(link.state["pid"]).ppid() == fleet.agent.pid
        assert link.state["kernel_info"]["language_info"]["name"] == "python"

    asyncio.run(scenario())
