"""The streams of the kernel write down what they are given, for `written_file`."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from io import StringIO
from typing import Any

from ipykernel.iostream import OutStream

from .sent_output import WRITTEN
from .written_region import WrittenRegion

_Hook = Callable[[dict[str, Any]], dict[str, Any]]


class _Hooks(threading.local):
    """What ipykernel asks for the hooks of a thread: ours is the first one in each."""

    def __init__(self, hook: _Hook) -> None:
        self.hooks = [hook]


def record(stream: OutStream, region: WrittenRegion) -> None:
    """Write down what the stream is given, and say in its messages what of that they bring.

    In the instance, as `pace` does it. Processes that code forks send what they print by a pipe,
    and write nothing down.
    """
    write, rotate, lock = stream.write, stream._rotate_buffers, stream._buffer_lock
    before = up_to = coming = 0
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
        nonlocal before, up_to, coming, buffer
        with lock:
            before, up_to = up_to, region.written
            buffer = None
            taken = rotate()
            # Each that is not empty is sent as one message.
            coming = sum(bool(one.tell()) for one in taken.values())
            return taken

    def mark(message: dict[str, Any]) -> dict[str, Any]:
        nonlocal coming
        if stream._is_master_process():
            coming -= 1
            request = message["parent_header"].get("msg_id", "")
            message["metadata"][WRITTEN] = [
                stream.name,
                before if coming > 0 else up_to,
                up_to,
                request,
            ]
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
