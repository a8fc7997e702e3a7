"""Whether the clusters of a gateway answer, and accept its credentials."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster
from gateway_ext.process_proxies.selectors import ObjectName
from gateway_ext.process_proxies.yarn_cluster import YarnCluster

ANSWER_SECONDS = 4.0


class Answering(StrEnum):
    """How a cluster answers."""

    YES = "answers"
    """It answers, and accepts the gateway's credentials."""
    DENIED = "denied"
    """The same, but the gateway has no right to start kernels."""
    REFUSED = "refused"
    """It does not accept the credentials."""
    SILENT = "silent"
    """It does not answer, or does not say anything usable."""


@dataclass(frozen=True)
class ClusterAnswer:
    """What a cluster, `kubernetes` or `yarn`, says. `words` are for people, on one line; empty if
    all is well."""

    cluster: str
    state: Answering
    words: str = ""


class ClusterAnswers:
    """Asks the clusters that a gateway is configured for."""

    def __init__(
        self, kubernetes: KubernetesCluster, yarn: YarnCluster, seconds: float = ANSWER_SECONDS
    ) -> None:
        """A cluster may take `seconds` to answer."""
        self._seconds = seconds
        self._asking: dict[str, asyncio.Task[ClusterAnswer]] = {}
        self._clusters: dict[str, Callable[[], Awaitable[ClusterAnswer]]] = {}
        if kubernetes.kubeconfig or os.environ.get("KUBERNETES_SERVICE_HOST"):
            self._clusters["kubernetes"] = lambda: kubernetes_answer(kubernetes)
        if yarn.is_configured:
            self._clusters["yarn"] = lambda: yarn_answer(yarn)

    async def all(self) -> list[ClusterAnswer]:
        """The answer of each cluster."""
        return list(await asyncio.gather(*map(self._answer, self._clusters)))

    async def _answer(self, name: str) -> ClusterAnswer:
        # Who asks while a cluster is silent waits for the same answer: no threads pile up.
        asking = self._asking.get(name)
        if asking is None or asking.done():
            asking = self._asking[name] = asyncio.ensure_future(self._clusters[name]())
        await asyncio.wait({asking}, timeout=self._seconds)
        if asking.done():
            return asking.result()
        return ClusterAnswer(
            name, Answering.SILENT, f"it has not answered within {self._seconds:g} s"
        )


async def kubernetes_answer(cluster: KubernetesCluster) -> ClusterAnswer:
    """How a Kubernetes cluster answers."""
    name = "kubernetes"
    try:
        namespace = ObjectName(cluster.namespace)
        allowed = await cluster.may_see_pods(namespace)
    except CredentialsRefused as error:
        return ClusterAnswer(name, Answering.REFUSED, str(error))
    except (ClusterSilent, ClusterRefused, ValueError) as error:
        return ClusterAnswer(name, Answering.SILENT, str(error))
    # Where every project has a namespace of its own, this one may not even exist.
    if allowed or "*" in cluster.project_namespaces or cluster.namespace_per_kernel:
        return ClusterAnswer(name, Answering.YES)
    return ClusterAnswer(
        name, Answering.DENIED, f"the gateways have no rights in namespace {namespace}"
    )


async def yarn_answer(cluster: YarnCluster) -> ClusterAnswer:
    """How a YARN cluster answers."""
    try:
        await cluster.information()
    except CredentialsRefused as error:
        return ClusterAnswer("yarn", Answering.REFUSED, str(error))
    except ClusterRefused as error:
        return ClusterAnswer("yarn", Answering.DENIED, str(error))
    except ClusterSilent as error:
        return ClusterAnswer("yarn", Answering.SILENT, str(error))
    return ClusterAnswer("yarn", Answering.YES)
