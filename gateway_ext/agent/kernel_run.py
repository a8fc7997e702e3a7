"""One process of the kernel, from its start to its end."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Iterator
from typing import Any

from jupyter_ext.wire.messages import MessageError, parse_part

from .cgroup import memory_cgroup_of, memory_limit_of, oom_kills
from .ended_cells import EndedCells
from .kernel_end import is_killed, why_ended
from .kernel_process import KernelProcess
from .kernel_state import Busyness, reported_info, short_text
from .memory_limit import MemoryLimit
from .sent_output import SentOutput
from .written_file import Unsent, WrittenFile
from .zmq_channels import KernelChannels

_log = logging.getLogger("fleet.agent")

PACKAGES_SECONDS = 30.0
"""A kernel with packages that users installed is ended after this time without an answer and
started without them: one of them may block when it is imported."""
_NUDGE_SECONDS = (0.02, 0.04, 0.08, 0.16, 0.3)
"""How long to wait for the status of each of the agent's own requests, and of all that follow."""
_NUDGES = 100
"""After this time a kernel that sends nothing on iopub counts as running anyway. On a machine that
starts many kernels it can take seconds until iopub is connected; what the kernel prints before that
is lost."""
_SHUTDOWN_SECONDS = 5.0
"""As in jupyter_client: half of it after shutdown_request, half after SIGTERM, then SIGKILL."""


class KernelRun:
    """One process of the kernel with its sockets. `with_packages` says that people's packages are
    in it, and that there are any."""

    def __init__(
        self,
        process: KernelProcess,
        channels: KernelChannels,
        with_packages: bool,
        written: WrittenFile | None,
    ) -> None:
        self._written = written
        self.sent_output = SentOutput()
        self.process = process
        self.channels = channels
        self.with_packages = with_packages
        self.too_slow = False
        self.begun = time.monotonic()
        self.ready = asyncio.Event()
        self.iopub_heard = asyncio.Event()
        self.info_heard = asyncio.Event()
        self.ended = asyncio.Event()
        self.expected_end = False
        self.busyness = Busyness()
        self.making_ready: asyncio.Task[None] | None = None
        self.ended_cells = EndedCells()
        self.end_reason = ""
        """Why we ended it, if we did."""
        self.cgroup = memory_cgroup_of(process.pid)
        self.oom_kills = None if self.cgroup is None else oom_kills(self.cgroup.path)

    def answered(self, parts: list[bytes]) -> dict[str, Any]:
        """Take note of its kernel_info_reply; returns the changes of the kernel's state."""
        self.info_heard.set()
        try:
            return {"kernel_info": reported_info(parts[3])}
        except MessageError as error:
            _log.warning("the kernel's kernel_info_reply is not reported: %s", error)
            return {}

    def heard_status(self, parts: list[bytes]) -> str:
        """Take note of a status message; returns its execution state, empty if it has none."""
        self.iopub_heard.set()
        try:
            return short_text(parse_part(parts[3]).get("execution_state"))
        except MessageError:
            return ""

    async def is_heard(self) -> bool:
        """Wait until the kernel answers and its output is heard. False if it has users' packages
        and does not answer for PACKAGES_SECONDS.

        A subscription takes effect some time after the connection: what the kernel prints before
        would be lost, so it is asked again until its status is heard.
        """
        self.channels.request("shell", "kernel_info_request", {})
        try:
            await asyncio.wait_for(
                self.info_heard.wait(), PACKAGES_SECONDS if self.with_packages else None
            )
        except TimeoutError:
            return False
        for number in range(_NUDGES):
            seconds = _NUDGE_SECONDS[min(number, len(_NUDGE_SECONDS) - 1)]
            try:
                await asyncio.wait_for(self.iopub_heard.wait(), seconds)
                break
            except TimeoutError:
                self.channels.request("shell", "kernel_info_request", {})
        else:
            _log.warning("the kernel answers, but sends nothing on iopub")
        return True

    async def answers_or_ends(self, seconds: float) -> None:
        """Wait for either, so long at most."""
        waits = [asyncio.create_task(event.wait()) for event in (self.ready, self.ended)]
        await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()

    def interrupt(self, mode: str) -> None:
        """Interrupt what runs, in the kernelspec's way (`signal` or `message`)."""
        if mode == "message":
            self.channels.request("control", "interrupt_request", {})
        else:
            self.process.signal(signal.SIGINT)

    async def ask_to_end(self, interrupt_mode: str, *, restart: bool) -> None:
        """Give it the time to end by itself; it may not use it."""
        half = _SHUTDOWN_SECONDS / 2
        if self.ready.is_set() and not self.ended.is_set():
            # A busy kernel must be interrupted before it handles the request, as in jupyter_client.
            self.interrupt(interrupt_mode)
            self.channels.request("control", "shutdown_request", {"restart": restart})
            if await self.process.ends_within(half):
                return
        self.process.signal(signal.SIGTERM)
        await self.process.ends_within(half)

    def unsent_output(self) -> Iterator[Unsent]:
        """What it has printed that has not come by iopub; it has ended. Each step blocks a
        little."""
        return iter(()) if self._written is None else self._written.unsent(self.sent_output)

    def newly_oom_killed(self) -> bool | None:
        """Whether a process of its cgroup was ended since the last time, because memory ran out;
        None if that cannot be known. Blocks a little."""
        before = self.oom_kills
        self.oom_kills = None if self.cgroup is None else oom_kills(self.cgroup.path)
        if before is None or self.oom_kills is None:
            return None
        return self.oom_kills > before

    def why_ended(self, exit_code: int, limit: MemoryLimit | None) -> str:
        """Why it has ended by itself, under this limit. Blocks a little."""
        limited = limit is not None and not limit.is_watched
        return why_ended(
            exit_code,
            out_of_memory=self.newly_oom_killed() if is_killed(exit_code) else None,
            reached=limit.reached if limit is not None and limited else "",
            container_bytes=None if self.cgroup is None else memory_limit_of(self.cgroup.path),
        )
