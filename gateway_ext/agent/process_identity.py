"""Distinguishes a process from a later one with the same pid."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_STATE, _THREADS, _START = 0, 17, 19
"""Places in /proc/PID/stat behind the command's closing bracket: fields 3, 20 and 22 of proc(5)."""


def this_host() -> str:
    """The name of this machine (or container); pids mean nothing on another one."""
    return socket.gethostname()


def boot_id() -> str:
    """The ID of the current boot; no process survives a reboot."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def has_ended(fields: Sequence[str]) -> bool:
    """Whether a process has ended, by the fields of /proc/PID/stat behind the command.

    A zombie has ended: its parent, or pid 1 of a container, just does not reap it. A zombie with
    several threads has not: only its first thread has ended, the others are running.
    """
    return fields[_STATE] in ("Z", "X") and int(fields[_THREADS]) <= 1


def started_at(pid: int) -> int | None:
    """When the process began (clock ticks since boot), None if it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if has_ended(fields) else int(fields[_START])


def own_process() -> dict[str, Any]:
    """The `process` in an agent's hello (docs/protocols.md); empty if /proc cannot be read."""
    pid = os.getpid()
    try:
        return {"pid": pid, "started": started_at(pid), "host": this_host(), "boot": boot_id()}
    except OSError:
        return {}
