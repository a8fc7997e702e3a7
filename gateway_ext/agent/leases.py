"""Leases: files with which code in a kernel reports that it is working."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

from .kernel_folder import clear

VARIABLE = "FLEET_LEASES"
"""The environment variable of a kernel that names the folder of its leases."""
_MOST = 1000
LONGEST_SECONDS = 3600.0
"""A lease must be renewed within this time: a file with a later time of modification counts as
none."""


def leases_folder(directory: Path) -> Path:
    """Where a kernel leaves its leases, in the kernel's own directory."""
    return directory / "leases"


def make_leases_folder(directory: Path) -> None:
    """Make the folder, without the leases of a process that has ended; raises OSError."""
    folder = leases_folder(directory)
    clear(folder)
    folder.mkdir(mode=0o700)


def is_leased(folder: Path, now: float) -> bool:
    """Whether a lease holds: a file whose time of modification is still to come (seconds of the
    Unix epoch), within the next hour. One that is not renewed ends by itself."""
    try:
        with os.scandir(folder) as entries:
            return any(
                0 < _expires(entry) - now <= LONGEST_SECONDS for entry in islice(entries, _MOST)
            )
    except OSError:
        return False


def _expires(entry: os.DirEntry[str]) -> float:
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except OSError:
        return 0.0
