"""A kernel's own network while one process of the kernel runs.

Its way to the internet is made again when it ends, and addresses that the machine gets are refused.
Nothing is open meanwhile: without a way nothing leads out, and what was refused before stays so,
because the network itself refuses it.
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Callable
from typing import NoReturn

from jupyter_ext.wire.allowed_addresses import Subnet

from .machine_addresses import MachineAddresses
from .walls.kept_network import KeptNetwork, NetworkProcess
from .walls.network import Network, ways_of
from .walls.outside import FirstProcess
from .walls.own_network import Outside
from .walls.rejoin import DONE
from .walls.system_calls import words_of
from .way_policy import WayPolicy

_log = logging.getLogger("fleet.agent")

_FIRST_LOOK, _LAST_LOOK = 0.02, 1.0
"""Seconds between two looks whether a new way leads out."""
_ADDRESSES_SECONDS = 1.0
"""The least time between two looks at the machine's addresses."""
_LACKING = (OSError, RuntimeError, ValueError)
"""Errors of descriptors, threads or memory that lack for now."""
_AGAIN_SECONDS = 1.0
"""How long it waits then."""
_KILLED = "it was killed"


class KernelNetwork:
    """The network of one process of the kernel."""

    def __init__(self, given: Network, first: FirstProcess | None) -> None:
        """`first` is the first process inside; None if there is none."""
        self.on_change: Callable[[dict[str, str]], None] = lambda reported: None
        """Called when the kernel reaches more or less than before, with `as_reported`."""
        self._given = self._now = given
        self._first = first
        self._tasks: list[asyncio.Task[None]] = []
        if first is not None and first.kept is not None and first.way_out is not None:
            keeping = self._keep_way(first, first.kept)
            refusing = _refuse_new(first.kept)
            self._tasks = [asyncio.create_task(one) for one in (keeping, refusing)]

    def as_reported(self) -> dict[str, str]:
        """What gateways are told of it now."""
        return self._now.as_reported()

    def close(self) -> None:
        """The kernel's process has ended."""
        for task in self._tasks:
            task.cancel()

    async def _keep_way(self, first: FirstProcess, kept: KeptNetwork) -> None:
        policy = WayPolicy()
        while True:
            try:
                await self._follow_ways(first, kept, policy)
            except _LACKING as error:
                _log.warning("the kernel's way to the internet cannot be kept yet: %s", error)
                await asyncio.sleep(_AGAIN_SECONDS)

    async def _follow_ways(
        self, first: FirstProcess, kept: KeptNetwork, policy: WayPolicy
    ) -> NoReturn:
        begun = time.monotonic()
        while True:
            words = await self._lost_way(first)
            while True:
                pause = policy.pause(time.monotonic() - begun)
                self._lost(words)
                await asyncio.sleep(pause)
                begun = time.monotonic()
                try:
                    first.replace_way_out(kept.make_way(self._given))
                    break
                except OSError as error:
                    words = words_of(error)

    async def _lost_way(self, first: FirstProcess) -> str:
        """Wait until the way has ended; why it has."""
        assert first.way_out is not None  # noqa: S101 - for the type checker
        looking = asyncio.create_task(self._look_for_way(first.pid))
        try:
            return await _end_of(first.way_out) or _KILLED
        finally:
            looking.cancel()

    def _lost(self, words: str) -> None:
        words = " ".join(words.split())
        _log.warning("the kernel's way to the internet has ended: %s", words)
        why = f"its way to the internet has ended, and its agent tries to make it again: {words}"
        self._has(self._given.without_way(why))

    async def _look_for_way(self, kernel: int) -> None:
        """Take note of it when there is a way again."""
        if self._now == self._given:
            return
        pause = _FIRST_LOOK
        while not _leads_out(kernel):
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
        _log.info("the kernel has a way to the internet again")
        self._has(self._given)

    def _has(self, network: Network) -> None:
        if network != self._now:
            self._now = network
            self.on_change(self.as_reported())


def _leads_out(kernel: int) -> bool:
    try:
        # Where other processes cannot be seen, it is enough that pasta has not ended.
        return not os.path.exists(f"/proc/{kernel}/net/route") or bool(ways_of(kernel))
    except _LACKING:
        # It is looked again.
        return False


async def _refuse_new(kept: KeptNetwork) -> None:
    """Refuse public addresses that the machine did not have when the kernel started. Once refused,
    they stay so."""
    refused = set(kept.refused)
    while True:
        try:
            with MachineAddresses() as addresses:
                while True:
                    await _refuse_what_is_new(kept, refused)
                    await asyncio.sleep(_ADDRESSES_SECONDS)
                    await addresses.changed()
        except _LACKING as error:
            _log.warning("new addresses cannot be refused yet: %s", error)
            await asyncio.sleep(_AGAIN_SECONDS)


async def _refuse_what_is_new(kept: KeptNetwork, refused: set[Subnet]) -> None:
    while True:
        outside = await asyncio.to_thread(Outside.look)
        new = [one for one in outside.public() if one not in refused]
        if not new or await _refuse(kept, new):
            refused.update(new)
            return
        await asyncio.sleep(_ADDRESSES_SECONDS)


async def _refuse(kept: KeptNetwork, addresses: list[Subnet]) -> bool:
    """Whether these are refused from now on."""
    names = ", ".join(map(str, addresses))
    try:
        with kept.refuse(addresses) as process:
            words = await _end_of(process)
    except OSError as error:
        words = words_of(error)
    if words == DONE:
        _log.info("the kernel does not reach its machine's new addresses: %s", names)
        return True
    _log.warning("new addresses cannot be refused yet, %s: %s", names, words or _KILLED)
    return False


async def _end_of(process: NetworkProcess) -> str:
    """Wait for the end of a process; what it said last."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    # A copy, because the original may be closed while the loop still waits for it.
    descriptor = os.dup(process.fileno())
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return process.last_words()
