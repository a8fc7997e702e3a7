"""Fleets that are really started, by the command that people type."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.leftovers import end_leftovers
from jupyter_ext.fleet.status import status
from jupyter_ext.fleet.supervisor import Supervisor
from tests.servers.ports import free_ports

COMMAND = Path(sys.executable).parent / "jupyter-fleet"


class FleetUnderTest:
    """One data directory, and `jupyter fleet` on it."""

    def __init__(self, root: Path) -> None:
        self.data_dir = DataDir.at(root)
        (self.port,) = free_ports(1)

    def run(self, *arguments: str, code: int = 0, **environment: str) -> str:
        """What the command prints; asserts its exit code. For code 1, what it says is wrong."""
        where = () if arguments == ("--version",) else ("--data-dir", self.data_dir.root)
        done = subprocess.run(
            [COMMAND, *arguments, *where],
            capture_output=True,
            text=True,
            timeout=170,
            env={**os.environ, **environment},
        )
        assert done.returncode == code, f"{arguments}: {done.stdout}\n{done.stderr}"
        return done.stderr if code else done.stdout

    def up(self, *arguments: str, **options) -> str:
        return self.run("up", "--detach", "--port", str(self.port), *arguments, **options)

    def status(self, code: int = 0) -> dict:
        done = subprocess.run(
            [COMMAND, "status", "--json", "--data-dir", self.data_dir.root],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)

    def processes(self) -> dict[str, dict]:
        """Those of `status`, asked without the command: tests wait for changes of them, and the
        command takes a tenth of a second of a processor. Without what changes by itself."""
        settings = load_settings(self.data_dir)
        assert settings is not None
        shown = status(self.data_dir, settings)["processes"]
        changing = {"revocations", "age_seconds"}
        return {
            one["name"]: {name: value for name, value in one.items() if name not in changing}
            for one in shown
        }

    def settled(self) -> dict[str, dict]:
        """The same once each of them runs, which is a moment after `up` for some."""

        def running() -> dict[str, dict] | None:
            found = self.processes()
            runs = all(one["state"] in ("running", "external") for one in found.values())
            return found if runs else None

        return wait_until("every process runs", running)

    def end(self) -> None:
        """Leave nothing behind, whatever the test did."""
        Supervisor(self.data_dir).end()
        end_leftovers(self.data_dir)
        shutil.rmtree(self.data_dir.kernels, ignore_errors=True)


def wait_until(what: str, found, seconds: float = 30.0):
    """The first true value of `found()`; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


@pytest.fixture
def fleet():
    """A fleet that was not started yet."""
    # pytest's own folders have paths that are too long for the sockets of kernels.
    with tempfile.TemporaryDirectory(prefix="fleet-up-") as folder:
        fleet = FleetUnderTest(Path(folder) / "d")
        try:
            yield fleet
        finally:
            fleet.end()


@pytest.fixture(scope="module")
def running_fleet():
    """A fleet of two labs and two gateways that runs; every test leaves it running."""
    with tempfile.TemporaryDirectory(prefix="fleet-up-") as folder:
        fleet = FleetUnderTest(Path(folder) / "d")
        try:
            fleet.up()
            yield fleet
            fleet.run("down", "--kernels")
        finally:
            fleet.end()
