"""Programs of a fleet that lost their supervisor, and still hold its ports."""

from __future__ import annotations

import os
import signal
import time
from itertools import pairwise
from pathlib import Path

from jupyter_ext.fleet.data_dir import DataDir

PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


def belongs(arguments: list[str], data_dir: DataDir) -> bool:
    """Whether a process with these arguments is one of the fleet's programs; kernels are not."""
    config = f"{data_dir.config}/"
    if any(one.startswith(f"--config={config}") for one in arguments[1:]):
        return True
    if f"-dir={data_dir.store}" in arguments:
        return True
    return ("-c", str(data_dir.front_config)) in pairwise(arguments)


def find_leftovers(data_dir: DataDir) -> list[int]:
    """Process ids of this user's programs that belong to the fleet."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            arguments = os.fsdecode((folder / "cmdline").read_bytes()).split("\0")
        except OSError:
            # It has ended meanwhile.
            continue
        if belongs(arguments, data_dir):
            found.append(int(folder.name))
    return found


def end_leftovers(data_dir: DataDir) -> int:
    """End what a supervisor that was killed has left behind; returns how many there were."""
    pids = find_leftovers(data_dir)
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while find_leftovers(data_dir):
        if time.monotonic() > deadline:
            for pid in find_leftovers(data_dir):
                _signal(pid, signal.SIGKILL)
        time.sleep(0.1)
    return len(pids)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
