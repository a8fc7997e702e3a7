"""A kernel in a container, which has no walls of its own there, does not reach its agent."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.walls import landlock
from tests.integration.agent.scripted_gateway import KERNELSPEC, KEY, Fleet, Stream, until

pytestmark = pytest.mark.skipif(
    landlock.version() < landlock.LEAST,
    reason="this system has no Landlock: a kernel in a container can read its agent's key",
)

TRY = """
import ctypes, json, os
agent, reached = os.getppid(), []
libc = ctypes.CDLL(None, use_errno=True)
def attempt(name, function):
    try:
        if function() is not False:
            reached.append(name)
    except OSError:
        pass
# Of root, Landlock keeps the memory alone.
for name in ("mem", "maps", "environ") if os.getuid() else ("mem",):
    attempt(name, lambda: open(f"/proc/{agent}/{name}", "rb").read(1))
attempt("trace", lambda: libc.ptrace(16, agent, 0, 0) == 0)
# Root may make files beside it.
if os.getuid():
    attempt("document", lambda: open(DOCUMENT).read())
print(json.dumps([agent, reached]))
"""


def kernelspec(argv: list[str]) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(KERNELSPEC.read_text())
    return spec | {"argv": [*argv, *spec["argv"][1:]]}


@pytest.mark.parametrize(
    "program", [["python"], ["/usr/bin/env", sys.executable]], ids=["forked", "program"]
)
def test_a_kernel_reads_neither_its_agents_memory_nor_its_document(
    fleet: Fleet, tmp_path: Path, program: list[str]
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        file = tmp_path / "document" / "start.json"
        file.parent.mkdir()
        more = {"landlock": {"hidden": [], "shown": []}, "kernelspec": kernelspec(program)}
        file.write_text(json.dumps(fleet.document(**more)))
        fleet.agent_command = [*fleet.agent_command, "--document", str(file)]
        agent = fleet.start()
        link = await gateway.link()
        await until(lambda: link.state["process"] == "running", 40, "it runs")
        stream = Stream("one")
        await stream.open(link)
        code = TRY.replace("DOCUMENT", repr(str(file)))
        assert KEY.hex() in file.read_text()
        for _ in range(2):
            assert json.loads(await stream.run(code)) == [agent.pid, []]
            # What it may do it does.
            there = tmp_path / "moved"
            move = f"open('mine', 'w').write('x'); os.rename('mine', {str(there)!r}); print('done')"
            assert await stream.run(move) == "done\n"
            there.unlink()
            before = link.state["pid"]
            await link.command("restart")
            await until(
                lambda before=before: (
                    link.state["process"] == "running" and link.state["pid"] not in (None, before)
                ),
                40,
                "another one runs",
            )

    asyncio.run(scenario())
