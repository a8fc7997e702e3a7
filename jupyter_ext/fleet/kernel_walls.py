"""Whether kernels can have walls on this machine: tried once by `up`, which says what it found."""

from __future__ import annotations

import argparse
import os
import subprocess
import tempfile
from pathlib import Path

from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.tools import NOBODY, SYSTEM_PATHS

MODES = ("none", "auto", "required")
PROBE = "gateway_ext.agent.walls.probe"
PROBE_SECONDS = 60


def walls_mode(text: str) -> str:
    """The value of `--kernel-walls`."""
    if text not in MODES:
        raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(MODES)}")
    return text


def check_kernel_walls(mode: str, python: Path, *, as_root: bool) -> None:
    """Raise `FleetError` if kernels must have walls, and cannot."""
    if mode == "required" and (why_not := why_no_walls(python, as_root=as_root)):
        raise FleetError(
            f"kernels cannot have namespaces of their own: {why_not}. Change that, or use "
            "--kernel-walls auto"
        )


def walls_notice(mode: str, python: Path, *, as_root: bool) -> str:
    """What an operator must know about walls that were asked for; empty if they are there."""
    if mode != "auto" or not (why_not := why_no_walls(python, as_root=as_root)):
        return ""
    return (
        "kernels have no namespaces of their own: kernels of one project can read each other's "
        f"memory and temporary files ({why_not})"
    )


def why_no_walls(python: Path, *, as_root: bool) -> str:
    """Why a kernel of `python` can have no walls; empty if it can."""
    clean = {"PATH": SYSTEM_PATHS, "HOME": "/", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        if as_root:
            os.chown(folder, NOBODY, NOBODY)
        try:
            done = subprocess.run(
                [python, "-P", "-m", PROBE, folder],
                cwd="/",
                env=clean,
                capture_output=True,
                text=True,
                timeout=PROBE_SECONDS,
                user=NOBODY if as_root else None,
                group=NOBODY if as_root else None,
                extra_groups=[] if as_root else None,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return str(error)
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"{PROBE} ends with {done.returncode}"])[-1]
    return done.stdout.strip()
