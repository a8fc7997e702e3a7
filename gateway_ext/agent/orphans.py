"""Processes that a kernel started and whose parents have ended: they become the agent's children.

So everything that the kernel started stays below the agent, whatever session and environment it
has, and can be counted and ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import signal
import time
from collections.abc import Callable, Collection

from .process_tree import children

PR_SET_CHILD_SUBREAPER = 36

_log = logging.getLogger("fleet.agent")

_END_SECONDS = 5.0
"""How long the processes that a kernel leaves behind may take to end after SIGKILL."""


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        reason = os.strerror(ctypes.get_errno())
        _log.warning("processes that leave the kernel's cannot be followed: %s", reason)


def reap_orphans(own: Collection[int]) -> None:
    """Reap the children that have ended, except `own`, which are waited for elsewhere.

    Stops at a child of `own` that has ended: call it again after that one was reaped.
    """
    # One system call for each that has ended, however many are still running. WNOWAIT leaves the
    # exit code to whoever waits for it.
    with contextlib.suppress(ChildProcessError):
        while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            if ended.si_pid in own:
                return
            os.waitpid(ended.si_pid, 0)


def kill_orphans(own: Collection[int]) -> list[int]:
    """Send SIGKILL to all children except `own`; returns their process ids, also of those that
    have ended and were not reaped.

    What they started becomes a child in turn: to be called, with `reap_orphans` in between, until
    none is left. Both belong in the same thread, then no id can have passed to another process.
    """
    orphans = [pid for pid in children(os.getpid()) if pid not in own]
    # The newest first: the others are likely to have ended.
    for pid in reversed(orphans):
        with contextlib.suppress(OSError):
            os.kill(pid, signal.SIGKILL)
    return orphans


async def end_orphans(own: Callable[[], Collection[int]]) -> None:
    """End all children except `own()`, and what they have started; a line in the log if some do not
    end."""
    deadline = time.monotonic() + _END_SECONDS
    while orphans := kill_orphans(own()):
        if time.monotonic() > deadline:
            _log.warning("processes of the kernel cannot be ended: %s", orphans)
            return
        await asyncio.sleep(0.01)
        reap_orphans(own())
