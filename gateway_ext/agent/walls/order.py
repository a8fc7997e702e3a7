"""What a process that waits to become the kernel is told, over a socket."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .places import Walls

_SIZE = 8
_NOTHING_YET = bytes(_SIZE)


@dataclass(frozen=True)
class Place:
    """The walls that the kernel is to be in, with namespaces; `own` is its folder."""

    walls: Walls
    own: Path

    def send(self, control: socket.socket) -> None:
        """Raises OSError if nobody is there."""
        message = json.dumps([self.walls.as_json(), str(self.own)]).encode()
        control.sendall(len(message).to_bytes(_SIZE, "big") + message)


@dataclass(frozen=True)
class Order:
    """How to become the kernel. `output` is the descriptor that it writes to, `own` the kernel's
    folder. Without namespaces it leads a session of its own, unless it is to stay in the agent's
    process group."""

    argv: Sequence[str]
    environment: dict[str, str]
    cwd: Path
    output: int
    own: Path
    keep_process_group: bool = False
    walls: Walls | None = None

    @property
    def place(self) -> Place | None:
        """Where the kernel is to be; None without namespaces."""
        if self.walls is None or not self.walls.namespaces:
            return None
        return Place(self.walls, self.own)

    def send(self, control: socket.socket) -> None:
        """Raises OSError if nobody is there."""
        walls = self.walls and [self.walls.as_json(), self.walls.namespaces]
        fields = [list(self.argv), self.environment, str(self.cwd), str(self.own)]
        message = json.dumps([*fields, self.keep_process_group, walls]).encode()
        socket.send_fds(control, [len(message).to_bytes(_SIZE, "big")], [self.output])
        control.sendall(message)


def announce_order(control: socket.socket) -> None:
    """Say that an order will come; raises OSError if nobody is there."""
    control.sendall(_NOTHING_YET)


def receive(control: socket.socket, announced: Callable[[], None]) -> Order | Place | None:
    """The next message: an order or, before that, a place; None if the other side has closed.
    `announced` is called when an order was announced."""
    while True:
        size, descriptors, _, _ = socket.recv_fds(control, _SIZE, 1)
        if size != _NOTHING_YET:
            break
        announced()
    if not size:
        return None
    raw: list[Any] = json.loads(_exactly(control, int.from_bytes(size, "big")))
    if not descriptors:
        walls, own = raw
        return Place(Walls.from_json(walls), Path(own))
    argv, environment, cwd, own, keep_process_group, walls = raw
    return Order(
        argv,
        environment,
        Path(cwd),
        descriptors[0],
        Path(own),
        keep_process_group,
        walls and Walls.from_json(walls[0], namespaces=walls[1]),
    )


def _exactly(control: socket.socket, count: int) -> bytes:
    """Read `count` bytes, or fewer at the end, and none of the next message: it has descriptors."""
    read = b""
    while len(read) < count and (more := control.recv(count - len(read))):
        read += more
    return read
