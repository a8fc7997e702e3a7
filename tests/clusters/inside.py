"""The namespaces of a run, from inside: `python -m tests.clusters.inside PYTEST-ARGUMENT...`.

The process, mount and network namespaces are new (tests/chaos/network.py makes them). This gives
them what clusters expect: a loopback, a bridge for pods, and empty folders where the programs of a
node have fixed ones.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ADDRESS = "10.88.0.1"
"""Where everything of a run listens that pods must reach."""
BRIDGE = "fleet-pods"
NETWORK = "10.88.0.0/16"

RUN_VARIABLE = "FLEET_CLUSTERS_RUN"
"""The folder of the run, in the environment of each of its processes; its name is the run's."""

# Fixed paths of containerd, kubelet and CNI. What they write there goes with the mounts.
_OWN_FOLDERS = (
    "/run",
    "/var/lib/cni",
    "/var/lib/containerd",
    "/var/lib/kubelet",
    "/var/log/containers",
)


def is_inside() -> bool:
    """Whether this process is in the namespaces of a run."""
    return RUN_VARIABLE in os.environ


def run_folder() -> Path:
    """The folder of this run's files, on a disk and with a short path."""
    return Path(os.environ[RUN_VARIABLE])


def set_up() -> None:
    """Makes the network and the folders. Raises CalledProcessError."""
    for folder in _OWN_FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)
        _do("mount", "-t", "tmpfs", "tmpfs", folder)
    _do("ip", "link", "set", "lo", "up")
    _do("ip", "link", "add", BRIDGE, "type", "bridge")
    _do("ip", "addr", "add", f"{ADDRESS}/16", "dev", BRIDGE)
    _do("ip", "link", "set", BRIDGE, "up")
    # The programs of a node look for the address of the default route.
    _do("ip", "route", "add", "default", "dev", BRIDGE)


def _do(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    set_up()
    sys.exit(pytest.main(sys.argv[1:]))
