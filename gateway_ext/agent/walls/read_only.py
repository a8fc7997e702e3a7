"""What a kernel may read and not write, though its user may."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable
from pathlib import Path

from .system_calls import MountFlag, mount

_KEPT = MountFlag.NO_SETUID | MountFlag.NO_DEVICES | MountFlag.NO_PROGRAMS
"""The same numbers as those of statvfs(3)."""
_NOT_THERE = (errno.EINVAL, errno.ENOENT, errno.EACCES, errno.ENOTCONN, errno.ESTALE)
"""Errors of a mount that another one covers, or that this user cannot reach."""


def mounted(table: str) -> list[str]:
    """Where something is mounted, by the text of /proc/self/mountinfo."""
    places = (line.split(" ")[4] for line in table.splitlines())
    return [re.sub(r"\\([0-7]{3})", lambda code: chr(int(code[1], 8)), place) for place in places]


def make_read_only(wanted: Callable[[str], bool]) -> None:
    """Of the mounts at these places, in the namespace of this process; raises OSError."""
    for place in filter(wanted, mounted(Path("/proc/self/mountinfo").read_text())):
        try:
            kept = MountFlag(os.statvfs(place).f_flag) & _KEPT
            mount(
                None, place, None, MountFlag.REMOUNT | MountFlag.BIND | MountFlag.READ_ONLY | kept
            )
        except OSError as error:
            if error.errno not in _NOT_THERE:
                raise
