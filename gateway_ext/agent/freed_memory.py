"""What the agent frees goes back to the machine."""

from __future__ import annotations

import ctypes

_M_MMAP_THRESHOLD = -3
"""See mallopt(3)."""
_LONG_BYTES = 2**18


def return_freed_memory() -> None:
    """Let this process have no more memory than it uses.

    glibc learns from what is freed: after one message of several megabytes it takes the next ones
    from its heap, and keeps as much of that for later. A fixed threshold switches that off. Other C
    libraries do nothing of the kind, and have no such function.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, _LONG_BYTES)
