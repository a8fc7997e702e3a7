"""What a kernel started and left alone: it becomes the agent's child, so that nothing is lost.

Whatever a program does to leave its parents, its session and its environment behind, it stays below
the agent.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
from collections.abc import Collection

from .process_tree import children

_PR_SET_CHILD_SUBREAPER = 36

_log = logging.getLogger("fleet.agent")


def adopt_orphans() -> None:
    """Become the parent of every process below this one whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        reason = os.strerror(ctypes.get_errno())
        _log.warning("a process that leaves the kernel's cannot be followed: %s", reason)


def reap_orphans(own: Collection[int]) -> None:
    """Collect the children that have ended, but for `own`: they are waited for elsewhere."""
    for pid in children(os.getpid()):
        if pid not in own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
