"""Log files that programs write to directly, so that no process has to read their output."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

MOST_BYTES = 10_000_000
OLDER = 3
"""How many older parts are kept: ``NAME.log.1`` is the latest."""
AUDIT_BYTES = 50_000_000
AUDIT_OLDER = 10
"""The same of audits: half a gigabyte of each server."""


def open_log(file: Path) -> int:
    """A descriptor that appends to ``file``, for a program's output."""
    return os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)


def rotate(file: Path, most_bytes: int = MOST_BYTES, older: int = OLDER) -> bool:
    """Move what ``file`` holds to ``NAME.1`` and empty it, if it is too long.

    Its writers keep it open, so it is copied and emptied rather than renamed: they append, and
    what they write next is at the beginning. Returns whether it was too long.
    """
    try:
        if file.stat().st_size <= most_bytes:
            return False
    except FileNotFoundError:
        return False
    _move_parts(file, older)
    with open(file, "r+b") as source, open(_part(file, 1), "wb") as copy:
        os.fchmod(copy.fileno(), 0o600)
        shutil.copyfileobj(source, copy)
        # Right after the read that found the end: only what is written in between is lost.
        source.truncate(0)
    return True


def rename_long(file: Path, most_bytes: int, older: int) -> bool:
    """The same for a file whose writer makes a new one once it is renamed: nothing is lost."""
    try:
        if file.stat().st_size <= most_bytes:
            return False
    except FileNotFoundError:
        return False
    _move_parts(file, older)
    file.replace(_part(file, 1))
    return True


def _move_parts(file: Path, older: int) -> None:
    """Make room for another latest part."""
    for number in range(older, 1, -1):
        part = _part(file, number - 1)
        if part.exists():
            part.replace(_part(file, number))


def _part(file: Path, number: int) -> Path:
    return file.with_name(f"{file.name}.{number}")
