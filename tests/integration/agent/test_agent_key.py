"""The agent's key is in no memory that the kernel's code can read as its own."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway_ext.process_proxies.fork_servers import Environment, ForkServers
from tests.integration.agent.scripted_gateway import KEY, REPOSITORY, Fleet, Link, Stream, until

# A pattern and not the text itself: that would be found because it was searched for.
SEARCH = """
import re
NEEDLES = [re.compile(pattern) for pattern in PATTERNS]
found = 0
with open("/proc/self/maps") as maps, open("/proc/self/mem", "rb", 0) as memory:
    for line in maps:
        place, rights = line.split()[:2]
        if not rights.startswith("rw"):
            continue
        begin, end = (int(number, 16) for number in place.split("-"))
        try:
            memory.seek(begin)
            data = memory.read(end - begin)
        except (OSError, OverflowError):
            continue
        found += sum(len(needle.findall(data)) for needle in NEEDLES)
print(found)
"""


def search(*needles: bytes) -> str:
    """The code of a cell that counts these texts in the kernel's own memory."""
    patterns = [b"[%s]%s" % (re.escape(n[:1]), re.escape(n[1:])) for n in needles]
    return SEARCH.replace("PATTERNS", repr(patterns))


@pytest.fixture
def servers() -> Iterator[ForkServers]:
    forks = ForkServers(1, 60.0)
    yield forks
    for server in forks._servers.values():
        server.close()


def forked_agent(servers: ForkServers, fleet: Fleet, log: Path) -> int:
    """The process of an agent from a fork server."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(REPOSITORY),
        "HOME": str(fleet.cwd),
    }
    command = [sys.executable, "-m", "gateway_ext.agent"]
    with log.open("ab") as output:
        return servers.fork(
            Environment.of("demo", sys.executable, None, environment),
            environment,
            [command, environment, json.dumps(fleet.document())],
            output.fileno(),
            log.with_suffix(".server"),
        )


async def found_in_kernel(link: Link) -> str:
    stream = Stream("one")
    await stream.open(link)
    present = b"a-text-that-is-" + b"in-this-kernel"
    # What is there is found; otherwise nothing would be shown.
    await stream.run(f"held = {present!r}")
    assert int(await stream.run(search(present))) > 0
    return await stream.run(search(KEY, KEY.hex().encode()))


def test_the_kernel_of_an_agent_that_is_a_program_does_not_find_its_key(fleet: Fleet) -> None:
    async def scenario() -> None:
        fleet.gateway()
        assert await found_in_kernel(await fleet.running()) == "0\n"

    asyncio.run(scenario())


def test_the_kernels_of_a_fork_server_find_neither_their_key_nor_that_of_an_earlier_one(
    fleet: Fleet, servers: ForkServers, tmp_path: Path
) -> None:
    async def scenario() -> None:
        gateway = fleet.gateway()
        for _ in range(2):
            agent = forked_agent(servers, fleet, tmp_path / "agent.log")
            link = await gateway.link()
            await until(lambda link=link: link.state["process"] == "running", 40, "it runs")
            assert await found_in_kernel(link) == "0\n"
            os.kill(agent, signal.SIGTERM)
            await until(lambda agent=agent: not Path(f"/proc/{agent}").exists(), 20, "it ends")

    asyncio.run(scenario())
