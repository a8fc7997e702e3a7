"""Launch options of kernels in clusters: what the cluster is asked for, with real kernels."""

import json
import uuid
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import (
    IMAGE,
    OURS,
    ClusterFleet,
)

SEE = "import os; print([os.environ.get(n) for n in ('MODE', 'API_TOKEN', 'KERNEL_CPUS')])"


@pytest.fixture(scope="module", autouse=True)
def _kernelspecs(shared_fleet: ClusterFleet, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = str(shared_fleet.yarn.write_spark(tmp_path_factory.mktemp("spark")))
    argv = ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"]
    shared_fleet.add_kernelspec(
        "yarn_options", OURS / "spark_python_yarn", env={"SPARK_HOME": home}, kernel_argv=argv
    )
    shared_fleet.add_kernelspec("wrong", OURS / "python_kubernetes", image_name=IMAGE)
    file = shared_fleet.gateways.directory / "kernels" / "wrong" / "kernel.json"
    document = json.loads(file.read_text())
    document["metadata"]["fleet"]["launch_options"]["properties"]["gpus"] = {"type": "integer"}
    file.write_text(json.dumps(document))


def start(fleet: ClusterFleet, name: str, options: Any, number: int = 0) -> Any:
    body = {"name": name, "kernel_id": str(uuid.uuid4()), "launch_options": options}
    return fleet.gateways.client().call("POST", fleet.url(number), json=body)


def started(fleet: ClusterFleet, name: str, options: Any) -> dict[str, Any]:
    answer = start(fleet, name, options)
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    return model


def test_a_pod_as_it_was_chosen(fleet: ClusterFleet) -> None:
    options = {
        "cpus": 2,
        "memory": "3Gi",
        "resources": {"nvidia.com/gpu": 1},
        "queue": "team-a",
        "priority_class": "high",
        "node_pool": "a100",
        "environment": {"MODE": "fast", "API_TOKEN": "hush-hush"},
    }
    model = started(fleet, "pod", options)
    kernel_id = model["id"]
    shown = {**options, "environment": {"MODE": None, "API_TOKEN": None}}
    assert model["launch_options"] == shown
    assert fleet.model(kernel_id, 1)["launch_options"] == shown
    assert fleet.run(1, kernel_id, SEE) == "['fast', 'hush-hush', '2']"
    pod = fleet.pod(kernel_id)
    assert pod["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert pod["spec"]["priorityClassName"] == "high"
    assert pod["spec"]["nodeSelector"] == {"jupyter-fleet/node-pool": "a100"}
    assert pod["spec"]["containers"][0]["resources"] == {
        "requests": {"cpu": "2", "memory": "3Gi", "nvidia.com/gpu": "1"},
        "limits": {"nvidia.com/gpu": "1"},
    }
    # Others may read a pod.
    assert "hush-hush" not in json.dumps(pod)
    # A pod that is gone: the next one is as the first was.
    fleet.kubernetes.remove("pods", pod["metadata"]["name"])
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    fleet.restart(kernel_id, 1)
    again = fleet.pod(kernel_id)
    assert again["metadata"]["uid"] != pod["metadata"]["uid"]
    assert again["spec"]["containers"][0]["resources"] == pod["spec"]["containers"][0]["resources"]
    assert fleet.run(0, kernel_id, SEE) == "['fast', 'hush-hush', '2']"
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_a_spark_application_as_it_was_chosen(fleet: ClusterFleet) -> None:
    options = {
        "queue": "team-a",
        "spark": {"spark.executor.instances": 4, "spark.sql.shuffle.partitions": 64},
    }
    kernel_id = started(fleet, "operator", options)["id"]
    [application] = fleet.kubernetes.of_kernel("sparkapplications", kernel_id)
    assert application["metadata"]["labels"]["kueue.x-k8s.io/queue-name"] == "team-a"
    assert application["spec"]["executor"]["instances"] == 4
    assert application["spec"]["sparkConf"]["spark.sql.shuffle.partitions"] == "64"
    # What was not chosen is the kernelspec's default.
    assert fleet.model(kernel_id)["launch_options"]["spark"]["spark.driver.memory"] == "1g"
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_spark_submit_as_it_was_chosen(fleet: ClusterFleet) -> None:
    options = {
        "queue": "default",
        "spark": {"spark.executor.memory": "3g"},
        "environment": {"MODE": "fast"},
    }
    kernel_id = started(fleet, "yarn_options", options)["id"]
    assert fleet.run(0, kernel_id, "import os; print(os.environ['MODE'])") == "fast"
    submitted = fleet.yarn.submissions[-1]
    assert submitted["queue"] == "default"
    assert "spark.executor.memory=3g" in submitted["conf"]
    fleet.end(kernel_id)


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("pod", {"cpus": 64}, "launch_options.cpus 64 is not allowed: a number such as 2 or 0.5"),
        ("pod", {"memory": "1Ti"}, 'launch_options.memory "1Ti" is not allowed: a quantity such'),
        ("pod", {"gpu": 1}, "launch_options.gpu is not allowed (there is no such option)"),
        ("pod", {"image": "x"}, "launch_options.image is not allowed: the options of"),
        ("pod", {"queue": "Team A"}, 'launch_options.queue "Team A" is not allowed'),
        ("pod", [], "launch_options must be an object"),
        ("operator", {"spark": {"spark.files": "/etc"}}, "only spark.driver.cores, spark.driver."),
        ("wrong", {}, "the kernelspec 'wrong' is wrong: metadata.fleet.launch_options: there is"),
        ("missing", {"memory": "1Gi"}, "has no launch options"),
    ],
)
def test_what_is_not_allowed_asks_the_cluster_for_nothing(
    fleet: ClusterFleet, name: str, options: Any, words: str
) -> None:
    before = len(fleet.kubernetes.asked("POST", "/"))
    answer = start(fleet, name, options, 1)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    assert len(fleet.kubernetes.asked("POST", "/")) == before


def test_what_may_be_chosen(fleet: ClusterFleet) -> None:
    url = f"{fleet.gateways.urls[1]}/api/fleet/kernelspecs"
    client = fleet.gateways.client()
    answer = client.call("GET", f"{url}/pod/launch-options?project=demo").json()
    assert (answer["name"], answer["project"]) == ("pod", "demo")
    assert answer["schema"]["properties"]["cpus"]["maximum"] == 16
    assert answer["defaults"] == {"cpus": 0.5, "memory": "1Gi"}
    assert client.call("GET", f"{url}/nothing/launch-options").status_code == 404
    assert client.call("GET", f"{url}/wrong/launch-options").status_code == 400
    assert client.call("GET", f"{url}/pod/launch-options?project=other").status_code == 403
    viewer = fleet.gateways.client(demo="viewer")
    assert viewer.call("GET", f"{url}/pod/launch-options?project=demo").status_code == 200
