"""Whether the disk of the embedded store has room for more data."""

from __future__ import annotations

import shutil
from pathlib import Path

LEAST_PERCENT = 1
"""With less of its disk free, SeaweedFS takes no data (its default, `-volume.minFreeSpace`)."""


def lack_of_room(free: int, total: int) -> str:
    """Why a store on a disk with so many bytes takes no data; "" if it has room."""
    if free * 100 >= total * LEAST_PERCENT:
        return ""
    return (
        f"the disk of the embedded store has {free / 1e9:.2f} GB of {total / 1e9:.2f} GB left, and "
        f"the store takes no data below {LEAST_PERCENT} %: free some space there, else no file can "
        "be saved"
    )


def lack_on_disk(folder: Path) -> str:
    """The same for the disk of a folder; "" if that cannot be found out."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return ""
    return lack_of_room(usage.free, usage.total)
