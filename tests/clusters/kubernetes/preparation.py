"""What Kubernetes needs from this machine before a run: Debian's programs, and the built ones."""

import subprocess
from pathlib import Path

from tests.clusters.kubernetes import binaries
from tests.clusters.recipe_cache import UnavailableError

_DEBIAN = Path(__file__).parents[3] / "deploy" / "debian-packages"
# Package and program. Debian has the plugins of containers' networks outside PATH.
_PACKAGES = (
    "containerd:containerd",
    "runc:runc",
    "containernetworking-plugins",
    "etcd-server:etcd",
    "iproute2:ip",
)


def prepare(deadline: float) -> None:
    """Installs and builds what is missing until `deadline` (seconds of time.monotonic()).

    Raises UnavailableError, OutOfTimeError, BuildError.
    """
    done = subprocess.run([_DEBIAN, *_PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"Debian packages: {done.stderr.strip()[-300:]}")
    binaries.build(deadline)
