"""Ending a process with all that it has started."""

import os
import signal
import time
from pathlib import Path

from gateway_ext.agent.process_identity import started_at
from gateway_ext.agent.process_tree import children, descendants, end_all, read_process


def wait_for_end(pid: int, started: int, seconds: float) -> None:
    """Returns when the process that began then has ended, or after `seconds`."""
    deadline = time.monotonic() + seconds
    while started_at(pid) == started and time.monotonic() < deadline:
        time.sleep(0.01)


def kill_descendants(pid: int, seconds: float) -> None:
    """SIGKILL to everything below a process of ours, until nothing is left or `seconds` are over.
    The process itself is stopped first, so that it starts nothing new, and stays stopped.

    To be called while it runs: once it has ended, its descendants cannot be found any more. Raises
    ValueError as `kill_session` does.
    """
    if pid <= 1:
        raise ValueError(f"{pid} is not a process that a gateway started")
    deadline = time.monotonic() + seconds
    try:
        os.kill(pid, signal.SIGSTOP)
    except (ProcessLookupError, PermissionError):
        return
    # A stopped process reaps nothing, so no other process gets the id of a child that has ended. A
    # child's own children become new ones before it counts as ended: none is missed.
    ended: set[int] = set()
    while time.monotonic() < deadline:
        present = [child for child in children(pid) if child not in ended]
        if not present:
            return
        # The newest first: the others are likely to have ended.
        for child in reversed(present):
            process = read_process(child)
            if process is None:
                ended.add(child)
            else:
                end_all([*descendants(child), process])
        time.sleep(0.001)


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
            if uid is None or uid == _owner(pid):
                os.kill(pid, signal.SIGKILL)
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue


def _owner(pid: int) -> int:
    """The user id of a process. /proc/PID itself belongs to root if the process refuses to be
    traced, whoever runs it."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("Uid:"):
            return int(line.split()[1])
    raise ProcessLookupError(pid)
