"""The kernel's own folder, which the kernel's code may remove or fill with anything."""

from __future__ import annotations

import contextlib
import errno
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


def open_to_append(path: Path) -> int:
    """The descriptor of a file in the kernel's folder, which is made if it is not there. Anything
    else that the kernel's code has put there is removed: a link leads to what it may not write to,
    and nobody reads a pipe. Raises OSError."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.ENXIO, errno.EISDIR):
            raise
    else:
        if stat.S_ISREG(os.fstat(file).st_mode):
            return file
        os.close(file)
    clear(path)
    return os.open(path, flags | os.O_EXCL, 0o600)


def clear(path: Path) -> None:
    """Remove whatever is at `path`, without following a link; raises OSError."""
    try:
        path.unlink(missing_ok=True)
    except (IsADirectoryError, PermissionError):
        # POSIX leaves open which of the two it is for a folder.
        if path.is_symlink() or not path.is_dir():
            raise
        shutil.rmtree(path)
