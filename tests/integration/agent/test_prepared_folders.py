"""What somebody left in the folders that a project's kernels share does not run in the next kernel
before its user asks for it."""

from __future__ import annotations

import asyncio
import importlib.metadata
import shlex
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway_ext.agent.package_site import make_site, site_packages, site_python
from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until


class Prepared:
    """A home, working folder and folder for packages, full of traps, each of which notes that it
    has run."""

    def __init__(self, root: Path) -> None:
        self.home, self.cwd, self.packages = root / "home", root / "cwd", root / "packages"
        self._seen = root / "seen"
        self._seen.touch()
        for folder in (self.home, self.cwd):
            folder.mkdir()
        make_site(self.packages)

    def trap(self, name: str) -> str:
        """Code that notes `name`."""
        return f"open({str(self._seen)!r}, 'a').write({name + chr(10)!r})\n"

    def seen(self) -> list[str]:
        return sorted(set(self._seen.read_text().split("\n")) - {""})

    def forget(self) -> None:
        self._seen.write_text("")

    def write(self, file: Path, name: str) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(self.trap(name))


@pytest.fixture
def prepared(tmp_path: Path, fleet: Fleet) -> Prepared:
    prepared = Prepared(tmp_path)
    # As gateways start agents.
    environment = [f"HOME={prepared.home}", "PYTHONNOUSERSITE=1"]
    fleet.agent_command = ["/usr/bin/env", *environment, *fleet.agent_command]
    return prepared


async def _running(fleet: Fleet, prepared: Prepared) -> tuple[Link, Stream]:
    fleet.gateway()
    packages = {"folder": str(prepared.packages)}
    link = await fleet.running(packages=packages, cwd=str(prepared.cwd))
    page = Stream("page")
    await page.open(link)
    return link, page


async def _use(page: Stream) -> None:
    """What a person does, and what pages do by themselves, without naming a module."""
    assert await page.run("print(1 + 1)") == "2\n"
    code = "text = 'a'\ntext."
    tail = {"hist_access_type": "tail", "n": 3, "raw": True, "output": False}
    asked = {"code": code, "cursor_pos": len(code)}
    for kind, reply, content in (
        ("complete_request", "complete_reply", asked),
        ("inspect_request", "inspect_reply", {"code": "len", "cursor_pos": 3, "detail_level": 0}),
        ("is_complete_request", "is_complete_reply", {"code": "if 1:"}),
        ("comm_info_request", "comm_info_reply", {}),
        ("history_request", "history_reply", tail),
    ):
        request = await page.send("shell", kind, content)
        await until(lambda request=request, reply=reply: page.of(request, reply), 30, reply)
    info = {"type": "request", "command": "debugInfo", "seq": 1, "arguments": {}}
    request = await page.send("control", "debug_request", info)
    await until(lambda: page.of(request, "debug_reply"), 30, "the debugger's answer")
    assert await page.run("!true\nprint(2)") == "2\n"
    failed = await page.reply(await page.execute("1 / 0"))
    assert failed["ename"] == "ZeroDivisionError"
    asked = await page.execute("%debug", allow_stdin=True)
    await until(lambda: page.of(asked, "input_request"), 30, "the debugger's question")
    await page.send("stdin", "input_reply", {"value": "q"})
    assert (await page.reply(asked))["status"] == "ok"


def _user_site(prepared: Prepared) -> None:
    version = "python{}.{}".format(*sys.version_info[:2])
    folder = prepared.home / ".local" / "lib" / version / "site-packages"
    prepared.write(folder / "usercustomize.py", "usercustomize")
    folder.joinpath("x.pth").write_text("import os; " + prepared.trap("a .pth of the user"))


def _ipython(prepared: Prepared) -> None:
    profile = prepared.home / ".ipython" / "profile_default"
    prepared.write(profile / "startup" / "00.py", "IPython's startup folder")
    for name in ("ipython_config.py", "ipython_kernel_config.py"):
        prepared.write(profile / name, name)


def _debugger(prepared: Prepared) -> None:
    for folder in (prepared.home, prepared.cwd):
        folder.joinpath(".pdbrc").write_text(f"!{prepared.trap('.pdbrc')}")


def _packages(prepared: Prepared) -> None:
    folder = site_packages(prepared.packages)
    folder.joinpath("x.pth").write_text("import os; " + prepared.trap("a .pth of packages"))
    for name in ("sitecustomize", "usercustomize", *_modules()):
        prepared.write(folder / f"{name}.py", f"{name} among packages")


