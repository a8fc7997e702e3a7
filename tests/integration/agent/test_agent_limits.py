"""What a kernel may use, and what the agent sees of its work."""

from __future__ import annotations

import asyncio
import os
import sys
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from gateway_ext.agent.cgroup import memory_cgroup_of
from tests.integration.agent.scripted_gateway import Fleet, Link, Stream, until

LIMIT = 300 * 2**20

RESERVE = """
import mmap, numpy
one = mmap.mmap(-1, 4 * 2**30, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
two = numpy.empty(4 * 2**30 // 8)
two[:1000] = 1
print(len(one), two[:1000].sum())
"""
ALLOCATE = "held = [bytearray(b'x' * (20 * 2**20)) for _ in range(100)]"


async def opened(fleet: Fleet, **limits: Any) -> tuple[Link, Stream]:
    """A running kernel with these limits, and a page on it."""
    fleet.gateway()
    link, page = await fleet.running(**limits), Stream("page")
    await page.open(link)
    return link, page


async def is_ended_for_memory(link: Link, page: Stream) -> None:
    """Reserves more than the limit, which harms nobody; then uses it."""
    assert await page.run(RESERVE) == "4294967296 1000.0\n"
    pid, agent_pid = link.state["pid"], psutil.Process(link.state["pid"]).ppid()
    await page.execute(ALLOCATE)
    await until(lambda: link.state["restarts"] == 1, 30, "the kernel is ended")
    await until(lambda: link.state["process"] == "running", 30, "and started again")
    assert link.state["pid"] != pid
    # It is there for whoever comes later.
    assert link.state["reason"].startswith("out of memory: the kernel ")
    assert "300 MB" in link.state["reason"]
    told = [one["content"] for one in page.of(None, "status")]
    assert {"execution_state": "restarting", "reason": link.state["reason"]} in told
    assert psutil.pid_exists(agent_pid)
    assert await page.run("print('held' in dir())") == "False\n"
    await link.command("restart")
    assert link.state["reason"] is None


