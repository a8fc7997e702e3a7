"""The fleet's own processes on this machine, whether or not a supervisor watches them."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.ports import FRONT, KERNEL_FRONT
from jupyter_ext.fleet.process_stat import ProcessStat

NGINX_MASTER = "nginx: master process "
NGINX_WORKER = "nginx: worker process"

PATIENCE = 10.0
"""Seconds between SIGTERM and SIGKILL."""


@dataclass(frozen=True)
class Leftover:
    """One process of a program of the fleet."""

    pid: int
    parent: int
    started: int
    """See `ProcessStat.started`."""
    name: str
    """The program's name."""
    worker: bool = False
    """Whether it is a worker of nginx, which cannot be adopted without its master."""


def program_of(arguments: list[str], data_dir: DataDir) -> str | None:
    """The name of the fleet's program that has these arguments; None for others and for kernels."""
    if arguments[0].startswith(NGINX_MASTER):
        # nginx rewrites its command line to a single string.
        arguments = arguments[0].removeprefix(NGINX_MASTER).split()
    config = f"--config={data_dir.config}/"
    for one in arguments[1:]:
        if one.startswith(config):
            return one.removeprefix(config).partition("/")[0]
    if f"-dir={data_dir.store}" in arguments:
        return "store"
    configs = {FRONT: data_dir.front_config, KERNEL_FRONT: data_dir.kernel_front_config}
    pairs = set(pairwise(arguments))
    return next((name for name, file in configs.items() if ("-c", str(file)) in pairs), None)


def first_of_each(found: list[Leftover]) -> dict[str, Leftover]:
    """The oldest process of each program: a worker, or a child between fork and exec, looks like
    its parent."""
    pids = {(one.name, one.pid) for one in found}
    roots = [one for one in found if (one.name, one.parent) not in pids]
    return {one.name: one for one in sorted(roots, key=lambda one: -one.started)}


def find_leftovers(data_dir: DataDir) -> list[Leftover]:
    """This user's processes that belong to the fleet."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if folder.stat().st_uid != os.geteuid():
                continue
            arguments = os.fsdecode((folder / "cmdline").read_bytes()).split("\0")
            worker = arguments[0].startswith(NGINX_WORKER)
            if worker:
                # Only the log that it has open shows which fleet it belongs to.
                logs = {str(data_dir.log(one)): one for one in (FRONT, KERNEL_FRONT)}
                name = logs.get(os.readlink(folder / "fd" / "2"))
            else:
                name = program_of(arguments, data_dir)
        except OSError:
            # It has ended meanwhile.
            continue
        stat = None if name is None else ProcessStat.of(int(folder.name))
        if name is not None and stat is not None:
            found.append(Leftover(int(folder.name), stat.parent, stat.started, name, worker))
    return found


def end_orphans(data_dir: DataDir, name: str) -> None:
    """Kill the remaining children of a program that has ended: they may hold its port."""
    for one in find_leftovers(data_dir):
        if one.name == name:
            _signal(one.pid, signal.SIGKILL)


def end_leftovers(data_dir: DataDir) -> int:
    """End the processes that a killed supervisor left behind; returns how many there were."""
    pids = [one.pid for one in find_leftovers(data_dir)]
    for pid in pids:
        _signal(pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE
    while left := find_leftovers(data_dir):
        if time.monotonic() > deadline:
            for one in left:
                _signal(one.pid, signal.SIGKILL)
        time.sleep(0.1)
    return len(pids)


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return
