"""The kernel's half of `written_file`: what is printed is written there as well."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

from ipykernel.iostream import OutStream

from .written_file import WRITTEN, WrittenRegion

_Hook = Callable[[dict[str, Any]], dict[str, Any]]


class _Hooks(threading.local):
    """What ipykernel asks for the hooks of a thread: ours is the first one in each."""

    def __init__(self, hook: _Hook) -> None:
        self.hooks = [hook]


def record(stream: OutStream, region: WrittenRegion) -> None:
    """Write down what the stream is given, and say in its messages how much of that they bring.

    In the instance, as `pace` does it. Processes that code forks send what they print by a pipe,
    and write nothing down.
    """
    write, rotate, lock = stream.write, stream._rotate_buffers, stream._buffer_lock
    sent = 0
    buffer: StringIO | None = None
    header: dict[str, Any] | None = None

    def recorded_write(string: str) -> int | None:
        nonlocal buffer, header
        if not stream._is_master_process():
            return write(string)
        parent = stream.parent_header
        # The lock of the buffer: what a message takes from there is what is written down.
        with lock:
            if buffer is not None and parent is header and not stream.closed:
                # As ipykernel does it, which looks for the buffer of the request at each write.
                written: int | None = buffer.write(string)
                stream._schedule_flush()
            else:
                written = write(string)
                # An interrupt may come between any two of these.
                buffer = None
                header = parent
                if stream.echo is None:
                    buffer = stream._buffers.get(frozenset(parent.items()))
            region.write(parent, string)
        return written

    def marked_rotate() -> Any:
        nonlocal sent, buffer
        with lock:
            sent = region.written
            buffer = None
            return rotate()

    def mark(message: dict[str, Any]) -> dict[str, Any]:
        if stream._is_master_process():
            message["metadata"][WRITTEN] = [stream.name, sent]
        return message

    stream._local = _Hooks(mark)
    if stream._hooks != [mark]:
        # Another ipykernel: what no message speaks of would count as not sent.
        return
    # A child whose parent prints in another thread would have the lock for ever.
    os.register_at_fork(
        before=lock.acquire, after_in_parent=lock.release, after_in_child=lock.release
    )
    stream.write = recorded_write  # type: ignore[method-assign]
    stream._rotate_buffers = marked_rotate  # type: ignore[method-assign]
