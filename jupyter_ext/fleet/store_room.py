"""Whether the disk of the embedded store has room for more data."""

from __future__ import annotations

import shutil
from pathlib import Path

LEAST_PERCENT = 1
"""With less of the disk free, SeaweedFS takes no data (its default, `-volume.minFreeSpace`)."""
VOLUME_BYTES = 2**30
"""What it wants for a new volume (`-master.volumeSizeLimitMB` in `configuration`)."""


def lack_of_room(free: int, total: int) -> str:
    """Why a store on a disk with so many bytes refuses data, or soon will; "" if it has room."""
    if free >= max(total * LEAST_PERCENT // 100, VOLUME_BYTES):
        return ""
    return (
        f"the disk of the embedded store has {free / 1e9:.1f} GB of {total / 1e9:.1f} GB left, and "
        f"the store needs 1 GB for new volumes and always {LEAST_PERCENT} % of the disk: free some "
        "space there, else files cannot be saved"
    )


def lack_on_disk(folder: Path) -> str:
    """The same for the disk of a folder; "" if that cannot be found out."""
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return ""
    return lack_of_room(usage.free, usage.total)