def _interpreter(prepared: Prepared) -> None:
    # Makes the kernel's process become the folder's own interpreter, where it does that.
    prepared.write(site_packages(prepared.packages) / "pygments.py", "pygments among packages")
    site_python(prepared.packages).unlink()
    _program(prepared, site_python(prepared.packages))


def _programs(prepared: Prepared) -> None:
    for name in ("sh", "bash", "true", "uname", "env"):
        _program(prepared, prepared.packages / "bin" / name)


def _program(prepared: Prepared, file: Path) -> None:
    trap = shlex.quote(prepared.trap(f"{file.name} among packages"))
    file.write_text(f"#!/bin/sh\n{sys.executable} -c {trap}\nexit 1\n")
    file.chmod(0o700)


def _working_folder(prepared: Prepared) -> None:
    for name in (*sys.stdlib_module_names, *_modules()):
        prepared.write(prepared.cwd / f"{name}.py", f"{name} in the working folder")


def _modules() -> list[str]:
    """What the environment has, by the names under which it is imported."""
    return sorted(name for name in importlib.metadata.packages_distributions() if "." not in name)


ATTACKS = {
    "the user's own packages": _user_site,
    "IPython's profile": _ipython,
    "commands of the debugger": _debugger,
    "a module or .pth among packages": _packages,
    "an interpreter in place of that of the packages": _interpreter,
    "programs among packages": _programs,
    "a module in the working folder": _working_folder,
}


def _all(prepared: Prepared) -> None:
    for attack in ATTACKS.values():
        attack(prepared)


@pytest.mark.parametrize(
    "attack",
    [
        pytest.param(_all, id="all of them"),
        *(pytest.param(one, id=name, marks=pytest.mark.long) for name, one in ATTACKS.items()),
    ],
)
def test_nothing_that_others_left_runs_before_somebody_asks_for_it(
    fleet: Fleet, prepared: Prepared, attack: Callable[[Prepared], None]
) -> None:
    async def scenario() -> None:
        attack(prepared)
        link, page = await _running(fleet, prepared)
        for _ in range(2):
            await _use(page)
            assert prepared.seen() == []
            # The next process is a program of its own.
            await link.command("restart")
        await _use(page)
        assert prepared.seen() == []

    asyncio.run(scenario())


def test_nothing_that_an_earlier_process_of_the_kernel_left_runs(
    fleet: Fleet, prepared: Prepared
) -> None:
    async def scenario() -> None:
        link, page = await _running(fleet, prepared)
        startup = "os.environ['IPYTHONDIR'] + '/profile_default/startup'"
        await page.run(f"import os; startup = {startup}; os.makedirs(startup, exist_ok=True)")
        trap = prepared.trap("IPython's startup folder")
        await page.run(f"print(open(startup + '/00.py', 'w').write({trap!r}))")
        await link.command("restart")
        await _use(page)
        assert prepared.seen() == []

    asyncio.run(scenario())


def test_what_somebody_asks_for_by_name_is_there(fleet: Fleet, prepared: Prepared) -> None:
    async def scenario() -> None:
        others = prepared.home / "others"
        (prepared.cwd / "helper.py").write_text("answer = 42")
        folder = site_packages(prepared.packages)
        # A folder that a .pth adds, as for a package that is being written.
        prepared.write(others / "edited.py", "edited")
        (folder / "edited.pth").write_text(f"{others}\n")
        for name in ("helper", "installed", "typing_extensions"):
            prepared.write(folder / f"{name}.py", name)
        # What completes words, in the middle of that.
        prepared.write(prepared.cwd / "numpydoc.py", "numpydoc")
        link, page = await _running(fleet, prepared)
        for _ in range(2):
            # Kernels load what they have stored of completions as code.
            where = "import jedi; print(jedi.settings.cache_directory)"
            await page.run("print(1 + 1)")
            assert str(prepared.home) not in await page.run(where)
            assert await page.run("import helper; print(helper.answer)") == "42\n"
            assert prepared.seen() == []
            await page.run("import typing_extensions, installed, edited")
            assert prepared.seen() == ["edited", "installed", "typing_extensions"]
            await page.run("import numpydoc")
            assert prepared.seen()[2] == "numpydoc"
            prepared.forget()
            await link.command("restart")

    asyncio.run(scenario())
