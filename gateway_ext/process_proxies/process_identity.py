"""Telling a process from another one that got its number later."""

import os
import signal
import socket
import time
from pathlib import Path

_STATE, _START = 0, 19
"""Places in /proc/PID/stat behind the command's closing bracket: fields 3 and 22 of proc(5)."""


def this_host() -> str:
    """The name of this machine (or container): process numbers mean nothing elsewhere."""
    return socket.gethostname()


def boot_id() -> str:
    """Changes with every boot; after one no process of before lives."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def started_at(pid: int) -> int | None:
    """When the process began (clock ticks since boot), None if it has ended.

    A zombie has ended: its parent, or pid 1 of a container, just does not collect it.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE] in ("Z", "X") else int(fields[_START])


def wait_for_end(pid: int, started: int, seconds: float) -> None:
    """Returns when the process that began then has ended, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while started_at(pid) == started and time.monotonic() < deadline:
        time.sleep(0.01)


def session_members(session: int) -> list[int]:
    """The living processes of a session, and the one that is just about to lead it: a process that
    was forked may not have come that far."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        pid = int(entry.name)
        try:
            if session in (pid, os.getsid(pid)) and started_at(pid) is not None:
                members.append(pid)
        except (ProcessLookupError, PermissionError):
            continue
    return members


def kill_session(session: int) -> None:
    """SIGKILL to every process of a session; those that are gone already do not matter."""
    for pid in session_members(session):
        try:
            os.kill(pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            continue
