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

from gateway_ext.agent.kernel_log import KernelLog
from gateway_ext.agent.kernel_process import ConnectionFiles, KernelProcess
from gateway_ext.agent.process_starts import ProcessStarts
from gateway_ext.agent.socket_folder import SocketFolder
from gateway_ext.agent.walls import outside, waiting_process
from gateway_ext.agent.walls.order import Order, Place
from gateway_ext.agent.walls.places import Walls
from tests.unit.agent.test_agent_process_unit import document

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


class Ahead:
    """What is done with a process that waits to become the kernel, and with its limit."""

    pid = 77

    def __init__(self) -> None:
        self.done: list[Any] = []

    def apply(self, pid: int) -> None:
        self.done.append(pid)

    def build(self, place: Place) -> None:
        self.done.append(place)

    @property
    def is_building(self) -> bool:
        return bool(self.done)


def built_ahead(tmp_path: Path, **changes: Any) -> list[Any]:
    forked: Any = Ahead()
    described = document(tmp_path, **changes)
    files = ConnectionFiles(described, b"", SocketFolder(tmp_path))
    log = KernelLog(tmp_path / "kernel.log")
    ProcessStarts(files, log, forked, limit=forked).build_walls(described)
    done: list[Any] = forked.done
    return done


def test_walls_are_built_under_the_kernels_limit_while_the_agent_starts(tmp_path: Path) -> None:
    limited, place = built_ahead(tmp_path, walls={"hidden": ["/srv"], "shown": []})
    assert limited == 77
    assert (place.own, place.walls.hidden) == (tmp_path, ("/srv",))
    # With what else the kernel needs: they are those of its order.
    assert str(tmp_path) in place.walls.writable


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"landlock": {"hidden": ["/srv"], "shown": []}},
        {"walls": {"hidden": [], "shown": []}, "pooled": True},
    ],
)
def test_none_are_built_ahead_where_there_are_none_or_it_is_not_known_whose(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    assert built_ahead(tmp_path, **changes) == []
