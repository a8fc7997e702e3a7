"""Whether a fleet answers: every lab, every gateway, and the front."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.member import Member
from jupyter_ext.fleet.supervisor import ProcessState

START_SECONDS = 120.0
PAUSE = 0.2
MOST_STARTS = 3
"""A program that ends this often before its first answer has failed to start."""

PROBES = {
    "lab": "/api/me",
    "front": "/api",
    "kernel-front": "/front-health",
    "gateway": "/api/kernelspecs",
    "store": "/healthz",
}


def answers(member: Member, service_token: str, timeout: float = 5.0) -> bool:
    """Whether ``member`` answers requests."""
    try:
        call("GET", member.url + PROBES[member.role], service_token, timeout)
    except CallFailed:
        return False
    return True


def wait_for(
    members: Iterable[Member],
    states: Callable[[], dict[str, ProcessState]],
    data_dir: DataDir,
    service_token: str,
    seconds: float = START_SECONDS,
) -> None:
    """Return when all ``members`` answer; `FleetError` quotes the log of one that does not."""
    waiting = list(members)
    starts: dict[str, int] = {}
    deadline = time.monotonic() + seconds
    while waiting:
        now = states()
        for member in waiting:
            state = now.get(member.name)
            if state is None or (
                state.starts - starts.setdefault(member.name, state.starts) >= MOST_STARTS
            ):
                raise FleetError(f"{member.name} does not start: {last_words(data_dir, member)}")
        waiting = [member for member in waiting if not answers(member, service_token)]
        if waiting and time.monotonic() > deadline:
            names = ", ".join(member.name for member in waiting)
            words = last_words(data_dir, waiting[0])
            raise FleetError(f"no answer within {seconds:.0f} s from {names}: {words}")
        if waiting:
            time.sleep(PAUSE)


def last_words(data_dir: DataDir, member: Member) -> str:
    """The last line of a program's log that is not empty, and the log's path."""
    log = data_dir.log(member.name)
    try:
        lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    except OSError:
        lines = []
    said = [line for line in lines if line]
    return f"{said[-1][:300]} (more in {log})" if said else f"it printed nothing (its log is {log})"
