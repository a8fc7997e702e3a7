"""What Kubernetes needs from this machine before a run: Debian's programs, and the built ones."""

import os
import subprocess
from pathlib import Path

from tests.clusters import control_groups
from tests.clusters.kubernetes import binaries, network_policies
from tests.clusters.recipe_cache import OutOfTimeError, UnavailableError

_DEBIAN = Path(__file__).parents[3] / "deploy" / "debian-packages"
# Package and program. Debian has the plugins of containers' networks outside PATH.
_PACKAGES = (
    "containerd:containerd",
    "runc:runc",
    "containernetworking-plugins",
    "etcd-server:etcd",
    "iproute2:ip",
    "iptables:iptables",
)

# What a container needs of the machine, tried in namespaces that end with the try.
_FEATURES = {
    "overlay file system": "mount -t tmpfs tmpfs /mnt; cd /mnt; mkdir lower upper work merged; "
    "mount -t overlay overlay -o lowerdir=lower,upperdir=upper,workdir=work merged",
    "bridge or veth devices": "ip link add fleet-a type bridge; "
    "ip link add fleet-b type veth peer name fleet-c; ip link set fleet-b master fleet-a",
    "kernel log, which a kubelet reads": "test -r /dev/kmsg",
}
_PROBE = f"fleet-probe-{os.getpid()}"


def prepare(deadline: float) -> None:
    """Installs and builds what is missing until `deadline` (seconds of time.monotonic()).

    Raises UnavailableError, OutOfTimeError, BuildError.
    """
    done = subprocess.run([_DEBIAN, *_PACKAGES], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"Debian packages: {done.stderr.strip()[-300:]}")
    for what, command in _FEATURES.items():
        done = subprocess.run(
            ["unshare", "--mount", "--net", "sh", "-ec", command],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            raise UnavailableError(f"this machine has no {what}: {done.stderr.strip()[-300:]}")
    try:
        control_groups.make(_PROBE)
        control_groups.remove(_PROBE)
    except OSError as error:
        raise UnavailableError(f"control groups cannot be made here: {error}") from error
    binaries.build(deadline)
    try:
        network_policies.build(deadline)
    except (UnavailableError, OutOfTimeError) as error:
        print(f"skipped: the test of enforced network policies. {error}", flush=True)
