"""Walls that are built before it is known what runs in them."""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway_ext.agent.orphans import adopt_orphans
from gateway_ext.agent.process_tree import children, descendants
from gateway_ext.agent.walls.first_process import SHOWN
from gateway_ext.agent.walls.network import Network
from gateway_ext.agent.walls.order import Order
from gateway_ext.agent.walls.waiting_process import WaitingProcess, start_walls
from tests.unit.agent.inside_walls import Inside, order_of


def test_walls_are_there_before_the_order_is(own: Path, with_a_way: Network) -> None:
    order, output = order_of(own, [sys.executable, "-c", "print(42)"], network=with_a_way)
    waiting, first = _with_walls(order)
    started = waiting.become(order)
    os.close(order.output)
    assert started is not None
    # Nothing is built anew.
    assert started.pid == first
    assert Inside(started, output).end() == (0, "42\n")


@pytest.mark.parametrize("others", [True, False])
def test_walls_that_no_kernel_gets_are_ended(own: Path, with_a_way: Network, others: bool) -> None:
    order, output = order_of(own, ["true"], network=with_a_way)
    waiting, _ = _with_walls(order)
    if others:
        assert order.walls is not None
        with pytest.raises(OSError, match="others"):
            waiting.become(replace(order, walls=order.walls.also_hiding("/srv")))
    else:
        waiting.dismiss()
    os.close(order.output)
    os.close(output)
    deadline = time.monotonic() + 20
    while left := [pid for pid in children(os.getpid()) if not _reaped(pid)]:
        assert time.monotonic() < deadline, left


def test_walls_without_a_kernel_end_with_the_agent(own: Path) -> None:
    order, output = order_of(own, ["true"])
    ready, said = os.pipe()
    agent = os.fork()
    if not agent:
        try:
            adopt_orphans()
            os.write(said, b"%d" % _with_walls(order)[1])
            signal.pause()
        finally:
            os._exit(1)
    os.close(said)
    os.close(order.output)
    try:
        first = os.pidfd_open(int(os.read(ready, 20)))
    finally:
        os.kill(agent, signal.SIGKILL)
        os.waitpid(agent, 0)
    assert select.select([first], [], [], 20)[0]
    for descriptor in (first, output, ready):
        os.close(descriptor)


def _with_walls(order: Order) -> tuple[WaitingProcess, int]:
    """A process that has built its walls, and has heard nothing else of this order; the number of
    the first one inside."""
    waiting = start_walls(order.output, lambda: None)
    assert order.place is not None
    waiting.build(order.place)
    deadline = time.monotonic() + 20
    while not (first := _first_process()):
        assert time.monotonic() < deadline
    return waiting, first


def _first_process() -> int | None:
    for process in descendants(os.getpid()):
        try:
            command = Path(f"/proc/{process.pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if command.startswith(SHOWN.encode()):
            return process.pid
    return None


def _reaped(pid: int) -> bool:
    try:
        return bool(os.waitpid(pid, os.WNOHANG)[0])
    except ChildProcessError:
        return True
