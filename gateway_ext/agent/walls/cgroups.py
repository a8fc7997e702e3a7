"""The machine's cgroups, as a kernel sees them: to be read alone.

Kernels of one user own the files by which a process joins their cgroups. A kernel could move into
that of another one, and so use the other's memory instead of its own.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from .places import is_below
from .system_calls import MountFlag, mount

CGROUPS = "/sys/fs/cgroup"
_KEPT = MountFlag.NO_SETUID | MountFlag.NO_DEVICES | MountFlag.NO_PROGRAMS
"""The same numbers as those of statvfs(3)."""


def mounts_of(table: str) -> list[str]:
    """Where cgroups are mounted, by the text of /proc/self/mountinfo."""
    places = (line.split(" ")[4] for line in table.splitlines())
    named = (re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place) for place in places)
    return [place for place in named if is_below(place, [CGROUPS])]


def make_read_only() -> None:
    """In the first process, in whose namespaces this holds; raises OSError."""
    for place in mounts_of(Path("/proc/self/mountinfo").read_text()):
        kept = MountFlag(os.statvfs(place).f_flag) & _KEPT
        mount(None, place, None, MountFlag.REMOUNT | MountFlag.BIND | MountFlag.READ_ONLY | kept)
