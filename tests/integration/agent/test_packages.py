"""People's packages in a real kernel under a real agent: installed, found again, and left out."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.package_site import make_site, site_packages
from tests.integration.agent.scripted_gateway import KERNELSPEC, Fleet, Stream, until
from tests.servers.wheel import wheel


def said(page: Stream, request: str) -> str:
    """What a cell wrote to standard error."""
    streams = page.of(request, "stream")
    return "".join(m["content"]["text"] for m in streams if m["content"]["name"] == "stderr")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where a project's packages are."""
    return tmp_path / "packages"


def test_an_installed_package_is_there_at_once_and_in_the_next_process_and_goes_again(
    fleet: Fleet, folder: Path, tmp_path: Path
) -> None:
    async def scenario() -> None:
        mine = wheel(tmp_path, "of_mine", "answer = 42")
        # One that is imported before the kernel is forked from the agent.
        newer = wheel(tmp_path, "decorator", "answer = 43", version="99")
        fleet.gateway()
        link = await fleet.running(packages={"folder": str(folder)})
        page = Stream("page")
        await page.open(link)
        told = await page.run(f"%pip install --no-index {mine} {newer}")
        assert f"Installed in {folder}. Every kernel of this project" in told
        assert await page.run("import of_mine; print(of_mine.answer)") == "42\n"
        await link.command("restart")
        program = "import sys, of_mine, decorator; print(of_mine.answer, decorator.answer)"
        assert await page.run(program) == "42 43\n"
        in_another = f"subprocess.check_output([sys.executable, '-c', {program!r}], text=True)"
        assert await page.run(f"import subprocess; print({in_another})") == "42 43\n\n"
        assert "uninstalled of_mine-1.0" in await page.run("!pip uninstall -y of_mine")
        gone = "import importlib.util as u; print(u.find_spec('of_mine'))"
        assert await page.run(f"del sys.modules['of_mine']; {gone}") == "None\n"

    asyncio.run(scenario())


def test_a_new_kernel_finds_what_an_earlier_one_has_installed_forked_or_not(
    fleet: Fleet, folder: Path
) -> None:
    async def scenario() -> None:
        make_site(folder)
        (site_packages(folder) / "of_mine.py").write_text("answer = 42")
        fleet.gateway()
        link = await fleet.running(packages={"folder": str(folder)})
        page = Stream("page")
        await page.open(link)
        ask = "import of_mine, sys; print(of_mine.answer, sys.executable)"
        assert await page.run(ask) == f"42 {folder}/bin/python\n"
        # The second process of a kernel is a program of its own.
        await link.command("restart")
        assert await page.run(ask) == f"42 {folder}/bin/python\n"

    asyncio.run(scenario())


def test_in_a_pod_the_magic_says_how_long_it_lasts(fleet: Fleet, tmp_path: Path) -> None:
    async def scenario() -> None:
        mine = wheel(tmp_path, "of_mine", "answer = 42")
        fleet.gateway()
        link = await fleet.running(packages={"end_with": "pod"})
        page = Stream("page")
        await page.open(link)
        told = await page.run(f"%pip install --no-index {mine}")
        assert f"Installed in {fleet.directory}/packages. It ends with this kernel's pod" in told

    asyncio.run(scenario())


def with_options() -> dict[str, Any]:
    """A kernelspec whose program is Python, but not one that we run: it has its packages from its
    start on."""
    spec: dict[str, Any] = json.loads(KERNELSPEC.read_text())
    return spec | {"argv": ["python", "-X", "utf8", *spec["argv"][1:]]}


BROKEN = {
    "a .pth file that ends the process": ("x.pth", "import os; os._exit(7)"),
    "a .pth file that raises SystemExit": ("x.pth", "import sys; sys.exit(3)"),
    "an ipykernel that cannot be imported": ("ipykernel.py", "raise RuntimeError('broken')"),
}


@pytest.mark.parametrize(("name", "content"), BROKEN.values(), ids=BROKEN)
def test_a_kernel_that_fails_with_its_packages_starts_without_them_and_says_so(
    fleet: Fleet, folder: Path, name: str, content: str
) -> None:
    async def scenario() -> None:
        make_site(folder)
        (site_packages(folder) / name).write_text(content)
        (site_packages(folder) / "of_mine.py").write_text("answer = 42")
        fleet.gateway()
        packages = {"folder": str(folder)}
        link = await fleet.running(packages=packages, kernelspec=with_options())
        assert "without the project's packages" in link.state["reason"]
        page = Stream("page")
        await page.open(link)
        first = await page.execute("import importlib.util as u; print(u.find_spec('of_mine'))")
        await page.reply(first)
        await until(lambda: page.idle(first), 30, "the cell's end")
        assert "None\n" in page.text(first)
        assert "runs without the packages that %pip has installed" in said(page, first)
        second = await page.execute("print(1)")
        await page.reply(second)
        assert said(page, second) == ""
        # Whoever has removed what was to blame restarts the kernel.
        (site_packages(folder) / name).unlink()
        await link.command("restart")
        assert link.state["reason"] is None
        assert await page.run("import of_mine; print(of_mine.answer)") == "42\n"

    asyncio.run(scenario())


def test_a_folder_that_cannot_be_made_costs_no_kernel(fleet: Fleet, tmp_path: Path) -> None:
    async def scenario() -> None:
        (tmp_path / "file").write_text("")
        fleet.gateway()
        link = await fleet.running(packages={"folder": str(tmp_path / "file" / "packages")})
        page = Stream("page")
        await page.open(link)
        cell = await page.execute("print(6 * 7)")
        await page.reply(cell)
        await until(lambda: page.idle(cell), 30, "the cell's end")
        assert "cannot be created" in said(page, cell)

    asyncio.run(scenario())


def test_packages_run_in_the_kernel_and_never_in_its_agent(fleet: Fleet, folder: Path) -> None:
    async def scenario() -> None:
        make_site(folder)
        note = f"import os; open({str(folder / 'seen')!r}, 'a').write(f'{{os.getpid()}}\\n')"
        traps = ("tornado", "zmq", "jupyter_client", "sitecustomize", "usercustomize", "json")
        for trap in traps:
            (site_packages(folder) / f"{trap}_trap.pth").write_text(note)
            (site_packages(folder) / f"{trap}.py").write_text(note)
        fleet.gateway()
        packages = {"folder": str(folder)}
        link = await fleet.running(packages=packages, kernelspec=with_options())
        seen = {int(pid) for pid in (folder / "seen").read_text().split()}
        assert seen, "the traps do not work"
        assert fleet.agent.pid not in seen
        assert link.state["process"] == "running"

    asyncio.run(scenario())
