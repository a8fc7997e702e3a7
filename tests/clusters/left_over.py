"""What a run could leave on the machine: found by its name, and removed if it was killed."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.clusters.inside import BRIDGE, RUN_VARIABLE

_CONTROL_GROUPS = Path("/sys/fs/cgroup")
_IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
PREFIX = "fleet-clusters-"
"""Runs are named so, with the process id of what runs them."""


def forwarding() -> str:
    """Whether the machine forwards packets; plugins of container networks switch it on."""
    return _IP_FORWARD.read_text().strip()


def left_over(run: Path, forwarded: str) -> list[str]:
    """What is still there of the run with this folder, in words; `forwarded` is what
    `forwarding()` said before it."""
    found = [f"process {pid}" for pid in _processes(run)]
    found += [f"control group {group}" for group in control_groups(run.name)]
    found += [f"mount {place}" for place in _mounts(run)]
    # Of this process' network: /sys shows the one in which it was mounted.
    if f"{BRIDGE}:" in Path("/proc/self/net/dev").read_text():
        found.append(f"network device {BRIDGE}")
    if run.exists():
        found.append(f"folder {run}")
    if forwarding() != forwarded:
        found.append(f"net.ipv4.ip_forward is {forwarding()}, was {forwarded}")
    return found


def control_groups(run: str) -> list[Path]:
    """The control groups of a run, at most one for each controller."""
    # Version 1 has a hierarchy for each controller, version 2 has one in all.
    places = (_CONTROL_GROUPS, *_CONTROL_GROUPS.iterdir())
    return [place / run for place in places if (place / run).is_dir()]


def remove(run: Path) -> None:
    """Removes the control groups and the folder of a run whose processes have ended."""
    for group in control_groups(run.name):
        for folder, _, _ in os.walk(group, topdown=False):
            os.rmdir(folder)
    # Pods have folders of the machine mounted: nothing may be removed through one of them.
    if not _mounts(run):
        shutil.rmtree(run, ignore_errors=True)


def remove_of_killed_runs(parent: Path, prefix: str = PREFIX) -> None:
    """Removes what is left of runs that were killed before they could do so, by their names: the
    prefix and a process id. Not from inside a run, where the ids are others."""
    names = {folder.name for folder in parent.glob(f"{prefix}*")}
    for place in (_CONTROL_GROUPS, *_CONTROL_GROUPS.iterdir()):
        names |= {group.name for group in place.glob(f"{prefix}*")}
    for name in names:
        if not Path("/proc", name.removeprefix(prefix)).exists():
            remove(parent / name)


def _mounts(run: Path) -> list[str]:
    """Where something is mounted that belongs to the run, as this process sees it."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if str(run) in line]


def _processes(run: Path) -> Iterator[int]:
    mark = f"{RUN_VARIABLE}={run}".encode()
    for process in Path("/proc").glob("[0-9]*"):
        try:
            environment = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in environment:
            yield int(process.name)