def test_a_kernel_without_a_cgroup_is_ended_by_the_agent_when_it_uses_too_much(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        link, page = await opened(fleet, memory_bytes=LIMIT)
        # What it starts counts too.
        await page.run(
            "import subprocess, sys\n"
            "child = subprocess.Popen([sys.executable, '-c', "
            "'x = bytearray(b\"x\" * 60_000_000); import time; time.sleep(100)'])"
        )
        child = int(await page.run("print(child.pid)"))
        await is_ended_for_memory(link, page)
        assert not psutil.pid_exists(child) or psutil.Process(child).status() == "zombie"

    asyncio.run(scenario())


ESCAPE = """
import os, sys
reading, writing = os.pipe()
if os.fork() == 0:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writing, b"%d" % os.getpid())
            nothing = os.open(os.devnull, os.O_RDWR)
            for number in range(3):
                os.dup2(nothing, number)
            os.execve(sys.executable, [sys.executable, "-c", PROGRAM], {})
    os._exit(0)
os.wait()
print(os.read(reading, 20).decode())
"""
"""What leaves the kernel's parents, session and environment behind."""


async def escapes(page: Stream, program: str) -> int:
    return int(await page.run(f"PROGRAM = {program!r}\n{ESCAPE}"))


def test_what_leaves_session_parents_and_environment_uses_the_kernel_s_memory(
    fleet: Fleet,
) -> None:
    async def scenario() -> None:
        link, page = await opened(fleet, memory_bytes=LIMIT)
        escaped = await escapes(page, f"x = bytearray(b'x' * {LIMIT}); import time; time.sleep(99)")
        await until(lambda: link.state["restarts"] == 1, 30, "the kernel is ended")
        await until(lambda: not psutil.pid_exists(escaped), 30, "what escaped is collected")
        await until(lambda: link.state["process"] == "running", 30, "and started again")
        assert link.state["reason"].startswith("out of memory: the kernel ")

    asyncio.run(scenario())


@pytest.mark.parametrize("now", [False, True])
def test_what_leaves_session_parents_and_environment_ends_when_the_kernel_is_shut_down(
    fleet: Fleet, now: bool
) -> None:
    async def scenario() -> None:
        link, page = await opened(fleet)
        escaped = await escapes(page, "import time; time.sleep(99)")
        brief = await escapes(page, "pass")
        await until(lambda: not psutil.pid_exists(brief), 30, "what has ended is collected")
        await link.command("restart")
        # As in stock Jupyter.
        assert psutil.Process(escaped).ppid() == fleet.agent.pid
        await link.command("shutdown", now=now)
        assert not psutil.pid_exists(escaped)

    asyncio.run(scenario())


@pytest.fixture
def cgroup() -> Iterator[Path]:
    """A cgroup with the limit, made as a gateway makes it. To be asked for before the fleet, which
    ends first: an agent that lives starts its kernel again, in this cgroup."""
    own = memory_cgroup_of(os.getpid())
    if own is None or own.version != 1 or not os.access(own.path, os.W_OK):
        pytest.skip("no memory cgroup can be made here")
    folder = own.path / f"fleet-test-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    try:
        (folder / "memory.limit_in_bytes").write_text(str(LIMIT))
        yield folder
    finally:
        for pid in (folder / "cgroup.procs").read_text().split():
            os.kill(int(pid), 9)
        asyncio.run(until(lambda: removed(folder), 30, "the cgroup is empty"))


def removed(folder: Path) -> bool:
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def test_a_kernel_that_its_cgroup_ended_says_so(cgroup: Path, fleet: Fleet) -> None:
    async def scenario() -> None:
        link, page = await opened(fleet, memory_bytes=LIMIT, memory_cgroup=str(cgroup))
        procs = (cgroup / "cgroup.procs").read_text().split()
        assert str(link.state["pid"]) in procs
        assert str(fleet.agent.pid) not in procs
        await is_ended_for_memory(link, page)
        # Killed by somebody else, it does not claim that memory was the reason.
        restarts = link.state["restarts"]
        os.kill(link.state["pid"], 9)
        await until(lambda: link.state["restarts"] > restarts, 20, "it is started again")
        assert "ended by SIGKILL" in link.state["reason"]

    asyncio.run(scenario())


LOOKS_OFTEN = """
from gateway_ext.agent import kernel_watch, program
kernel_watch.TREE_SECONDS = kernel_watch.WORK_SECONDS = 0.5
looks = open("looks", "ab", buffering=0)
look = kernel_watch.KernelWatch._look

async def counted(watch, pid):
    await look(watch, pid)
    looks.write(b".")

kernel_watch.KernelWatch._look = counted
program.main()
"""
"""An agent that looks at its kernel's work ten times as often as others, and counts the looks."""


async def several_looks(fleet: Fleet) -> None:
    """Returns when the agent has looked a few more times, and said what it saw."""
    looks = fleet.agent_cwd / "looks"
    before = looks.stat().st_size
    await until(lambda: looks.stat().st_size >= before + 3, 20, "looks at the kernel")


def test_work_without_messages_is_reported_and_idleness_is_not(fleet: Fleet) -> None:
    fleet.agent_command = [sys.executable, "-c", LOOKS_OFTEN]
    fleet.agent_cwd = fleet.cwd

    async def scenario() -> None:
        link, page = await opened(fleet)
        first = await until_work_after(link, None)
        folder = Path((await page.run("import os; print(os.environ['FLEET_LEASES'])")).strip())
        assert (await asyncio.to_thread(folder.stat)).st_mode & 0o777 == 0o700
        await page.run(
            "import threading\non = True\ndef work():\n    while on: sum(range(1000))\n"
            "threading.Thread(target=work, daemon=True).start()"
        )
        later = await until_work_after(link, link.state["last_activity"])
        assert later > first
        await page.run("on = False")
        # A lease counts, however little is used.
        await several_looks(fleet)
        quiet = link.state["last_work"]
        lease = folder / "mine"
        lease.touch()
        soon = datetime.now().timestamp() + 60
        os.utime(lease, (soon, soon))
        assert await until_work_after(link, quiet) > quiet
        lease.unlink()
        await several_looks(fleet)
        quiet = link.state["last_work"]
        await several_looks(fleet)
        assert link.state["last_work"] == quiet

    asyncio.run(scenario())


async def until_work_after(link: Link, moment: str | None) -> str:
    await until(
        lambda: (link.state["last_work"] or "") > (moment or ""), 20, f"work after {moment}"
    )
    last_work: str = link.state["last_work"]
    return last_work
