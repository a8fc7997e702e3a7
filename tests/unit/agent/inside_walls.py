"""A program inside walls, started as the agent starts it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway_ext.agent.walls.network import Network
from gateway_ext.agent.walls.order import Order
from gateway_ext.agent.walls.outside import FirstProcess
from gateway_ext.agent.walls.places import Walls, needed_by_python
from gateway_ext.agent.walls.waiting_process import start_walls


@dataclass
class Inside:
    """What started; `first` is the first process's number outside."""

    first: FirstProcess
    output: int

    def end(self) -> tuple[int, str]:
        """The wait status of the program, and what it has printed."""
        with os.fdopen(self.output) as lines:
            text = lines.read()
        _, status = os.waitpid(self.first.pid, 0)
        return self.first.wait_status(status), text


def order_of(
    own: Path,
    argv: list[str],
    *,
    hidden: tuple[str, ...] = (),
    shown: tuple[str, ...] = (),
    walls: Walls | None = None,
    network: Network | None = None,
) -> tuple[Order, int]:
    """The order to start a program, and where to read what it prints; `own` is the kernel's
    folder."""
    read, write = os.pipe()
    python = needed_by_python(sys.path, (sys.prefix, sys.base_prefix))
    walls = (walls or Walls(hidden, shown, network=network)).also_showing(*python)
    return Order(argv, dict(os.environ), own, write, own, walls=walls), read


def start_inside(own: Path, argv: list[str], **options: Any) -> Inside:
    """Start a program; `options` as those of `order_of`."""
    order, read = order_of(own, argv, **options)
    try:
        first = start_walls(order.output, lambda: None).become(order)
    finally:
        os.close(order.output)
    assert first is not None
    return Inside(first, read)


def run_inside(own: Path, code: str, **places: tuple[str, ...]) -> str:
    """What this Python code prints."""
    status, text = start_inside(own, [sys.executable, "-c", code], **places).end()
    assert status == 0, text
    return text
