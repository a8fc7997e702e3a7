"""Kernels in pods: the real agent and kernel, started by a scripted cluster."""

import json
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import (
    IMAGE,
    ClusterFleet,
    cluster_fleet,
)
from tests.servers.kubernetes_api import ScriptedKubernetes, status
from tests.servers.scripted_http import Answer, Request
from tests.servers.yarn_resource_manager import ScriptedResourceManager

STOCK_TEMPLATE = """
apiVersion: v1
kind: Pod
metadata:
  name: {{ kernel_pod_name | yaml_safe }}
  namespace: {{ kernel_namespace | yaml_safe }}
  labels:
    kernel_id: {{ kernel_id | yaml_safe }}
    app: enterprise-gateway
spec:
  restartPolicy: Never
  containers:
  - image: {{ kernel_image | yaml_safe }}
    name: {{ kernel_pod_name | yaml_safe }}
    env:
    {% if kernel_cpus is defined %}
    resources:
      requests:
        cpu: {{ kernel_cpus | yaml_safe }}
    {% endif %}
    volumeMounts:
  volumes:
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ kernel_pod_name | yaml_safe }}
data:
  x: "1"
"""
ASK = """
from gateway_ext.kernel_tools.fleet_calls import launch_details
print(launch_details()["kernel_id"])
"""
SEE = """
import os
print([os.environ.get(n) for n in ("MINE", "KERNEL_MINE", "KERNEL_USERNAME", "FROM_SPEC")])
"""


@contextmanager
def answering(kubernetes: ScriptedKubernetes, answer: Any) -> Iterator[None]:
    """Answers every request by `answer(request, the real answer)`."""
    real = kubernetes.answer
    kubernetes.answer = lambda request: answer(request, real(request))  # type: ignore[method-assign]
    try:
        yield
    finally:
        kubernetes.answer = real  # type: ignore[method-assign]


