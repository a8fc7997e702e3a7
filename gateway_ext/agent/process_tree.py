"""The kernel's process and everything that it has started, with what each of them uses."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

_SEARCH_SECONDS = 30.0
"""How often processes are looked for whose parents have ended since."""
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Places in /proc/PID/stat behind the command's closing bracket (proc(5)).
_STATE, _PARENT, _TIMES, _START = 0, 1, slice(11, 15), 19

_DAEMON_PROGRAMS = frozenset({"raylet", "gcs_server"})
_DAEMON_TITLES = ("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent", "ray-dashboard")
_DAEMON_MODULES = (
    "/ray/dashboard/",
    "/ray/_private/log_monitor.py",
    "/ray/_private/runtime_env/agent/",
    "/ray/autoscaler/_private/monitor.py",
    "/ray/util/client/server",
)


@dataclass(frozen=True)
class Process:
    """One process. `started` (clock ticks since boot) tells it from a later one with its number."""

    pid: int
    started: int
    parent: int
    cpu_seconds: float
    """Its own and that of its children that have ended, since it began."""
    is_daemon: bool
    """Whether it is there to serve others, and uses a processor now and then for nobody."""


def is_daemon(arguments: Sequence[str]) -> bool:
    """Whether a command is one of Ray's or Spark's that run while nothing is computed."""
    if not arguments:
        return False
    program = arguments[0]
    return (
        program.rpartition("/")[2] in _DAEMON_PROGRAMS
        or program.startswith(_DAEMON_TITLES)
        or any(module in argument for argument in arguments for module in _DAEMON_MODULES)
        or any(argument.startswith("org.apache.spark.") for argument in arguments)
        or "pyspark.daemon" in arguments
    )


def parse_stat(pid: int, stat: str, arguments: Sequence[str]) -> Process | None:
    """The process in the text of /proc/PID/stat; None if it has ended and waits to be collected."""
    fields = stat.rpartition(")")[2].split()
    if fields[_STATE] in ("Z", "X"):
        return None
    cpu_seconds = sum(map(int, fields[_TIMES])) / _TICKS
    started, parent = int(fields[_START]), int(fields[_PARENT])
    return Process(pid, started, parent, cpu_seconds, is_daemon(arguments))


def read_process(pid: int) -> Process | None:
    """A process of this machine, None if it has ended."""
    folder = Path(f"/proc/{pid}")
    try:
        arguments = (folder / "cmdline").read_bytes().decode(errors="replace").split("\0")
        return parse_stat(pid, (folder / "stat").read_text(), arguments)
    except OSError:
        return None


def resident_bytes(pid: int) -> int:
    """What a process has in memory, shared pages included; 0 if it has ended."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0


def proportional_bytes(pid: int) -> int:
    """What a process has in memory, each shared page divided by those who share it (PSS); 0 if it
    has ended. The system goes through all its pages for this."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    # Not for us to read, as of a program with rights of its own.
    try:
        _, resident, shared = Path(f"/proc/{pid}/statm").read_text().split()[:3]
    except OSError:
        return 0
    return (int(resident) - int(shared)) * _PAGE


class ProcessTree:
    """Finds the processes of one kernel. All methods read /proc and belong in a thread.

    A look goes from the kernel's process to its children and theirs, so that it costs the same on a
    machine with many kernels. Those whose parents have ended are remembered if they were seen
    before; from time to time the others are found by the kernel's id in their environment.
    """

    def __init__(self, kernel_id: str) -> None:
        self._mark = f"KERNEL_ID={kernel_id}\0".encode()
        self._known: dict[int, Process] = {}
        self._strangers: set[tuple[int, int]] = set()
        self._searched = 0.0

    @property
    def known(self) -> list[Process]:
        """What the last look found."""
        return list(self._known.values())

    def look(self, kernel: int) -> list[Process]:
        """The processes that live now; `kernel` is the process id of the kernel's own."""
        before = {process.pid: process for process in self._known.values()}
        found: dict[int, Process] = {}
        waiting = [kernel, *before, *self._search(before)]
        while waiting:
            pid = waiting.pop()
            if pid in found:
                continue
            process = read_process(pid)
            if process is None:
                continue
            if pid in before and before[pid].started != process.started:
                # Another one got the number; if it is the kernel's, its parent names it.
                del before[pid]
                continue
            found[pid] = process
            waiting += _children(pid)
        self._known = found
        return self.known

    def _search(self, known: Iterable[int]) -> list[int]:
        now = time.monotonic()
        if now - self._searched < _SEARCH_SECONDS:
            return []
        self._searched = now
        mine, strangers = [], set()
        skipped = {*known, os.getpid()}
        for pid in _processes_of(os.geteuid()):
            if pid in skipped:
                continue
            process = read_process(pid)
            if process is None:
                continue
            key = (pid, process.started)
            if key in self._strangers:
                strangers.add(key)
                continue
            with contextlib.suppress(OSError):
                if self._mark in Path(f"/proc/{pid}/environ").read_bytes():
                    mine.append(pid)
                else:
                    strangers.add(key)
        self._strangers = strangers
        return mine


def _children(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                children += map(int, (thread / "children").read_text().split())
    except OSError:
        pass
    return children


def _processes_of(uid: int) -> list[int]:
    found = []
    with os.scandir("/proc") as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.name.isdigit() and entry.stat().st_uid == uid:
                    found.append(int(entry.name))
    return found
