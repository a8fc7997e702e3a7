"""How many processors this gateway may use."""

import math
import os
from pathlib import Path

# In a container this is its own control group (version 2), which holds its limit.
_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def processors() -> int:
    """Processors that this process may run on, or as much time of them as its container may use,
    rounded up."""
    try:
        quota = _QUOTA.read_text()
    except OSError:
        quota = "max"
    return within_quota(len(os.sched_getaffinity(0)), quota)


def within_quota(count: int, quota: str) -> int:
    """`count` processors under a cpu.max of Linux ("QUOTA PERIOD" in microseconds, or "max …")."""
    allowed, _, period = quota.strip().partition(" ")
    if allowed == "max":
        return count
    return min(count, max(1, math.ceil(int(allowed) / int(period))))
