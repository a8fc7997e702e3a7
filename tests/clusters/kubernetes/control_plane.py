"""A control plane of Kubernetes: etcd, API server, controllers, scheduler. RBAC is on, and the API
server writes down every call (audit.py reads it)."""

from __future__ import annotations

import json
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from kubernetes import client, config

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.binaries import folder as binaries_folder
from tests.clusters.kubernetes.identities import (
    ADMIN,
    CONTROLLER_MANAGER,
    SCHEDULER,
    Identity,
    Tokens,
    node,
    write_kubeconfig,
)
from tests.servers.process import ServerProcess

SERVER = f"https://{ADDRESS}:6443"
REAL_NODE, FAKE_NODES = "node-1", ("fake-1", "fake-2")
START_SECONDS = 180.0
"""On a machine that does much else; about 10 s on an idle one."""
_ETCD = "http://127.0.0.1:2379"
_AUDIT = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One entry for each call, when it has been answered.
    "omitStages": ["RequestReceived", "ResponseStarted", "Panic"],
    "rules": [{"level": "Metadata"}],
}


class ControlPlane:
    """A running control plane and its clients."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.audit_log = directory / "audit.log"
        self.certificate = directory / "pki" / "apiserver.crt"
        identities = [ADMIN, CONTROLLER_MANAGER, SCHEDULER]
        identities += [node(name) for name in (REAL_NODE, *FAKE_NODES)]
        self.tokens = Tokens(directory / "tokens.csv", identities)
        self.processes: dict[str, ServerProcess] = {}

    def kubeconfig(self, identity: Identity) -> Path:
        """The file with which a role reaches the API server."""
        file = self.directory / f"{identity.user.replace(':', '-')}.kubeconfig"
        return write_kubeconfig(file, SERVER, self.certificate, self.tokens.of(identity))

    def client(self, identity: Identity = ADMIN) -> client.ApiClient:
        """A client of the API server; close it after use."""
        configuration = client.Configuration()
        configuration.retries = False
        config.load_kube_config(str(self.kubeconfig(identity)), client_configuration=configuration)
        return client.ApiClient(configuration)

    def start(self, name: str, *command: str) -> ServerProcess:
        """Starts one program, with its output in a log of its name."""
        process = ServerProcess(command, self.directory / f"{name}.log")
        self.processes[name] = process
        return process

    def is_ready(self) -> bool:
        """Whether the API server answers."""
        request = urllib.request.Request(
            f"{SERVER}/readyz", headers={"Authorization": f"Bearer {self.tokens.of(ADMIN)}"}
        )
        try:
            context = ssl.create_default_context(cafile=str(self.certificate))
            with urllib.request.urlopen(request, context=context, timeout=5) as answer:
                return bool(answer.read() == b"ok")
        except (OSError, urllib.error.URLError):
            return False

    def start_api_server(self) -> None:
        """Starts the API server; returns when it is ready."""
        self.start("kube-apiserver", *self._api_server()).wait_until(self.is_ready, START_SECONDS)

    def _api_server(self) -> list[str]:
        policy = self.directory / "audit.json"
        policy.write_text(json.dumps(_AUDIT))
        key = self.directory / "pki" / "service-accounts.key"
        return [
            str(binaries_folder() / "kube-apiserver"),
            f"--etcd-servers={_ETCD}",
            "--service-cluster-ip-range=10.197.0.0/24",
            "--secure-port=6443",
            f"--bind-address={ADDRESS}",
            f"--advertise-address={ADDRESS}",
            f"--cert-dir={self.certificate.parent}",
            f"--token-auth-file={self.tokens.file}",
            "--authorization-mode=Node,RBAC",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            "--enable-admission-plugins=NodeRestriction",
            # The name of a node is in no DNS.
            "--kubelet-preferred-address-types=InternalIP",
            f"--audit-policy-file={policy}",
            f"--audit-log-path={self.audit_log}",
            # An entry is there before its call is answered.
            "--audit-log-mode=blocking-strict",
        ]

    def start_all(self) -> None:
        """Starts all programs; returns when a pod could be created."""
        self.certificate.parent.mkdir()
        key = self.certificate.parent / "service-accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        peers = "http://127.0.0.1:2380"
        self.start(
            "etcd",
            "etcd",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={_ETCD}",
            f"--advertise-client-urls={_ETCD}",
            f"--listen-peer-urls={peers}",
            f"--initial-advertise-peer-urls={peers}",
            f"--initial-cluster=default={peers}",
            "--unsafe-no-fsync",
        )
        self.start_api_server()
        self.start(
            "kube-controller-manager",
            str(binaries_folder() / "kube-controller-manager"),
            f"--kubeconfig={self.kubeconfig(CONTROLLER_MANAGER)}",
            f"--service-account-private-key-file={key}",
            "--use-service-account-credentials",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        )
        self.start(
            "kube-scheduler",
            str(binaries_folder() / "kube-scheduler"),
            f"--kubeconfig={self.kubeconfig(SCHEDULER)}",
            "--bind-address=127.0.0.1",
            "--leader-elect=false",
        )
        self.processes["kube-controller-manager"].wait_until(self._has_accounts, START_SECONDS)

    def lose_leases(self) -> None:
        """What becomes of controllers and scheduler when the API server has been away for longer
        than they may go without renewing their leases (10 s): they end, and are started again.
        Without leader election they would go on with what they saw before, and the garbage
        collector may then never see an object that was made meanwhile."""
        for name in ("kube-scheduler", "kube-controller-manager"):
            self.processes[name].stop()
            self.processes[name] = self.processes[name].start_again()

    def _has_accounts(self) -> bool:
        with self.client() as api:
            core: Any = client.CoreV1Api(api)
            accounts = core.list_namespaced_service_account("default").items
        return any(account.metadata.name == "default" for account in accounts)

    def stop(self) -> None:
        """Ends all programs, the last started first."""
        for process in reversed(self.processes.values()):
            process.stop()


@contextmanager
def running_control_plane(directory: Path) -> Iterator[ControlPlane]:
    """A control plane whose files are in `directory`, which is new. No node belongs to it."""
    plane = ControlPlane(directory)
    with ExitStack() as stack:
        stack.callback(plane.stop)
        plane.start_all()
        yield plane
