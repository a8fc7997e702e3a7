"""The kernel's own folder, which the kernel's code may remove or fill with anything."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from pathlib import Path


class FolderRefused(OSError):
    """Somebody else prepared the place of a folder; the message does not say where it is."""


def make_kernel_folder(folder: Path) -> None:
    """Create the folder if it is not there, with access for this user only. Raises FolderRefused
    for a link and for another user's folder, or another OSError."""
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700, parents=True)
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError as error:
        raise FolderRefused(
            "the place of the kernel's own folder is taken by a link or a file: remove it, or "
            "start a new kernel"
        ) from error
    try:
        found = os.fstat(handle)
        if found.st_uid != os.geteuid():
            raise FolderRefused("the kernel's own folder belongs to another user")
        if stat.S_IMODE(found.st_mode) != 0o700:
            os.fchmod(handle, 0o700)
    finally:
        os.close(handle)


def clear(path: Path) -> None:
    """Remove whatever is at `path`, without following a link; raises OSError."""
    try:
        path.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError):
        # POSIX leaves open which of the two it is for a folder.
        if path.is_symlink() or not path.is_dir():
            raise
        shutil.rmtree(path)
