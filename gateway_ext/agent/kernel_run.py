"""One process of the kernel, from its start to its end."""

from __future__ import annotations

import asyncio
import time

from .cgroup import memory_cgroup_of, oom_kills
from .kernel_process import KernelProcess
from .kernel_state import Busyness
from .zmq_channels import KernelChannels


class KernelRun:
    """One process of the kernel with its sockets. `with_packages` says that people's packages are
    in it, and that there are any."""

    def __init__(
        self, process: KernelProcess, channels: KernelChannels, with_packages: bool
    ) -> None:
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
        self.end_reason = ""
        """Why we ended it, if we did."""
        self.cgroup = memory_cgroup_of(process.pid)
        self.oom_kills = None if self.cgroup is None else oom_kills(self.cgroup.path)

    def newly_oom_killed(self) -> bool | None:
        """Whether a process of its cgroup was ended since the last time, because memory ran out;
        None if that cannot be known. Blocks a little."""
        before = self.oom_kills
        self.oom_kills = None if self.cgroup is None else oom_kills(self.cgroup.path)
        if before is None or self.oom_kills is None:
            return None
        return self.oom_kills > before
