"""The control groups of a run. Namespaces do not hide them, so they have the run's name."""

import os
from pathlib import Path

ROOT = Path("/sys/fs/cgroup")


def hierarchies(root: Path = ROOT) -> list[Path]:
    """The top folders: version 1 has one for each controller, version 2 has one in all."""
    if (root / "cgroup.controllers").exists():
        return [root]
    return sorted(folder for folder in root.iterdir() if (folder / "cgroup.procs").exists())


def groups(name: str) -> list[Path]:
    """The groups of that name, at most one in each hierarchy."""
    return [top / name for top in hierarchies() if (top / name).is_dir()]


def names(prefix: str) -> set[str]:
    """The names of groups that begin so."""
    return {group.name for top in hierarchies() for group in top.glob(f"{prefix}*")}


def make(name: str) -> None:
    """Makes the group in every hierarchy, ready for groups and processes in it. Raises OSError."""
    for top in hierarchies():
        controllers = top / "cgroup.controllers"
        if controllers.exists() and top == ROOT:
            words = " ".join(f"+{each}" for each in controllers.read_text().split())
            (top / "cgroup.subtree_control").write_text(words)
        group = top / name
        group.mkdir(exist_ok=True)
        # In version 1 a new cpuset has no processors and no memory until it is told.
        for file in ("cpuset.cpus", "cpuset.mems"):
            if (top / file).exists():
                (group / file).write_text((top / file).read_text())


def remove(name: str) -> None:
    """Removes the groups and all in them, which must have no process. Raises OSError."""
    for group in groups(name):
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
