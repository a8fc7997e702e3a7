"""What is certain of an object after the API server's answers to its creation."""

import logging
from collections.abc import Awaitable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from gateway_ext.process_proxies import object_creation
from gateway_ext.process_proxies.cluster_agent import ClusterAgentProxy
from gateway_ext.process_proxies.cluster_answers import Answering, kubernetes_answer
from gateway_ext.process_proxies.cluster_calls import ClusterRefused, ClusterSilent
from gateway_ext.process_proxies.kubernetes_cluster import PODS, KubernetesCluster
from gateway_ext.process_proxies.manifests import KernelObjects
from gateway_ext.process_proxies.sighting import unknown
from tests.servers.kubernetes_api import ScriptedKubernetes, status
from tests.servers.scripted_http import Answer

T = TypeVar("T")

FORBIDDEN = status(403, "pods is forbidden", "Forbidden")
UNAUTHORIZED = status(401, "Unauthorized", "Unauthorized")
KERNEL = KernelObjects("ada-1", "fleet", "k", "demo", "launch-1")
MANIFEST = {
    "metadata": {"name": "ada-1", "labels": {"kernel_id": "k", "jupyter-fleet/launch": "launch-1"}}
}


class Launch:
    """What creation needs of its launch."""

    def __init__(self) -> None:
        self.may_be_there = False
        self._unanswered = False
        self._owed_since: float | None = None
        self._seen = unknown("")
        self.kernel_id, self.log = "k", logging.getLogger("launch")
        self.noted: list[str] = []

    def note(self, words: str) -> None:
        self.noted.append(words)

    async def making(self, call: Awaitable[T]) -> T:
        made: T = await ClusterAgentProxy.making(self, call)  # type: ignore[arg-type]
        return made


@pytest.fixture
def server() -> Iterator[ScriptedKubernetes]:
    server = ScriptedKubernetes()
    yield server
    server.stop()


@pytest.fixture
def cluster(server: ScriptedKubernetes, tmp_path: Path) -> KubernetesCluster:
    server.write_kubeconfig(tmp_path / "kubeconfig")
    return KubernetesCluster(
        kubeconfig=str(tmp_path / "kubeconfig"), namespace="fleet", request_seconds=2.0
    )


async def created(cluster: KubernetesCluster, launch: Launch) -> str:
    """Empty, or why the object was not created."""
    try:
        await object_creation.create_once(cluster, PODS, MANIFEST, KERNEL, launch)
    except (ClusterRefused, ClusterSilent) as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    ("answers", "may_be_there", "words"),
    [
        ([FORBIDDEN], False, "pods is forbidden"),
        ([Answer(404, b"404 page not found", content_type="text/plain")], False, "not found"),
        ([UNAUTHORIZED], False, "answers 401 Unauthorized: the gateways' credentials are refused"),
        ([UNAUTHORIZED, None], True, ""),
        ([Answer(cut=True), FORBIDDEN], True, "pods is forbidden"),
    ],
)
async def test_after_a_refusal_nothing_is_there_unless_a_call_was_not_answered(
    server: ScriptedKubernetes,
    cluster: KubernetesCluster,
    answers: list[Answer | None],
    may_be_there: bool,
    words: str,
) -> None:
    server.script("POST", "/pods", *answers, forever=bool(words))
    launch = Launch()
    said = await created(cluster, launch)
    assert words in said
    assert bool(said) == bool(words)
    assert launch.may_be_there is may_be_there


async def test_a_server_that_is_not_there_was_asked_for_nothing(
    server: ScriptedKubernetes, cluster: KubernetesCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_creation, "_CREATE_SECONDS", 0.5)
    server.stop()
    launch = Launch()
    assert f"the API server at {server.url} does not answer" in await created(cluster, launch)
    assert launch.noted
    assert not launch.may_be_there
    assert (await kubernetes_answer(cluster)).state is Answering.SILENT


async def test_the_cluster_says_whether_it_accepts_the_credentials(
    server: ScriptedKubernetes, cluster: KubernetesCluster
) -> None:
    server.script("GET", "/pods", UNAUTHORIZED, FORBIDDEN, None)
    answers = [await kubernetes_answer(cluster) for _ in range(3)]
    assert [one.state for one in answers] == [Answering.REFUSED, Answering.DENIED, Answering.YES]
    assert f"at {server.url} answers 401 Unauthorized" in answers[0].words