def test_a_kernel_in_a_pod(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("pod", KERNEL_MINE="yes", MINE="not allowed")
    assert fleet.run(1, kernel_id, SEE) == "[None, 'yes', 'ada', 'yes']"
    # The image need not contain the client of the fleet's calls.
    assert fleet.run(0, kernel_id, ASK) == kernel_id
    pod = fleet.pod(kernel_id)
    assert pod["metadata"]["name"] == f"ada-{kernel_id}"
    # What the agent knows is in a Secret alone.
    [secret] = fleet.kubernetes.of_kernel("secrets", kernel_id)
    assert secret["metadata"]["ownerReferences"][0]["uid"] == pod["metadata"]["uid"]
    assert "KERNEL_MINE" not in json.dumps(pod)
    fleet.end(kernel_id, 1)
    wait_until(lambda: fleet.nothing_left(kernel_id))
    assert fleet.model(kernel_id)["reason"] == "Not Found"
    deletions = fleet.kubernetes.asked("DELETE", kernel_id)
    assert [one.body["preconditions"] for one in deletions] == [{"uid": pod["metadata"]["uid"]}]


def test_a_kernel_on_a_lost_node_is_restarted_when_its_pod_is_gone(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("pod")
    assert fleet.run(0, kernel_id, "x = 41; print(x)") == "41"
    old = fleet.pod(kernel_id)
    fleet.kubernetes.lose_node(old["metadata"]["name"])
    wait_until(lambda: fleet.model(kernel_id, 1)["state"] == "unreachable", 40)
    wait_until(lambda: "node does not answer" in fleet.model(kernel_id)["reason"], 40)
    # Answered at once; nothing new is started while the old one may still run.
    fleet.restart(kernel_id, 1)
    wait_until(lambda: "deletionTimestamp" in fleet.pod(kernel_id)["metadata"], 40)
    asked = len(fleet.kubernetes.asked("GET", kernel_id))
    wait_until(lambda: len(fleet.kubernetes.asked("GET", kernel_id)) > asked + 3, 60)
    assert fleet.model(kernel_id)["state"] == "unreachable"
    assert "started again as soon as" in fleet.model(kernel_id)["reason"]
    assert fleet.pod(kernel_id)["metadata"]["uid"] == old["metadata"]["uid"]
    # The node is deleted, and its pods with it.
    fleet.kubernetes.without_node.clear()
    fleet.kubernetes.remove("pods", old["metadata"]["name"])
    wait_until(lambda: fleet.model(kernel_id)["state"] == "running", 60)
    assert fleet.pod(kernel_id)["metadata"]["uid"] != old["metadata"]["uid"]
    assert fleet.run(1, kernel_id, "print('x' in globals())") == "False"
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_a_kernelspec_of_enterprise_gateway(fleet: ClusterFleet) -> None:
    fleet.add_stock_kernelspec(
        "stock_pod",
        "k8s.KubernetesProcessProxy",
        ["python", "/nowhere/scripts/launch_kubernetes.py"],
        template=("kernel-pod.yaml.j2", STOCK_TEMPLATE),
        image_name=IMAGE,
    )
    name = "{{ kernel_username }}-mine-{{ kernel_id }}"
    kernel_id = fleet.started("stock_pod", KERNEL_CPUS="2", KERNEL_POD_NAME=name)
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    pod = fleet.pod(kernel_id)
    assert pod["metadata"]["name"].startswith("ada-mine-")
    assert pod["spec"]["containers"][0]["resources"] == {"requests": {"cpu": "2"}}
    assert len(fleet.kubernetes.of_kernel("configmaps", kernel_id)) == 1
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


QUOTA = 'pods "x" is forbidden: exceeded quota: team, used: pods=10, limited: pods=10'


@pytest.mark.parametrize(
    ("name", "answers", "words"),
    [
        ("no_image", [], "ImagePullBackOff: Back-off pulling image"),
        ("pod", [status(403, QUOTA)], QUOTA),
        ("pod", [status(422, "spec.containers[0].image: Required value")], "Required value"),
        ("pod", [status(404, 'namespaces "fleet" not found')], 'namespaces "fleet" not found'),
        ("pod", [None, status(403, "secrets is forbidden")], "secrets is forbidden"),
    ],
)
def test_launches_that_fail_say_why_and_leave_nothing(
    fleet: ClusterFleet, name: str, answers: list[Answer | None], words: str
) -> None:
    fleet.kubernetes.script("POST", "/namespaces/fleet/", *answers)
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(name, kernel_id=kernel_id)
    assert answer.status_code == 500
    assert words in answer.json()["message"]
    later = fleet.model(kernel_id, 1)
    assert later["state"] == "dead"
    assert words in later["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id))


@pytest.mark.parametrize(
    "name", ["KERNEL_NAMESPACE", "KERNEL_VOLUMES", "KERNEL_UID", "KERNEL_RUN_AS_ROOT"]
)
def test_what_clients_may_not_choose(fleet: ClusterFleet, name: str) -> None:
    kernel_id = str(uuid.uuid4())
    before = len(fleet.kubernetes.requests)
    answer = fleet.start("pod", kernel_id=kernel_id, **{name: "kube-system"})
    assert answer.status_code == 403
    assert "KubernetesCluster.client_settings" in answer.text
    assert fleet.model(kernel_id)["state"] == "dead"
    # Nothing was asked for, so nothing is looked for or removed: not even this kernel's objects,
    # for which an empty name and namespace would be all objects of all namespaces.
    with fleet.kubernetes.lock:
        asked = [one.path for one in fleet.kubernetes.requests[before:]]
    assert not [path for path in asked if "//" in path or path.endswith("/") or kernel_id in path]


def test_a_project_has_a_namespace_of_its_own(fleet: ClusterFleet) -> None:
    client, kernel_id = fleet.gateways.client(research="owner"), str(uuid.uuid4())
    body = {"name": "pod", "kernel_id": kernel_id}
    answer = client.call("POST", fleet.url(0), json=body)
    assert answer.status_code == 201, answer.text
    found = [*fleet.kubernetes.of_kernel("pods", kernel_id)]
    found += fleet.kubernetes.of_kernel("secrets", kernel_id)
    assert [one["metadata"]["namespace"] for one in found] == ["fleet-research"] * 2
    assert answer.json()["location"]["namespace"] == "fleet-research"
    assert client.call("DELETE", fleet.url(1, kernel_id)).status_code == 204
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_a_creation_whose_answer_was_lost_is_one_pod(fleet: ClusterFleet) -> None:
    lost: list[Request] = []

    def losing(request: Request, answer: Answer) -> Answer:
        if request.method == "POST" and request.path.endswith("/pods") and not lost:
            lost.append(request)
            return Answer(cut=True)
        return answer

    with answering(fleet.kubernetes, losing):
        kernel_id = fleet.started("pod")
    assert lost
    assert fleet.run(0, kernel_id, "print(1)") == "1"
    assert len(fleet.kubernetes.of_kernel("pods", kernel_id)) == 1
    fleet.end(kernel_id)


def test_what_is_somebody_else_s_stays(fleet: ClusterFleet) -> None:
    theirs = {"metadata": {"name": "theirs", "labels": {"kernel_id": "another"}}}
    spec = {"containers": [{"name": "c", "image": "i"}]}
    with fleet.kubernetes.lock:
        fleet.kubernetes._create("pods", "fleet", {**theirs, "spec": spec})
        fleet.kubernetes.set_status("pods", "theirs", conditions=[{}])
    answer = fleet.start("pod", KERNEL_POD_NAME="theirs")
    assert answer.status_code == 500
    assert "exists in namespace fleet already, and is not of this kernel" in answer.text
    assert not fleet.kubernetes.asked("DELETE", "theirs")
    fleet.kubernetes.remove("pods", "theirs")


def _left_of_deleted(fleet: ClusterFleet) -> Any:
    """What gateways say is left of deleted kernels."""
    url = f"{fleet.gateways.urls[0]}/api/fleet/leftovers"
    return fleet.gateways.service().call("GET", url).json()


def test_a_cluster_that_is_away_kills_nothing(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("pod")
    pod = fleet.pod(kernel_id)
    # Deletions would be done: there must be none.
    answers = [Answer(cut=True), status(503, "etcdserver: leader changed"), Answer(delay=9)]
    gone = status(410, "too old resource version", "Expired")
    unauthorized = status(401, "Unauthorized", "Unauthorized")
    fleet.kubernetes.script("GET", "/fleet/", *answers, gone, unauthorized, forever=True)
    assert fleet.run(0, kernel_id, "x = 41; print(x + 1)") == "42"
    # The agent's machine ends. As long as nobody can say so, nobody says so.
    fleet.kubernetes.containers[pod["metadata"]["uid"]].kill()
    asked = len(fleet.kubernetes.asked("GET", "/fleet/"))
    # Each of the answers has been given.
    wait_until(
        lambda: len(fleet.kubernetes.asked("GET", "/fleet/")) >= asked + len(answers) + 2, 60
    )
    assert fleet.model(kernel_id)["state"] == "running"
    fleet.kubernetes.end_scripts()
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert "Error, exit code 137" in fleet.model(kernel_id, 1)["reason"]
    assert fleet.nothing_left(kernel_id)
    # Started again under the same id: another pod, another launch.
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    assert fleet.pod(kernel_id)["metadata"]["uid"] != pod["metadata"]["uid"]
    location = fleet.model(kernel_id, 1)["location"]
    name = fleet.pod(kernel_id)["metadata"]["name"]
    assert location == {"kind": "pod", "namespace": "fleet", "name": name}
    # And deleted while the cluster is away again.
    fleet.kubernetes.script("DELETE", "/fleet/", status(500, "internal"), forever=True)
    fleet.end(kernel_id)
    assert not fleet.nothing_left(kernel_id)
    assert {"kernel_id": kernel_id, "location": location} in _left_of_deleted(fleet)
    fleet.kubernetes.end_scripts()
    wait_until(lambda: fleet.nothing_left(kernel_id))
    wait_until(lambda: kernel_id not in str(_left_of_deleted(fleet)))


def test_a_slow_cluster_delays_nobody_else(fleet: ClusterFleet) -> None:
    before = len(fleet.kubernetes.asked("POST", "/pods"))
    fleet.kubernetes.script("POST", "/pods", *[Answer(delay=1.5, cut=True)] * 2)
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(fleet.start("pod"))) for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    wait_until(lambda: len(fleet.kubernetes.asked("POST", "/pods")) == before + 2)
    url = f"{fleet.gateways.urls[0]}/api"
    client = fleet.gateways.client()
    assert all(client.call("GET", url).status_code == 200 for _ in range(20))
    # Before either had an answer.
    assert not answers
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 2
    for answer in answers:
        fleet.end(answer.json()["id"])


@pytest.mark.parametrize(
    ("name", "class_name", "argv", "language", "words"),
    [
        ("r", "k8s.KubernetesProcessProxy", ["R"], "R", "kernel_argv"),
        ("run", "k8s.KubernetesProcessProxy", ["/x/run.sh"], "python", "Spark operator's"),
        ("bare", "k8s.KubernetesProcessProxy", ["python"], "python", "has no template"),
        ("swarm", "docker_swarm.DockerSwarmProcessProxy", ["python"], "python", "not supported"),
        ("ssh", "distributed.DistributedProcessProxy", ["python"], "python", "run gateways on"),
        ("crd", "crd.CustomResourceProcessProxy", ["python"], "python", "SparkOperatorAgentProxy"),
    ],
)
def test_kernelspecs_that_no_agent_can_be_started_by(
    fleet: ClusterFleet, name: str, class_name: str, argv: list[str], language: str, words: str
) -> None:
    fleet.add_stock_kernelspec(name, class_name, argv, language=language)
    answer = fleet.start(name)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_gateways_are_killed_in_the_middle_of_launches(
    kubernetes: ScriptedKubernetes, yarn: ScriptedResourceManager, tmp_path: Path
) -> None:
    """Two launches go on at another gateway, one fails there, a running kernel moves on."""
    settings = {
        "namespace_per_kernel": True,
        "kernel_cluster_role": "kernel-controller",
        # Longer than the gateway that waits will live.
        "pull_patience_seconds": 60.0,
    }
    with cluster_fleet(kubernetes, yarn, tmp_path, **settings) as fleet:
        running = fleet.started("pod", 1)
        pid = fleet.run(0, running, "import os; print(os.getpid())")
        assert len(kubernetes.of_kernel("namespaces", running)) == 1
        assert len(kubernetes.of_kernel("rolebindings", running)) == 1
        drain = f"{fleet.gateways.urls[1]}/api/fleet/gateways/gateway-1/drain"
        service = fleet.gateways.service()
        assert service.call("POST", drain).json()["kernels"] == 0
        service.call("DELETE", drain)
        wait_until(lambda: fleet.gateways.owner(running) == fleet.gateways.urls[0])
        goes_on, hopeless, unheard = (str(uuid.uuid4()) for _ in range(3))
        dead = threading.Event()

        def dying(request: Request, answer: Answer) -> Answer:
            text = json.dumps(request.body)
            if request.method == "POST" and not dead.is_set():
                # Of the one the last thing that its gateway does is to make the Secret, of the
                # other one that it makes the namespace: it hears of neither.
                last = "/secrets" if goes_on in text else "/namespaces"
                if (goes_on in text or unheard in text) and request.path.endswith(last):
                    return Answer(delay=60)
            return answer

        with answering(kubernetes, dying):
            for kernel_id, name in ((goes_on, "pod"), (hopeless, "no_image"), (unheard, "pod")):
                threading.Thread(
                    target=_start_at_dying, args=(fleet, name, kernel_id), daemon=True
                ).start()
            wait_until(lambda: kubernetes.of_kernel("secrets", goes_on))
            wait_until(lambda: kubernetes.of_kernel("namespaces", unheard))
            wait_until(lambda: kubernetes.of_kernel("secrets", hopeless))
            fleet.gateways.processes[0].kill()
            dead.set()
        wait_until(lambda: fleet.model(goes_on, 1).get("state") == "running")
        assert fleet.run(1, goes_on, "print(6 * 7)") == "42"
        assert fleet.run(1, running, "import os; print(os.getpid())") == pid
        # Of this one there was only a namespace.
        wait_until(lambda: fleet.model(unheard, 1).get("state") == "running", 40)
        assert fleet.run(1, unheard, "print(6 * 7)") == "42"
        assert len(kubernetes.of_kernel("namespaces", unheard)) == 1
        wait_until(lambda: fleet.model(hopeless, 1).get("state") == "dead", 60)
        wait_until(lambda: fleet.nothing_left(hopeless))
        assert "ImagePullBackOff" in fleet.model(hopeless, 1)["reason"]
        events = [one["event"] for one in fleet.gateways.events(goes_on, 1)]
        assert events[:2] == ["launch", "claim"]
        assert events.count("running") == 1
        for kernel_id in (running, goes_on, unheard):
            fleet.end(kernel_id, 1)
            wait_until(lambda k=kernel_id: fleet.nothing_left(k))
        # Or their clean-up at the end would go through the one that is dead.
        fleet.gateways.urls.reverse()


def _start_at_dying(fleet: ClusterFleet, name: str, kernel_id: str) -> None:
    try:
        fleet.start(name, 0, kernel_id)
    except OSError:
        # The gateway was killed.
        return
