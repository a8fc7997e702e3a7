"""The kernel's process and everything that it has started, with what each of them uses."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from .process_identity import has_ended, started_at

_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
# Places in /proc/PID/stat behind the command's closing bracket (proc(5)).
_PARENT, _TIMES, _START = 1, slice(11, 15), 19

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
    """Whether it is a daemon that uses some processor time even when nothing is computed."""


def is_daemon(arguments: Sequence[str]) -> bool:
    """Whether a command is that of a daemon of Ray or Spark."""
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
    if has_ended(fields):
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
    return _first_count(pid, lambda folder: _statm(folder)[1])


def proportional_bytes(pid: int) -> int:
    """What a process has in memory, each shared page divided by those who share it (PSS); 0 if it
    has ended. The system goes through all its pages for this."""
    # PSS cannot be read of a set-user-id program, nor of one that refuses to be traced.
    return _first_count(pid, _pss) or _first_count(pid, _not_of_files)


def bytes_not_of_files(status: str) -> int:
    """What a process has in memory without the pages of files, which are mostly libraries that
    others use too, from the text of /proc/PID/status. Shared memory counts in full."""
    count = 0
    for line in status.splitlines():
        if line.startswith(("RssAnon:", "RssShmem:")):
            count += int(line.split()[1]) * 1024
    return count


def children(pid: int) -> list[int]:
    """The children of a process, including those that have ended and were not reaped."""
    found: list[int] = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            with contextlib.suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    except OSError:
        pass
    return found


def descendants(ancestor: int, seen: Iterable[Process] = ()) -> list[Process]:
    """The running processes below `ancestor`, without itself. Reads /proc: belongs in a thread.

    Below an agent these are all processes of its kernel: if the parent of one ends, the agent
    becomes its parent (`orphans`). `seen` is what the last look found: a process whose parent
    changes while we look could otherwise be missed.
    """
    before = {process.pid: process for process in seen}
    found: dict[int, Process] = {}
    waiting = [*children(ancestor), *before]
    while waiting:
        pid = waiting.pop()
        if pid in found:
            continue
        process = read_process(pid)
        if process is None:
            continue
        if pid in before and before[pid].started != process.started:
            # Another process has its number now; if it is a descendant, its parent lists it.
            del before[pid]
            continue
        found[pid] = process
        waiting += children(pid)
    return list(found.values())


def end_all(processes: Iterable[Process]) -> None:
    """Kill processes, but not another one that has the number of one that has ended."""
    for process in processes:
        with contextlib.suppress(OSError):
            if started_at(process.pid) == process.started:
                os.kill(process.pid, signal.SIGKILL)


def _first_count(pid: int, read: Callable[[Path], int]) -> int:
    for folder in _folders(pid):
        with contextlib.suppress(OSError):
            if count := read(folder):
                return count
    return 0


def _folders(pid: int) -> Iterator[Path]:
    """Where /proc shows the memory of a process: with each thread, because a first thread that has
    ended shows none while the others are running."""
    folder = Path(f"/proc/{pid}")
    yield folder
    with contextlib.suppress(OSError):
        yield from (folder / "task").iterdir()


def _statm(folder: Path) -> list[int]:
    return [int(pages) * _PAGE for pages in (folder / "statm").read_text().split()]


def _not_of_files(folder: Path) -> int:
    return bytes_not_of_files((folder / "status").read_text())


def _pss(folder: Path) -> int:
    for line in (folder / "smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0
