"""How long the agent waits for walls, and what goes on meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.kernel_process import KernelProcess
from gateway_ext.agent.walls import outside, waiting_process
from gateway_ext.agent.walls.order import Order
from gateway_ext.agent.walls.places import Walls

ORDER = Order(["true"], {}, Path("/"), 2, Path("/"), walls=Walls((), ()))


def test_walls_that_are_not_there_in_time_are_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_process, "SECONDS", 0.3)
    ours, theirs = socket.socketpair()
    hanging = subprocess.Popen(["sleep", "600"])
    with theirs:
        # All steps together: what comes now and then does not help.
        more = threading.Timer(0.2, theirs.send, [b" "])
        more.start()
        begun = time.monotonic()
        with pytest.raises(outside.TooSlow, match="were not there"):
            waiting_process.WaitingProcess(hanging.pid, ours).become(ORDER)
        assert time.monotonic() - begun < 0.45
        more.join()
    assert hanging.wait(20) == -signal.SIGKILL


def test_the_agent_goes_on_while_walls_are_built() -> None:
    async def start() -> None:
        loop, answered = asyncio.get_running_loop(), threading.Event()

        class Waiting:
            pid = os.getpid()

            def become(self, order: Order) -> None:
                loop.call_soon_threadsafe(answered.set)
                raise OSError("as meant" if answered.wait(10) else "the loop is held up")

        waiting: Any = Waiting()
        with pytest.raises(OSError, match="as meant"):
            await KernelProcess._become(waiting, ORDER, None)

    asyncio.run(start())
