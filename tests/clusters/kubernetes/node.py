"""A real node: kubelet, containerd, runc and a bridge, in the namespaces of the run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client

from tests.clusters import control_groups
from tests.clusters.inside import ADDRESS, BRIDGE, NETWORK, run_folder
from tests.clusters.kubernetes.binaries import folder as binaries_folder
from tests.clusters.kubernetes.control_plane import REAL_NODE, START_SECONDS, ControlPlane
from tests.clusters.kubernetes.identities import node
from tests.clusters.kubernetes.image import (
    PAUSE_IMAGE,
    PYTHON_IMAGE,
    pause_layer,
    python_layer,
    write_image,
)
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.servers.process import ServerProcess

_PLUGINS = "/usr/lib/cni"
_CONTAINERD = """
version = 2
root = "{directory}/containerd/root"
state = "{directory}/containerd/state"
[grpc]
  address = "{socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause}"
  # Not every root may lower its own score.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{plugins}"
    conf_dir = "{directory}/cni"
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{directory}/registries"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
"""


class Node:
    """The one real node of a control plane."""

    def __init__(self, plane: ControlPlane) -> None:
        self.name = REAL_NODE
        self._plane = plane
        self._directory = plane.directory / "node"
        # Where the kubelet looks for it to measure images and containers; /run is the run's own.
        self._socket = Path("/run/containerd/containerd.sock")
        self._containerd: ServerProcess | None = None
        self.kubelet: ServerProcess | None = None

    def start(self) -> None:
        """Starts the node; returns when it is ready for pods."""
        self._directory.mkdir()
        self._start_containerd()
        self.start_kubelet()

    def _start_containerd(self) -> None:
        networks = self._directory / "cni"
        networks.mkdir()
        (networks / "10-fleet.conflist").write_text(json.dumps(_network()))
        configuration = self._directory / "containerd.toml"
        configuration.write_text(
            _CONTAINERD.format(
                directory=self._directory, socket=self._socket, pause=PAUSE_IMAGE, plugins=_PLUGINS
            )
        )
        log = self._plane.directory / "containerd.log"
        self._containerd = ServerProcess(["containerd", "-c", str(configuration)], log)
        self._containerd.wait_until(lambda: self._answers(), START_SECONDS)
        pause = pause_layer(binaries_folder() / "pause")
        for name, layer, command in (
            (PAUSE_IMAGE, pause, ["/pause"]),
            (PYTHON_IMAGE, python_layer(), []),
        ):
            archive = self._directory / "image.tar"
            self.ctr("images", "import", str(write_image(archive, name, layer, command)))

    def trust_registry(self, host: str) -> None:
        """Has images of this registry pulled without TLS."""
        folder = self._directory / "registries" / host
        folder.mkdir(parents=True)
        (folder / "hosts.toml").write_text(
            f'[host."http://{host}"]\ncapabilities = ["pull", "resolve"]\n'
        )

    def _answers(self) -> bool:
        command = ["ctr", "-a", str(self._socket), "version"]
        return subprocess.run(command, capture_output=True, check=False).returncode == 0

    def ctr(self, *arguments: str) -> str:
        """What containerd's command line prints. Raises CalledProcessError."""
        command = ["ctr", "-a", str(self._socket), "-n", "k8s.io", *arguments]
        return subprocess.run(command, capture_output=True, check=True, text=True).stdout

    def start_kubelet(self) -> None:
        """Starts the kubelet, also once more; returns when the node is ready."""
        group = run_folder().name
        control_groups.make(group)
        configuration = self._directory / "kubelet.json"
        configuration.write_text(json.dumps(_kubelet(self._socket, f"/{group}", self._directory)))
        self.kubelet = ServerProcess(
            [
                str(binaries_folder() / "kubelet"),
                f"--config={configuration}",
                f"--kubeconfig={self._plane.kubeconfig(node(self.name))}",
                f"--root-dir={self._directory / 'kubelet'}",
                f"--cert-dir={self._directory / 'pki'}",
                f"--hostname-override={self.name}",
                f"--node-ip={ADDRESS}",
            ],
            self._plane.directory / "kubelet.log",
        )
        self.kubelet.wait_until(self._is_ready, START_SECONDS)

    def _is_ready(self) -> bool:
        with self._plane.client() as api:
            try:
                found: Any = client.CoreV1Api(api).read_node(self.name)
            except client.ApiException:
                return False
        ready = any(
            one.type == "Ready" and one.status == "True" for one in found.status.conditions or []
        )
        return ready and not found.spec.taints

    def stop(self) -> None:
        """Ends kubelet, containers and containerd."""
        if self.kubelet is not None:
            self.kubelet.stop()
        if self._containerd is None:
            return
        if self._containerd.exit_code is None:
            for container in self.ctr("tasks", "list", "-q").split():
                self.ctr("tasks", "kill", "--signal", "SIGKILL", container)
            wait_until(self._has_no_running_container, 30)
            for container in self.ctr("tasks", "list", "-q").split():
                # Its shim ends with it.
                self.ctr("tasks", "delete", container)
        self._containerd.stop()

    def _has_no_running_container(self) -> bool:
        tasks = self.ctr("tasks", "list").splitlines()[1:]
        return not any(" RUNNING" in task for task in tasks)


def _network() -> dict[str, Any]:
    bridge = {
        "type": "bridge",
        "bridge": BRIDGE,
        "isGateway": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": NETWORK, "rangeStart": "10.88.1.0"}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "1.0.0", "name": "fleet", "plugins": [bridge]}


def _kubelet(socket: Path, group: str, directory: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        # Only the run's own network reaches it.
        "authentication": {"anonymous": {"enabled": True}, "webhook": {"enabled": False}},
        "authorization": {"mode": "AlwaysAllow"},
        "address": ADDRESS,
        "readOnlyPort": 0,
        "containerRuntimeEndpoint": f"unix://{socket}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": group,
        "podLogsDir": str(directory / "logs"),
        "resolvConf": "/dev/null",
        "failSwapOn": False,
        "oomScoreAdj": 0,
        "maxOpenFiles": 20000,
        "makeIPTablesUtilChains": False,
        "serializeImagePulls": False,
        "imageGCHighThresholdPercent": 100,
        # The machine's disk may be nearly full without any fault of these pods.
        "evictionHard": {"memory.available": "200Mi", "nodefs.available": "50Mi"},
        "nodeStatusUpdateFrequency": "5s",
        # How soon a pod that fills its volume is evicted.
        "volumeStatsAggPeriod": "5s",
        "shutdownGracePeriod": "0s",
        # As everywhere with version 1 of cgroups: of a container that runs out of memory one
        # process is ended.
        "singleProcessOOMKill": True,
    }


@contextmanager
def running_node(plane: ControlPlane) -> Iterator[Node]:
    """The real node of a control plane."""
    node_ = Node(plane)
    with ExitStack() as stack:
        stack.callback(node_.stop)
        node_.start()
        yield node_
