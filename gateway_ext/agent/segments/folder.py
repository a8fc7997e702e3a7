"""The folder of a journal, in which the kernel's code may put links to what it does not see."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def opened(folder: Path) -> Iterator[int]:
    """A descriptor of the folder, for calls with `dir_fd`; raises OSError where a link is."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def delete(path: Path) -> None:
    """Remove a file of it; raises OSError."""
    with opened(path.parent) as folder:
        os.unlink(path.name, dir_fd=folder)


def truncate(path: Path, size: int) -> None:
    """Shorten a file of it; raises OSError."""
    with opened(path.parent) as folder:
        flags = os.O_WRONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        file = os.open(path.name, flags, dir_fd=folder)
    try:
        os.ftruncate(file, size)
    finally:
        os.close(file)
