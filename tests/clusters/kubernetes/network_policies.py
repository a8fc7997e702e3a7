"""What enforces network policies in a run: kube-network-policies of Kubernetes' SIG Network.

The bridge of the pods does not. Of each connection that a pod opens, to another pod or to the node,
the first packet goes to a queue, and the controller says whether it passes.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.clusters.inside import ADDRESS, BRIDGE
from tests.clusters.kubernetes.binaries import build_packages
from tests.clusters.kubernetes.control_plane import REAL_NODE, START_SECONDS, ControlPlane
from tests.clusters.kubernetes.identities import ADMIN
from tests.clusters.recipe_cache import UnavailableError, alone_in, recipe_folder
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.servers.process import ServerProcess

_MODULE = Path(__file__).parent / "policies"
_NAME, _PACKAGE = "kube-network-policies", "sigs.k8s.io/kube-network-policies/cmd"
# Where a program in a pod finds how to reach the API server; /run is the run's own.
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_SERVER = {"KUBERNETES_SERVICE_HOST": ADDRESS, "KUBERNETES_SERVICE_PORT": "6443"}
_METRICS = "127.0.0.1:9080"
_QUEUE = 100
# The controller's own rules leave packets to the node alone, and are of nftables, whose queues not
# every kernel has (CONFIG_NFT_QUEUE). Its queue takes packets from iptables as well.
_RULE = ["-i", BRIDGE, "-m", "conntrack", "--ctstate", "NEW"]
_RULE += ["-j", "NFQUEUE", "--queue-num", str(_QUEUE)]
_CHAINS = ("INPUT", "FORWARD")
# Whether packets between ports of one bridge pass the rules of iptables; each network namespace has
# its own.
_BRIDGED = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


def program() -> Path:
    """The controller's program, whether it has been built or not."""
    return recipe_folder("network-policies", (_MODULE / "go.mod", _MODULE / "go.sum")) / _NAME


def build(deadline: float) -> None:
    """Builds the controller if it is not there. `deadline` and errors as in binaries.py."""
    if not _BRIDGED.exists():
        raise UnavailableError("bridges do not pass packets to iptables here")
    tried = ["unshare", "--net", "iptables", "-A", "INPUT", *_RULE]
    done = subprocess.run(tried, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise UnavailableError(f"iptables has no queues here: {done.stderr.strip()[-300:]}")
    if not program().exists():
        with alone_in(program().parent, deadline):
            if not program().exists():
                build_packages(_MODULE, {_NAME: _PACKAGE}, program().parent, deadline, "-s -w")


@contextmanager
def enforced_policies(plane: ControlPlane) -> Iterator[None]:
    """The policies of the cluster hold for new connections."""
    with _account(plane), ExitStack() as stack:
        stack.callback(_BRIDGED.write_text, _BRIDGED.read_text())
        _BRIDGED.write_text("1")
        controller = ServerProcess(
            [
                str(program()),
                f"--hostname-override={REAL_NODE}",
                f"--metrics-bind-address={_METRICS}",
                f"--nfqueue-id={_QUEUE}",
            ],
            plane.directory / "kube-network-policies.log",
            environment=os.environ | _SERVER,
        )
        stack.callback(_end, controller)
        controller.wait_until(_has_queue, START_SECONDS)
        for chain in _CHAINS:
            _iptables("-A", chain, *_RULE)
            # Without the controller nothing passes them.
            stack.callback(_iptables, "-D", chain, *_RULE)
        yield


def _has_queue() -> bool:
    queues = Path("/proc/net/netfilter/nfnetlink_queue").read_text().splitlines()
    return any(queue.split()[0] == str(_QUEUE) for queue in queues)


def _end(controller: ServerProcess) -> None:
    # It then removes its own rules.
    controller.signal(signal.SIGINT)
    wait_until(lambda: controller.exit_code is not None, START_SECONDS)


@contextmanager
def _account(plane: ControlPlane) -> Iterator[None]:
    _ACCOUNT.mkdir(parents=True)
    try:
        (_ACCOUNT / "token").write_text(plane.tokens.of(ADMIN))
        (_ACCOUNT / "ca.crt").write_bytes(plane.certificate.read_bytes())
        yield
    finally:
        for file in _ACCOUNT.iterdir():
            file.unlink()
        _ACCOUNT.rmdir()


def _iptables(*arguments: str) -> None:
    subprocess.run(["iptables", "-w", *arguments], check=True)
