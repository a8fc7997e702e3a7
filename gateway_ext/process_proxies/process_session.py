"""Ending a process with all that it has started."""

import os
import signal
import time
from pathlib import Path

from gateway_ext.agent.process_identity import started_at


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


def kill_session(session: int, uid: int | None) -> None:
    """SIGKILL to every process of a session that is `uid`'s (None: whoever's); those that are gone
    already do not matter.

    Raises ValueError for numbers that no process of ours has: session 0 is that of processes which
    a container sees but did not start, 1 the machine's or the container's own.
    """
    if session <= 1:
        raise ValueError(f"{session} is not the session of a process that a gateway started")
    for pid in session_members(session):
        try:
            if uid in (None, os.stat(f"/proc/{pid}").st_uid):
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
