"""Whether a fleet answers: every lab, every gateway, and the front."""

from __future__ import annotations

import time
from collections.abc import Callable

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.configuration import Program
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.supervisor import ProcessState

START_SECONDS = 120.0
PAUSE = 0.2
MOST_STARTS = 3
"""A program that has ended so often before it answered for the first time is not tried further."""

PROBES = {"lab": "/api", "front": "/api", "gateway": "/api/kernelspecs"}


def answers(program: Program, service_token: str, timeout: float = 5.0) -> bool:
    """Whether ``program`` does its work. The store is asked in its own way, by writing to it."""
    try:
        call("GET", program.url + PROBES[program.role], service_token, timeout)
    except CallFailed:
        return False
    return True


def wait_for(
    fleet: list[Program],
    states: Callable[[], dict[str, ProcessState]],
    data_dir: DataDir,
    service_token: str,
    seconds: float = START_SECONDS,
) -> None:
    """Return when all of ``fleet`` answer; `FleetError` with the last words of one that cannot."""
    waiting = list(fleet)
    pids: dict[str, set[int]] = {}
    deadline = time.monotonic() + seconds
    while waiting:
        now = states()
        for program in waiting:
            state = now.get(program.name)
            if state and state.pid:
                pids.setdefault(program.name, set()).add(state.pid)
            if state is None or len(pids.get(program.name, ())) > MOST_STARTS:
                raise FleetError(f"{program.name} does not start: {last_words(data_dir, program)}")
        waiting = [program for program in waiting if not answers(program, service_token)]
        if waiting and time.monotonic() > deadline:
            names = ", ".join(program.name for program in waiting)
            words = last_words(data_dir, waiting[0])
            raise FleetError(f"no answer within {seconds:.0f} s from {names}: {words}")
        if waiting:
            time.sleep(PAUSE)


def last_words(data_dir: DataDir, program: Program) -> str:
    """The last line of a program's log that says something, and where the rest is."""
    log = data_dir.log(program.name)
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        lines = []
    said = [line for line in lines if line]
    return f"{said[-1][:300]} (more in {log})" if said else f"it said nothing (its log is {log})"
