"""The code of the version before journals, for those rows that compare with it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY
from tests.integration.jupyter_ext.kernels.test_earlier_agents import BEFORE


def put_earlier_version(folder: Path) -> Path:
    """Puts its packages and kernelspecs into a new folder, which every user may read. Returns what
    PYTHONPATH must be. RuntimeError in a checkout without history."""
    folder.mkdir(0o755)
    parts = ("gateway_ext", "jupyter_ext", "kernelspecs")
    archive = subprocess.run(
        ["git", "-C", str(REPOSITORY), "archive", BEFORE, *parts], capture_output=True
    )
    if archive.returncode:
        raise RuntimeError(f"this row needs the history: {archive.stderr.decode()}")
    subprocess.run(["tar", "-x", "-C", str(folder)], input=archive.stdout, check=True)
    return folder
