"""The code of the version before, from the history of this checkout."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, Gateways
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

BEFORE = "d674056"
"""A commit whose agents have no journal ID, and whose labs and gateways know no cursors."""


def put_earlier(directory: Path, *folders: str, commit: str = BEFORE) -> None:
    """Puts folders of the checkout into `directory` as they were in the version before, in place of
    what is there. Skips the test if there is no history."""
    command = ["git", "-C", str(REPOSITORY), "archive", commit, *folders]
    archive = subprocess.run(command, capture_output=True)
    if archive.returncode:
        pytest.skip(f"this checkout has no history: {archive.stderr.decode()}")
    for folder in folders:
        shutil.rmtree(directory / folder, ignore_errors=True)
    subprocess.run(["tar", "-x", "-C", str(directory)], input=archive.stdout, check=True)


class EarlierGateways(Gateways):
    """Gateways of the version before, and agents of it for all kernels that they start."""

    def __init__(self, directory: Path, count: int, **more: Any) -> None:
        self.code = directory / "before"
        self.code.mkdir()
        put_earlier(self.code, "gateway_ext", "jupyter_ext")
        super().__init__(directory, count, **more)
        put_earlier(directory / "code", "gateway_ext", "jupyter_ext")


class EarlierLabs(Labs):
    """Labs of the version before."""

    commit = BEFORE

    def __init__(self, directory: Path, *arguments: Any, **more: Any) -> None:
        self.code = directory / "before-labs"
        self.code.mkdir()
        put_earlier(self.code, "jupyter_ext", commit=self.commit)
        super().__init__(directory, *arguments, **more)


def upgrade(servers: Gateways | Labs) -> None:
    """Replaces servers of the version before by those of this one, one after the other."""
    servers.code = REPOSITORY
    for number, process in enumerate(servers.processes):
        process.stop()
        servers.start_again(number)
