"""A kernel's way to the internet is kept, whatever lacks for a while."""

from __future__ import annotations

import asyncio
import errno
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent import kernel_network
from gateway_ext.agent.kernel_network import KernelNetwork
from gateway_ext.agent.walls import kept_network
from gateway_ext.agent.walls.kept_network import KeptNetwork
from gateway_ext.agent.walls.network import Network, Reach
from gateway_ext.agent.walls.outside import FirstProcess

LACKING = (OSError(errno.EMFILE, "no descriptor"), RuntimeError("no thread"))


class Way:
    """One way; `ended` tells when it was ended."""

    def __init__(self) -> None:
        self.ended = asyncio.Event()

    def end(self) -> None:
        self.ended.set()


class Kept:
    """Makes them; nothing can be made at first."""

    def __init__(self) -> None:
        self.lacking: list[Exception] = [*LACKING]
        self.made: asyncio.Queue[Way] = asyncio.Queue()

    def make_way(self, network: Network) -> Way:
        if self.lacking:
            raise self.lacking.pop()
        self.made.put_nowait(way := Way())
        return way


def test_it_is_made_again_whatever_lacks_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(Reach.INTERNET)
    lacking: list[Exception] = [*LACKING]
    looks: list[Exception] = [*LACKING]

    async def end_of(way: Way) -> str:
        if lacking:
            raise lacking.pop()
        await way.ended.wait()
        return ""

    def ways_of(process: int) -> list[int]:
        if looks:
            raise looks.pop()
        return [4]

    monkeypatch.setattr(kernel_network, "_end_of", end_of)
    monkeypatch.setattr(kernel_network, "ways_of", ways_of)
    monkeypatch.setattr(kernel_network, "_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(kernel_network.WayPolicy, "pause", lambda *_: 0.0)

    async def scenario() -> None:
        states: asyncio.Queue[str] = asyncio.Queue()
        nothing: Any = None
        before: Any = Way()
        kept: Any = Kept()
        first = FirstProcess(os.getpid(), nothing, before)
        keeping = KernelNetwork(network, nothing)
        keeping.on_change = lambda reported: states.put_nowait(reported["reach"])
        task = asyncio.create_task(keeping._keep_way(first, kept))
        before.end()
        way = await asyncio.wait_for(kept.made.get(), 20)
        while await asyncio.wait_for(states.get(), 20) != "internet":
            pass
        assert first.way_out is way
        assert not way.ended.is_set()
        assert [lacking, looks, kept.lacking] == [[], [], []]
        # And so on.
        way.end()
        assert await asyncio.wait_for(kept.made.get(), 20) is not way
        task.cancel()

    asyncio.run(scenario())


def test_no_process_is_left_that_nobody_can_watch(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    begun: list[int] = []

    def lacks(pid: int) -> int:
        begun.append(pid)
        raise LACKING[0]

    namespaces = [os.open(tmp_path, os.O_RDONLY) for _ in range(2)]
    monkeypatch.setattr(kept_network.os, "pidfd_open", lacks)
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError, match="no descriptor"):
        KeptNetwork(*namespaces, own_resolver=False, refused=[]).refuse([])
    assert len(os.listdir("/proc/self/fd")) == before
    _, status = os.waitpid(begun[0], 0)
    assert os.WTERMSIG(status) == signal.SIGKILL
    for descriptor in namespaces:
        os.close(descriptor)
