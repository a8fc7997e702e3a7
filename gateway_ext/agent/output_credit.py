"""The kernel's half of credit: code that prints or displays more than the agent can take waits.

The kernel's iopub socket never blocks, so without it everything that the agent has not read yet
would be in the kernel's memory.
"""

from __future__ import annotations

import mmap
import os
import select
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ipykernel.control import ControlThread
from ipykernel.heartbeat import Heartbeat
from ipykernel.iostream import OutStream
from ipykernel.shellchannel import ShellChannelThread

from .credit_file import CREDIT_BYTES, VARIABLE
from .private_iopub import PrivateIOPubThread

MOST_OWED = 8 * 2**20
"""Bytes that may be on the way to the agent; nothing waits below this."""
MOST_BUFFERED = 2 * 2**20
"""Characters of one stream that may wait for being sent: `StringIO` takes four bytes for each, and
a message is copied several times, by the agent as well."""
_FLUSHED_ABOVE = 2**19
_STEP = 2**16
"""A stream looks at the credit each time that so many characters were written to it."""
_PAUSE_SECONDS = 0.002

_OF_THE_KERNEL = (b".status", b".execute_input", b".error", b".shutdown_reply", b".debug_event")
"""How the topics of messages end that ipykernel sends between and after cells, when an interrupt
would meet its own code."""


def must_wait(published: int, taken: int, buffered: int) -> bool:
    """Whether code that prints must wait: `published` bytes were given to iopub, the agent has
    `taken` bytes of them, and `buffered` characters are still in the stream."""
    return published - taken + buffered > MOST_OWED or buffered > MOST_BUFFERED


class Credit:
    """What the kernel has published, and what the agent has taken of it."""

    def __init__(self, path: Path, agent: int) -> None:
        """`path` is that of the agent's file, `agent` its process id. Raises OSError."""
        self.path = path
        with path.open("rb") as file:
            # An agent of the version before makes a file of one word, also for the processes that
            # it starts after an upgrade.
            size = min(CREDIT_BYTES, os.fstat(file.fileno()).st_size)
            mapped = mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ)
        self._words = memoryview(mapped).cast("Q")
        # Processes that the kernel forks hand their output to it, and see here what it publishes.
        self._published = memoryview(mmap.mmap(-1, 8)).cast("Q")
        self._counting = threading.Lock()
        # Also known to processes that are forked, and to their own, whoever their parent is.
        self._agent = os.pidfd_open(agent)

    @property
    def is_ending(self) -> bool:
        """Whether the agent is ending this process."""
        return len(self._words) > 1 and self._words[1] != 0

    def publish(self, size: int) -> None:
        """So many bytes are given to iopub, by the process that has its socket."""
        with self._counting:
            self._published[0] += size

    def listened(self) -> None:
        """The agent has subscribed: what was published before has reached nobody, and never
        will."""
        with self._counting:
            self._published[0] = self._words[0]

    def wait(self, buffered: Callable[[], int]) -> None:
        """Return when no more than allowed is owed, or when the agent is gone. `buffered` counts
        characters that were not published yet. KeyboardInterrupt comes through."""
        while must_wait(self._published[0], self._words[0], buffered()):
            if self._is_agent_gone():
                return
            time.sleep(_PAUSE_SECONDS)

    def _is_agent_gone(self) -> bool:
        poll = select.poll()
        poll.register(self._agent, select.POLLIN)
        return bool(poll.poll(0))


def credit_from_environment() -> Credit | None:
    """The credit that the agent gives this process; None if it gives none.

    Takes it out of the environment: a kernel that code here starts is not the agent's.
    """
    path, agent = os.environ.pop(VARIABLE, ""), os.environ.get("JPY_PARENT_PID", "")
    if not path or not agent.isdecimal():
        return None
    try:
        return Credit(Path(path), int(agent))
    except OSError:
        return None


def _carries_the_kernel() -> bool:
    """Whether this thread carries output, interrupts or states: it must never wait."""
    thread = threading.current_thread()
    kinds = (ControlThread, ShellChannelThread, Heartbeat)
    return isinstance(thread, kinds) or thread.name == "IOPub"


class PacedIOPubThread(PrivateIOPubThread):
    """ipykernel's thread for output, which counts what is published.

    Displays and messages of widgets wait here, before they are sent.
    """

    def __init__(self, *arguments: Any, credit: Credit, **options: Any) -> None:
        self._credit = credit
        super().__init__(*arguments, **options)

    def send_multipart(self, msg: list[Any], *arguments: Any, **options: Any) -> None:
        """Send a message in the thread; `msg` is its frames, the topic first."""
        if not bytes(msg[0]).endswith(_OF_THE_KERNEL) and not _carries_the_kernel():
            self._credit.wait(lambda: 0)
        if self._is_master_process():
            self._credit.publish(sum(memoryview(frame).nbytes for frame in msg))
        super().send_multipart(msg, *arguments, **options)

    def _send_welcome_message(self, subscription: str) -> None:
        self._credit.listened()
        super()._send_welcome_message(subscription)


def pace(stream: OutStream, credit: Credit) -> None:
    """Make code that writes to the stream wait.

    In the instance, as IPython does it: libraries look at the class of `sys.stdout`.
    """
    write = stream.write
    since = 0

    def paced_write(string: str) -> int | None:
        nonlocal since
        written = write(string)
        since += len(string)
        # The only cost of a usual print is this comparison. What threads miss here is little.
        if since >= _STEP:
            since = 0
            if _buffered(stream) > _FLUSHED_ABOVE:
                stream.pub_thread.schedule(stream._flush)
            if not _carries_the_kernel():
                credit.wait(lambda: _buffered(stream))
        return written

    stream.write = paced_write  # type: ignore[method-assign]


def _buffered(stream: OutStream) -> int:
    with stream._buffer_lock:
        return sum(buffer.tell() for buffer in stream._buffers.values())
