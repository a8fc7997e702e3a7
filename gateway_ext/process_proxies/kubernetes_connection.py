"""The connection to an API server, made again when a file that describes it changes."""

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gateway_ext.process_proxies.cluster_calls import NoCluster

_RENEW_SECONDS = 10.0
"""How often at most credentials that the cluster rejects are fetched again."""

_FILES = {
    "clusters": ("cluster", ("certificate-authority",)),
    "users": ("user", ("client-certificate", "client-key", "tokenFile")),
}


class KubernetesConnection:
    """Keeps the library's client of one kubeconfig, or of the gateway's own service account.

    Operators and their tools renew certificates and tokens in a kubeconfig, or in files that it
    names, while gateways run. The context stays the one of the first time: that somebody makes
    another one the current context must not move the gateway to a cluster without its kernels.
    Safe to use from several threads.
    """

    def __init__(
        self, kubeconfig: str, context: str, *, connections: int, log: logging.Logger | Any
    ) -> None:
        self._kubeconfig = Path(kubeconfig) if kubeconfig else None
        self._context = context
        self._connections = connections
        self._log = log
        self._lock = threading.Lock()
        self._client: Any = None
        self._files: list[Path] = []
        self._seen: object = None
        self._made = 0.0

    def client(self) -> Any:
        """The library's client. Raises NoCluster while there has never been a usable one."""
        with self._lock:
            if self._client is None or self._seen != _versions(self._files):
                self._make()
            return self._client

    @property
    def host(self) -> str:
        """The URL of the API server; empty while there has never been a usable client."""
        client = self._client
        return "" if client is None else str(client.configuration.host)

    def credentials_rejected(self) -> None:
        """Has the credentials fetched again: a plugin may have newer ones than it gave before."""
        with self._lock:
            if self._client is not None and time.monotonic() - self._made > _RENEW_SECONDS:
                self._make()

    def _make(self) -> None:
        # Files that are replaced meanwhile are read once more by the next call.
        self._files = [] if self._kubeconfig is None else _files(self._kubeconfig)
        self._seen = _versions(self._files)
        self._made = time.monotonic()
        try:
            self._client = self._load()
        except Exception as error:
            # The library also lets through what goes wrong in YAML, in files and in plugins.
            if self._client is None:
                raise NoCluster(_no_cluster_words(self._kubeconfig, error)) from error
            self._log.warning(
                "%s cannot be used (%s): the cluster is called with what was there before",
                self._kubeconfig or "the service account",
                error,
            )

    def _load(self) -> Any:
        # A large library, which gateways that have no such cluster can do without.
        import kubernetes.client
        import kubernetes.config

        configuration = type.__call__(kubernetes.client.Configuration)
        # No automatic retries: only the caller knows whether a request may be repeated.
        configuration.retries = False
        configuration.connection_pool_maxsize = self._connections
        if self._kubeconfig is None:
            kubernetes.config.load_incluster_config(configuration)
            return kubernetes.client.ApiClient(configuration)
        context = self._context or _current_context(self._kubeconfig)
        kubernetes.config.load_kube_config(
            str(self._kubeconfig), context or None, configuration, persist_config=False
        )
        self._context = context
        return kubernetes.client.ApiClient(configuration)


def _no_cluster_words(kubeconfig: Path | None, error: Exception) -> str:
    how = "`jupyter fleet up --kubeconfig FILE`, or KubernetesCluster.kubeconfig, names"
    if kubeconfig is None:
        return (
            f"the gateways are configured for no Kubernetes cluster: {how} the kubeconfig of one, "
            "and gateways that run in a cluster use that"
        )
    return f"the gateways cannot use the kubeconfig {kubeconfig} ({error}): {how} another one"


def referenced_files(document: object) -> list[str]:
    """The files that a kubeconfig's content names, in the order in which it names them."""
    found = []
    if isinstance(document, Mapping):
        for plural, (part, keys) in _FILES.items():
            for one in document.get(plural) or []:
                described = one.get(part) if isinstance(one, Mapping) else None
                if isinstance(described, Mapping):
                    found += [str(described[key]) for key in keys if described.get(key)]
    return found


def _document(kubeconfig: Path) -> object:
    # Comes with the library.
    import yaml

    try:
        return yaml.safe_load(kubeconfig.read_text())
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None


def _files(kubeconfig: Path) -> list[Path]:
    names = referenced_files(_document(kubeconfig))
    return [kubeconfig, *(kubeconfig.parent / name for name in names)]


def _current_context(kubeconfig: Path) -> str:
    document = _document(kubeconfig)
    return str(document.get("current-context") or "") if isinstance(document, Mapping) else ""


def _versions(files: list[Path]) -> list[tuple[int, int, int] | None]:
    """Distinguishes the present content of files from earlier ones without reading it."""
    found: list[tuple[int, int, int] | None] = []
    for file in files:
        try:
            status = file.stat()
            found.append((status.st_ino, status.st_size, status.st_mtime_ns))
        except OSError:
            found.append(None)
    return found
