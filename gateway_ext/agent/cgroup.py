"""Memory cgroups, version 1 and 2: which one a process is in, entering one, and whom it killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_NO_LIMIT = 2**60
"""Version 1 shows the largest number of pages that it can count."""


@dataclass(frozen=True)
class MemoryCgroup:
    """A folder of the cgroup file system that counts memory."""

    path: Path
    version: int
    """1 or 2."""


def memory_cgroup_of(pid: int) -> MemoryCgroup | None:
    """The cgroup that counts the memory of a process, None if it cannot be seen from here."""
    try:
        cgroups = Path(f"/proc/{pid}/cgroup").read_text()
        return find_memory_cgroup(cgroups, Path("/proc/self/mountinfo").read_text())
    except OSError:
        return None


def find_memory_cgroup(cgroups: str, mounts: str) -> MemoryCgroup | None:
    """The same from the text of /proc/PID/cgroup and /proc/PID/mountinfo. Version 1 comes first:
    where its memory controller is mounted, version 2 counts no memory."""
    paths: dict[int, str] = {}
    for line in cgroups.splitlines():
        number, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            paths[1] = path
        elif number == "0" and not controllers:
            paths[2] = path
    for version in sorted(paths):
        for line in mounts.splitlines():
            mount, _, system = line.partition(" - ")
            kind, _, options = system.split(" ", 2)
            if version == 1 and (kind != "cgroup" or "memory" not in options.split(",")):
                continue
            if version == 2 and kind != "cgroup2":
                continue
            root, point = mount.split(" ")[3:5]
            relative = PurePosixPath(paths[version])
            if relative.is_relative_to(root):
                return MemoryCgroup(Path(point) / relative.relative_to(root), version)
    return None


def enter(cgroup: Path, pid: int) -> None:
    """Put a process into the cgroup, and with it what it starts from now on; raises OSError."""
    (cgroup / "cgroup.procs").write_text(str(pid))


def memory_limit_of(cgroup: Path) -> int | None:
    """How many bytes the processes of the cgroup may use; None if it sets no limit, or that cannot
    be read. One of a cgroup above it counts as well, and is not seen."""
    for name in ("memory.max", "memory.limit_in_bytes"):
        try:
            text = (cgroup / name).read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdecimal() and int(text) < _NO_LIMIT else None
    return None


def oom_kills(cgroup: Path) -> int | None:
    """How many processes of the cgroup were ended because memory ran out; None if unknown."""
    for name in ("memory.events", "memory.oom_control"):
        try:
            lines = (cgroup / name).read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            word, _, count = line.partition(" ")
            if word == "oom_kill":
                return int(count)
    return None
