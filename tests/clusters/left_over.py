"""What a run could leave on the machine: found by its name, and removed if it was killed."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from tests.clusters import control_groups
from tests.clusters.inside import BRIDGE, RUN_VARIABLE

_IP_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
END_SECONDS = 30.0
PREFIX = "fleet-clusters-"
"""Runs are named so, with the process id of what runs them."""


def forwarding() -> str:
    """Whether the machine forwards packets; plugins of container networks switch it on."""
    return _IP_FORWARD.read_text().strip()


def left_over(run: Path, forwarded: str) -> list[str]:
    """What is still there of the run with this folder, in words; `forwarded` is what
    `forwarding()` said before it."""
    found = [f"process {pid}" for pid in _processes(run)]
    found += [f"control group {group}" for group in control_groups.groups(run.name)]
    found += [f"mount {place}" for place in _mounts(run)]
    # Of this process' network: /sys shows the one in which it was mounted.
    if f"{BRIDGE}:" in Path("/proc/self/net/dev").read_text():
        found.append(f"network device {BRIDGE}")
    if run.exists():
        found.append(f"folder {run}")
    if forwarding() != forwarded:
        found.append(f"net.ipv4.ip_forward is {forwarding()}, was {forwarded}")
    return found


def remove(run: Path) -> None:
    """Removes the control groups and the folder of a run whose first process has ended. The kernel
    then ends the others: what they hold is tried again for a while. Raises OSError."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        try:
            control_groups.remove(run.name)
            break
        except OSError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.1)
    while any(_processes(run)) and time.monotonic() < deadline:
        time.sleep(0.1)
    # Pods have folders of the machine mounted: nothing may be removed through one of them.
    if not _mounts(run):
        shutil.rmtree(run, ignore_errors=True)


def remove_of_killed_runs(parent: Path, prefix: str = PREFIX) -> None:
    """Removes what is left of runs that were killed before they could do so, by their names: the
    prefix and a process id. Not from inside a run, where the ids are others."""
    folders = {folder.name for folder in parent.glob(f"{prefix}*")}
    for name in folders | control_groups.names(prefix):
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
