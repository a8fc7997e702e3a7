"""Runs the tests on real clusters: `python -m tests.clusters [--full] [PYTEST-ARGUMENT...]`.

Exit status 0 if no test failed. What cannot be had here, or does not fit the time, is skipped with
a printed reason: a slow machine, or one without Go or root, fails nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.chaos.network import can_be_cut, run_inside
from tests.clusters.budget import DEADLINE_VARIABLE, FAILURES_FILE, UNAVAILABLE_VARIABLE
from tests.clusters.inside import RUN_VARIABLE
from tests.clusters.left_over import (
    PREFIX,
    forwarding,
    left_over,
    remove,
    remove_of_killed_runs,
)
from tests.clusters.recipe_cache import BuildError, OutOfTimeError, UnavailableError

HERE = Path(__file__).parent
RUNS = Path("/tmp")
TEST_SECONDS = 600
"""How long one test may take, much longer than it does on a slow machine."""


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also what takes long")
    parser.add_argument("--only", metavar="CLUSTER", help="the one that is prepared and tested")
    parser.add_argument("--seconds", type=float, default=7200, help="how long all may take")
    parser.add_argument("--build-seconds", type=float, default=3600, help="of these, for building")
    options, arguments = parser.parse_known_args()
    deadline = time.monotonic() + options.seconds
    if os.geteuid() != 0:
        return _skip("containers need root")
    if not can_be_cut():
        return _skip("this container does not allow namespaces")
    try:
        build_until = min(deadline, time.monotonic() + options.build_seconds)
        unavailable = _prepare(build_until, options.only)
    except BuildError as error:
        print(f"a cluster does not build:\n{error}", file=sys.stderr)
        return 1
    if not options.full:
        arguments = ["-m", "not full", *arguments]
    return _run(arguments, deadline, unavailable)


def _skip(reason: str) -> int:
    print(f"skipped: the tests on real clusters. {reason}", flush=True)
    return 0


def _prepare(deadline: float, only: str | None) -> dict[str, str]:
    """Which clusters cannot be had, and why."""
    unavailable = {}
    for module in sorted(HERE.glob("*/preparation.py")):
        cluster = module.parent.name
        if only not in (None, cluster):
            unavailable[cluster] = f"only {only} is to be tested"
            continue
        print(f"preparing {cluster}", flush=True)
        try:
            importlib.import_module(f"tests.clusters.{cluster}.preparation").prepare(deadline)
        except UnavailableError as error:
            unavailable[cluster] = str(error)
        except OutOfTimeError as error:
            unavailable[cluster] = f"it could not be built in the time there was: {error}"
    for cluster, reason in unavailable.items():
        print(f"skipped: the tests on {cluster}. {reason}", flush=True)
    return unavailable


def _run(arguments: list[str], deadline: float, unavailable: dict[str, str]) -> int:
    remove_of_killed_runs(RUNS)
    run = RUNS / f"{PREFIX}{os.getpid()}"
    run.mkdir(mode=0o711)
    # A folder that kernels of other users must be able to pass, whatever the umask.
    run.chmod(0o711)
    os.environ[DEADLINE_VARIABLE] = str(deadline)
    os.environ[UNAVAILABLE_VARIABLE] = json.dumps(unavailable)
    os.environ[RUN_VARIABLE] = str(run)
    forwarded = forwarding()
    # A signal ends the run as the end of its time does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    command = [sys.executable, "-m", "tests.clusters.inside", "-q", f"--timeout={TEST_SECONDS}"]
    try:
        code = run_inside(
            [*command, "-p", "no:cacheprovider", str(HERE), *arguments],
            # The test that is under way at the end of the time may finish.
            max(0.0, deadline - time.monotonic()) + 60.0,
        )
    except subprocess.TimeoutExpired:
        failed = _failed(run)
        code = 1 if failed else _skip("what was still to come did not fit the time")
        print(*failed, sep="\n")
    finally:
        with contextlib.suppress(FileNotFoundError):
            (run / FAILURES_FILE).unlink()
        # What cannot be removed is named below.
        with contextlib.suppress(OSError):
            remove(run)
    # Of processes of this run there is one, this one.
    del os.environ[RUN_VARIABLE]
    rest = left_over(run, forwarded)
    if rest:
        print("the run left on the machine:", *rest, sep="\n  ", file=sys.stderr)
        return 1
    return code


def _failed(run: Path) -> list[str]:
    try:
        return (run / FAILURES_FILE).read_text().splitlines()
    except FileNotFoundError:
        return []


if __name__ == "__main__":
    sys.exit(main())
