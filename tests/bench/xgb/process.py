"""Runs a contestant in the environment with `xgb-ray`, and counts the CPU of its processes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[3]
PYTHON = "XGB_RAY_PYTHON"
# What a contestant prints when it has done its work from a cold start and does it again.
AGAIN = "again"


class Missing(RuntimeError):
    """There is no environment to run contestants in."""


def rows_wanted() -> int:
    """Rows of the data sets: a million unless `XGB_BENCH_ROWS` says otherwise."""
    return int(os.environ.get("XGB_BENCH_ROWS", "1000000"))


def run(name: str, timeout: float = 900, **arguments: Any) -> dict[str, float]:
    """The figures that a contestant printed, with the CPU seconds of all its processes: `cpu_s`
    and, if it said `AGAIN`, `warm_cpu_s` from then on, which `cpu_s` then leaves out.

    Raises:
        Missing: the environment variable `XGB_RAY_PYTHON` names no interpreter.
        RuntimeError: the contestant failed.
    """
    python = os.environ.get(PYTHON, "")
    if not Path(python).is_file():
        raise Missing(f"set {PYTHON} to the interpreter of a kernel environment with xgb-ray")
    mark = f"XGB_BENCH={uuid.uuid4().hex}"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "XGB_BENCH": mark.split("=")[1]}
    process = subprocess.Popen(
        [python, "-m", "tests.bench.xgb.contestant", name, json.dumps(arguments)],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    spent: dict[tuple[int, str], float] = {}
    over = threading.Event()

    def look() -> float:
        for pid, born, seconds in _marked(mark.encode()):
            spent[pid, born] = seconds
        return sum(spent.values())

    def watch() -> None:
        while not over.wait(0.2):
            look()

    errors: list[str] = []
    watcher = threading.Thread(target=watch, daemon=True)
    reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()), daemon=True)
    alarm = threading.Timer(timeout, process.kill)
    for thread in (watcher, reader, alarm):
        thread.start()
    cpu: dict[str, float] = {}
    last = ""
    try:
        for line in process.stdout or ():
            if line.strip() == AGAIN:
                cpu["cpu_s"] = look()
            elif line.startswith("{"):
                last = line
                cpu["warm_cpu_s" if cpu else "cpu_s"] = look() - sum(cpu.values())
        process.wait()
    finally:
        alarm.cancel()
        over.set()
        watcher.join()
        for pid, _, _ in _marked(mark.encode()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    reader.join(5)
    if process.returncode or not last:
        raise RuntimeError(f"{name} failed: {''.join(errors)[-800:]}")
    figures: dict[str, float] = json.loads(last)
    return {**figures, **cpu}


def _marked(mark: bytes) -> Iterator[tuple[int, str, float]]:
    """Processes with the mark in their environment: pid, time of birth, CPU seconds."""
    tick = os.sysconf("SC_CLK_TCK")
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            if mark in (entry / "environ").read_bytes():
                fields = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                yield int(entry.name), fields[19], (int(fields[11]) + int(fields[12])) / tick
