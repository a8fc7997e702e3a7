"""What a run leaves on the machine is seen and removed."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from tests.clusters import control_groups
from tests.clusters.inside import BRIDGE, RUN_VARIABLE, is_inside
from tests.clusters.left_over import (
    forwarding,
    left_over,
    remove,
    remove_of_killed_runs,
)

pytestmark = pytest.mark.skipif(not is_inside(), reason="only in a run's namespaces")
# Not that of runs, of which one is under way.
PREFIX = "fleet-clusters-test-"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    # No process has this id.
    return tmp_path / f"{PREFIX}4194999"


def test_everything_that_a_run_left_is_named(run: Path) -> None:
    (run / "mounted").mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", run / "mounted"], check=True)
    process = subprocess.Popen(
        ["sleep", "600"], env={**os.environ, RUN_VARIABLE: str(run)}, start_new_session=True
    )
    try:
        # Its environment is its own when it is `sleep`.
        while not [line for line in left_over(run, forwarding()) if line.startswith("process")]:
            time.sleep(0.01)
        found = left_over(run, "neither")
    finally:
        process.kill()
        process.wait()
    remove(run)
    try:
        assert (run / "mounted").exists(), "it was removed through a mount"
    finally:
        subprocess.run(["umount", run / "mounted"], check=True)
    assert found == [
        f"process {process.pid}",
        f"mount {run / 'mounted'}",
        # The bridge of the run that this test belongs to.
        f"network device {BRIDGE}",
        f"folder {run}",
        f"net.ipv4.ip_forward is {forwarding()}, was neither",
    ]


def test_the_next_run_removes_what_a_killed_one_left(run: Path) -> None:
    (run / "etcd").mkdir(parents=True)
    control_groups.make(run.name)
    made = control_groups.groups(run.name)
    assert made
    (made[0] / "kubepods").mkdir()
    assert f"control group {made[0]}" in left_over(run, forwarding())
    alive = run.parent / f"{PREFIX}{os.getpid()}"
    alive.mkdir()
    remove_of_killed_runs(run.parent, PREFIX)
    assert not run.exists()
    assert control_groups.groups(run.name) == []
    assert alive.exists()
