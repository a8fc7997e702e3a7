"""What `jupyter fleet` reports as one line."""

from __future__ import annotations

import errno
from pathlib import Path

_ADVICE = {
    errno.ENOSPC: "free some space on that disk, then repeat this",
    errno.EDQUOT: "your disk quota is used up: delete some of your files, then repeat this",
    errno.EROFS: "make that file system writable, then repeat this",
    errno.EACCES: "make sure that you may read and write it, then repeat this",
    errno.EPERM: "make sure that you may read and write it, then repeat this",
    errno.ENOENT: "`jupyter fleet up` writes again what is missing",
    errno.EMFILE: "raise the limit of open files (ulimit -n), then repeat this",
    errno.ENFILE: "end some programs of this machine, then repeat this",
    errno.EAGAIN: "end some processes of your user (ulimit -u), then repeat this",
    errno.ENOMEM: "free some memory, then repeat this",
    errno.EIO: "check the disk, then repeat this",
}


class FleetError(Exception):
    """Why the command cannot do what was asked, in one line that ends with what to do."""


def words_for(error: OSError, root: Path) -> str:
    """What an error of the operating system means for a command on the data directory ``root``, in
    one line that ends with what to do."""
    where = error.filename or error.filename2 or root
    what = error.strerror or str(error) or type(error).__name__
    advice = _ADVICE.get(error.errno or 0, "check the machine and its log, then repeat this")
    return f"{where}: {what}: {advice}"
