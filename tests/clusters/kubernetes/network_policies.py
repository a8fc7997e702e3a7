"""What enforces network policies: kube-network-policies of Kubernetes' SIG Network.

The bridge of the pods does not. The controller decides about the first packet of each connection
between pods; connections to the node itself, where the gateways are, it leaves alone.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.binaries import build_packages
from tests.clusters.kubernetes.control_plane import REAL_NODE, START_SECONDS, ControlPlane
from tests.clusters.kubernetes.identities import ADMIN
from tests.clusters.recipe_cache import alone_in, recipe_folder
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.servers.process import ServerProcess

_MODULE = Path(__file__).parent / "policies"
_NAME, _PACKAGE = "kube-network-policies", "sigs.k8s.io/kube-network-policies/cmd"
# Where a program in a pod finds how to reach the API server; /run is the run's own.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_METRICS = "127.0.0.1:9080"


def build(deadline: float) -> Path:
    """The controller's program, built if it is not there. `deadline` and errors as in binaries."""
    where = recipe_folder("network-policies", (_MODULE / "go.mod", _MODULE / "go.sum"))
    program = where / _NAME
    if not program.exists():
        with alone_in(where, deadline):
            if not program.exists():
                build_packages(_MODULE, {_NAME: _PACKAGE}, where, deadline, "-s -w")
    return program


@contextmanager
def enforced_policies(plane: ControlPlane, program: Path) -> Iterator[None]:
    """The policies of the cluster hold for new connections."""
    # Packets between ports of one bridge pass the rules of the machine only then.
    Path("/proc/sys/net/bridge/bridge-nf-call-iptables").write_text("1")
    _ACCOUNT.mkdir(parents=True)
    try:
        (_ACCOUNT / "token").write_text(plane.tokens.of(ADMIN))
        (_ACCOUNT / "ca.crt").write_bytes(plane.certificate.read_bytes())
        controller = ServerProcess(
            [
                str(program),
                f"--hostname-override={REAL_NODE}",
                f"--metrics-bind-address={_METRICS}",
                "--disable-nri",
            ],
            plane.directory / "kube-network-policies.log",
            environment={"KUBERNETES_SERVICE_HOST": ADDRESS, "KUBERNETES_SERVICE_PORT": "6443"},
        )
        try:
            log = controller.log
            controller.wait_until(lambda: "Syncing nftables" in log.read_text(), START_SECONDS)
            yield
        finally:
            # It then removes its rules, without which no packet of a pod would pass any more.
            controller.signal(signal.SIGINT)
            wait_until(lambda: controller.exit_code is not None, START_SECONDS)
    finally:
        for file in _ACCOUNT.iterdir():
            file.unlink()
        _ACCOUNT.rmdir()
