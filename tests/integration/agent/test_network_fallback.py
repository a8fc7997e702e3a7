"""Kernels start where the way to the internet that their machine had is gone, and say so."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.agent.walls.probe import why_not
from gateway_ext.agent.walls.way_out import PROGRAMS, TUN
from tests.integration.agent.scripted_gateway import Fleet, Stream, until

_NO_PASTA = 'mount --bind /dev/null "$1" && shift && exec "$@"'
TOLD = "import os; print(os.environ['FLEET_NETWORK'], os.environ['FLEET_NETWORK_WHY'])"


@pytest.fixture(autouse=True)
def _can_be_tried(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root takes pasta away")
    if reason := why_not(tmp_path, Network(Reach.INTERNET)):
        pytest.skip(reason)


def walls(**more: Any) -> dict[str, Any]:
    """Of a start document."""
    network = {"reach": "internet", "fallback": True, **more}
    return {"hidden": [], "shown": [], "network": network}


def test_a_kernel_starts_without_a_network_where_pasta_is_away(fleet: Fleet) -> None:
    pasta = shutil.which("pasta", path=PROGRAMS)
    assert pasta
    fleet.agent_command = ["unshare", "--mount", "sh", "-c", _NO_PASTA, "sh", pasta]
    fleet.agent_command += [sys.executable, "-m", "gateway_ext.agent"]

    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(walls=walls())
        page = Stream("page")
        await page.open(link)
        assert link.state["network"]["reach"] == "none"
        assert "pasta (Debian: passt) is not in" in link.state["network"]["why"]
        assert (await page.run(TOLD)).startswith("none pasta (Debian: passt)")
        # What people read who install something.
        words = "from gateway_ext.kernel_tools.network_words import words_about_network as about"
        said = await page.run(f"{words}\nimport os; print(about(os.environ))")
        assert said.startswith("This kernel reaches no network (pasta (Debian: passt)")

    asyncio.run(scenario())


def test_what_only_the_try_shows_is_no_end_and_a_restart_tries_again(
    fleet: Fleet, tmp_path: Path
) -> None:
    tun = tmp_path / "tun"

    async def scenario() -> None:
        fleet.gateway()
        link = await fleet.running(walls=walls(tun=str(tun)))
        page = Stream("page")
        await page.open(link)
        assert link.state["network"]["reach"] == "none"
        assert f"mount {TUN}" in link.state["network"]["why"]
        assert (await page.run(TOLD)).startswith("none mount")
        tun.symlink_to(TUN)
        await link.command("restart")
        await until(lambda: link.state["network"] == {"reach": "internet", "why": ""}, 20, "a way")
        await page.open(link)
        assert await page.run(TOLD) == "internet \n"
        tun.unlink()
        # A kernel that dies is started again without.
        await page.execute("import os; os.kill(os.getpid(), 9)")
        await until(lambda: link.state["network"]["reach"] == "none", 20, "no way")
        await until(lambda: link.state["process"] == "running", 40, "the kernel runs")

    asyncio.run(scenario())


def test_a_kernel_that_must_have_the_internet_does_not_start_without(
    fleet: Fleet, tmp_path: Path
) -> None:
    network = {"reach": "internet", "tun": str(tmp_path / "tun")}

    async def scenario() -> None:
        fleet.gateway()
        fleet.start(walls=walls() | {"network": network})
        link = await fleet._gateways[0].link()
        await until(lambda: link.state["process"] == "dead", 40, "the kernel is dead")
        assert f"mount {TUN}" in link.state["reason"]

    asyncio.run(scenario())
