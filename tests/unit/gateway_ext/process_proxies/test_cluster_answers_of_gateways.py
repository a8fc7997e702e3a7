"""Whether clusters answer, and accept the gateway's credentials."""

import asyncio
from typing import Any

import pytest

from gateway_ext.process_proxies.cluster_answers import (
    Answering,
    ClusterAnswer,
    ClusterAnswers,
    kubernetes_answer,
    yarn_answer,
)
from gateway_ext.process_proxies.cluster_calls import (
    ClusterRefused,
    ClusterSilent,
    CredentialsRefused,
)
from gateway_ext.process_proxies.kubernetes_cluster import KubernetesCluster
from gateway_ext.process_proxies.yarn_cluster import YarnCluster

FORBIDDEN = ClusterRefused(403, "Forbidden", "no")
CREDENTIALS = CredentialsRefused("answers 401")
AWAY = ClusterSilent("does not answer")


class Kubernetes(KubernetesCluster):
    said: Any = None
    asked = 0

    async def get(self, *_: Any) -> Any:
        self.asked += 1
        if isinstance(self.said, Exception):
            raise self.said
        if isinstance(self.said, asyncio.Event):
            await self.said.wait()


class Yarn(YarnCluster):
    said: Any = None

    async def information(self) -> Any:
        if self.said is not None:
            raise self.said

    @property
    def is_configured(self) -> bool:
        return self.said is not None


@pytest.mark.parametrize(
    ("said", "state", "words"),
    [
        (None, Answering.YES, ""),
        (FORBIDDEN, Answering.DENIED, "the gateways have no rights in namespace kernels"),
        (CREDENTIALS, Answering.REFUSED, "answers 401"),
        (AWAY, Answering.SILENT, "does not answer"),
        (ClusterRefused(0, "NoCluster", "not configured"), Answering.SILENT, "not configured"),
    ],
)
async def test_kubernetes(said: Any, state: Answering, words: str) -> None:
    cluster = Kubernetes(namespace="kernels")
    cluster.said = said
    assert await kubernetes_answer(cluster) == ClusterAnswer("kubernetes", state, words)


async def test_where_projects_have_namespaces_the_common_one_does_not_matter() -> None:
    cluster = Kubernetes(namespace="kernels", project_namespaces={"*": "kernels-{project}"})
    cluster.said = FORBIDDEN
    assert (await kubernetes_answer(cluster)).state is Answering.YES


@pytest.mark.parametrize(
    ("said", "state"),
    [
        (None, Answering.YES),
        (FORBIDDEN, Answering.DENIED),
        (CREDENTIALS, Answering.REFUSED),
        (AWAY, Answering.SILENT),
    ],
)
async def test_yarn(said: Any, state: Answering) -> None:
    cluster = Yarn()
    cluster.said = said
    assert (await yarn_answer(cluster)).state is state


async def test_only_clusters_that_are_configured_are_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert await ClusterAnswers(Kubernetes(), Yarn()).all() == []
    yarn = Yarn()
    yarn.said = AWAY
    answers = await ClusterAnswers(Kubernetes(kubeconfig="/k"), yarn).all()
    assert [one.cluster for one in answers] == ["kubernetes", "yarn"]


async def test_a_silent_cluster_is_asked_once_however_many_want_to_know() -> None:
    cluster = Kubernetes(kubeconfig="/k")
    cluster.said = asyncio.Event()
    answers = ClusterAnswers(cluster, Yarn(), seconds=0.01)
    for _ in range(3):
        [answer] = await answers.all()
        assert answer.state is Answering.SILENT
        assert answer.words == "it has not answered within 0.01 s"
    assert cluster.asked == 1
    cluster.said.set()
    [answer] = await ClusterAnswers(cluster, Yarn(), seconds=30.0).all()
    assert answer.state is Answering.YES
