"""Kernels that are started ahead for nobody, and what they are when somebody asks for one."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool
from tests.integration.gateway_ext.process_proxies.scripted_pool import (
    agent_key,
    claimed_pod,
    scripted_pool,
    secret_files,
    waiting_pods,
)
from tests.integration.gateway_ext.test_gateway_refusals import introduce

OF_ONE_KERNEL = {
    "KERNEL_ID",
    "KERNEL_POD_NAME",
    "FLEET_SOCKET",
    "FLEET_LEASES",
    "FLEET_PACKAGES",
} | {"JPY_PARENT_PID", "PATH", "JUPYTER_PATH", "HOSTNAME"}
SEE = """
import json, os, sys
seen = json.dumps({
    "environment": dict(os.environ), "cwd": os.getcwd(),
    "own_packages": sys.prefix == os.environ["FLEET_PACKAGES"],
    "argv": sys.argv[:1], "executable": sys.executable.rpartition("/")[2],
})
# Each of the scripted cluster's containers has a home of its own on this machine, and each agent
# a folder of settings with a name of its own.
for folder in ("HOME", "FLEET_SETTINGS"):
    seen = seen.replace(os.environ[folder], folder)
print(seen)
"""


@pytest.fixture
def pool(fleet: ClusterFleet) -> Iterator[KernelPool]:
    """A kernelspec that has no pool yet."""
    with scripted_pool(fleet) as pool:
        yield pool


def test_a_claimed_kernel_is_what_a_cold_start_would_have_made(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    variables = {"KERNEL_MINE": "of ada", "KERNEL_LAUNCH_TIMEOUT": "30"}
    chosen = {"launch_options": {"environment": {"TOKEN_OF_ADA": "hush"}}}
    cold = pool.begin(0, env=variables, **chosen)["id"]
    expected = json.loads(fleet.run(0, cold, SEE))
    assert expected["environment"]["TOKEN_OF_ADA"] == "hush"
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    texts = secret_files(fleet, member).values()
    model = pool.begin(number, env=variables, **chosen)
    assert (model["state"], model["execution_state"]) == ("launching", "starting")
    kernel_id = model["id"]
    found = json.loads(fleet.run(1 - number, kernel_id, SEE))
    environment, wanted = found.pop("environment"), expected.pop("environment")
    assert set(environment) == set(wanted)
    assert {n: v for n, v in environment.items() if n not in OF_ONE_KERNEL} == {
        n: v for n, v in wanted.items() if n not in OF_ONE_KERNEL
    }
    assert environment["KERNEL_ID"] == kernel_id
    pod = claimed_pod(fleet, ready, kernel_id)
    assert environment["KERNEL_POD_NAME"] == pod["metadata"]["name"]
    assert found == expected
    wait_until(lambda: fleet.pod(kernel_id)["metadata"]["annotations"]["fleet-project"] == "demo")
    # Nothing of a person was ever in the pod's objects.
    for text in (*texts, json.dumps(pod).encode()):
        assert b"hush" not in text
        assert b"of ada" not in text
    details = fleet.run(
        0,
        kernel_id,
        "from gateway_ext.kernel_tools.fleet_calls import call_fleet\n"
        "print(call_fleet('launch-details')['kernel_id'])",
    )
    assert details == kernel_id
    assert pool.state(member) == ""
    # Another one takes its place; what was claimed is ended with everything that it has.
    assert set(pool.wait_for(1)).isdisjoint(ready)
    fleet.end(kernel_id, number)
    wait_until(lambda: fleet.nothing_left(kernel_id))
    wait_until(lambda: not fleet.kubernetes.of_kernel("secrets", member))


def test_a_restarted_and_interrupted_kernel_of_a_pool_stays_what_it_is(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    [(_, number)] = pool.wait_for(1).items()
    kernel_id = pool.begin(number, env={"KERNEL_MINE": "yes"})["id"]
    mine = "import os; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_ID'])"
    assert fleet.run(0, kernel_id, mine) == f"yes {kernel_id}"
    fleet.restart(kernel_id, 1 - number)
    assert fleet.run(1, kernel_id, mine) == f"yes {kernel_id}"


def test_kernels_of_a_pool_are_in_no_list_and_nobody_reaches_them(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(2)
    ready = pool.wait_for(2)
    before = sum(kernels for kernels, _ in pool.counts().values())
    for client in (fleet.gateways.client(), fleet.gateways.service()):
        listed = client.call("GET", fleet.url(1)).json()
        assert {one["id"] for one in listed}.isdisjoint(ready)
        for member in ready:
            for number in range(2):
                assert client.call("GET", fleet.url(number, member)).status_code == 404
                assert client.call("DELETE", fleet.url(number, member)).status_code == 404
    wait_until(lambda: sum(pooled for _, pooled in pool.counts().values()) == 2)
    assert sum(kernels for kernels, _ in pool.counts().values()) == before


def test_starts_at_once_take_different_kernels_and_then_cold_ones(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    started = [pool.begin(number)["id"] for _ in range(3)]
    for kernel_id in started:
        assert fleet.run(0, kernel_id, "import os; print(os.environ['KERNEL_ID'])") == kernel_id
    pods = [fleet.pod(kernel_id)["metadata"] for kernel_id in started]
    assert len({pod["uid"] for pod in pods}) == 3
    assert len([pod for pod in pods if pod["name"].endswith(member)]) == 1


@pytest.mark.parametrize(
    "other",
    [{"launch_options": {"cpus": 2}}, {"env": {"KERNEL_CPUS": "3"}}, {"project": "research"}],
)
def test_a_kernel_that_must_be_another_is_started_cold(
    fleet: ClusterFleet, pool: KernelPool, other: dict[str, Any]
) -> None:
    pool.declare(1)
    [(member, number)] = pool.wait_for(1).items()
    client = fleet.gateways.client(demo="owner", research="owner")
    body = {"name": SPEC, "kernel_id": str(uuid.uuid4()), "project": "demo", **other}
    assert client.call("POST", fleet.url(number), json=body).status_code == 201
    assert pool.state(member) == "running"
    client.call("DELETE", fleet.url(number, body["kernel_id"]))


def test_a_changed_kernelspec_replaces_its_pool_and_a_smaller_one_ends(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(2)
    first = pool.wait_for(2)
    template = pool.folder / "kernel-pod.yaml.j2"
    template.write_text(template.read_text().replace("fsGroup: 100", "fsGroup: 101"))
    wait_until(lambda: set(pool.ready()).isdisjoint(first) and len(pool.ready()) == 2, 60)
    second = pool.wait_for(2)
    pool.declare(1)
    assert set(pool.wait_for(1)) < set(second)
    for member in first:
        wait_until(lambda member=member: not fleet.kubernetes.of_kernel("secrets", member))


def test_a_dead_kernel_of_a_pool_is_removed(fleet: ClusterFleet, pool: KernelPool) -> None:
    pool.declare(1)
    [(member, _)] = pool.wait_for(1).items()
    [pod] = waiting_pods(fleet)
    uid = pod["metadata"]["uid"]
    with fleet.kubernetes.lock:
        container = fleet.kubernetes.containers[uid]
    container.kill()
    wait_until(lambda: not fleet.kubernetes.of_kernel("pods", member), 60)
    wait_until(lambda: pool.state(member) == "dead")
    deletions = fleet.kubernetes.asked("DELETE", pod["metadata"]["name"])
    assert [one.body["preconditions"]["uid"] for one in deletions if one.body] == [uid] * len(
        deletions
    )


def test_the_key_of_a_waiting_kernel_opens_no_other_kernel(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    somebodys = fleet.started("pod")
    pool.declare(1)
    [(member, number)] = pool.wait_for(1).items()
    key = agent_key(fleet, member)

    def refused(kernel_id: str) -> bool:
        answer = introduce(fleet.gateways, kernel_id, key)
        return (answer["type"], answer["reason"]) == ("refused", "key")

    assert refused(somebodys)
    kernel_id = pool.claim(number)
    assert fleet.run(number, kernel_id, "x = 6; print(x)") == "6"
    assert refused(somebodys)
    # Its agent has an id of its own; by the kernel's it is nobody.
    assert refused(kernel_id)
    assert fleet.run(1 - number, kernel_id, "print(7 * x)") == "42"
    fleet.end(somebodys)


def test_a_claimed_kernel_that_died_is_started_again_with_another_agent(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    key = agent_key(fleet, member)
    kernel_id = pool.claim(number, env={"KERNEL_MINE": "yes"})
    assert fleet.run(number, kernel_id, "print(6 * 7)") == "42"
    uid = claimed_pod(fleet, ready, kernel_id)["metadata"]["uid"]
    with fleet.kubernetes.lock:
        container = fleet.kubernetes.containers[uid]
    container.kill()
    wait_until(lambda: fleet.model(kernel_id, number)["state"] == "dead", 60)
    assert fleet.kubernetes.of_kernel("secrets", member) == []
    fleet.restart(kernel_id, number)
    mine = "import os; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_ID'])"
    assert fleet.run(number, kernel_id, mine) == f"yes {kernel_id}"
    pod = fleet.pod(kernel_id)
    assert pod["metadata"]["uid"] != uid
    assert pod["metadata"]["name"].endswith(kernel_id)
    # The agent of before has to end, wherever it may still be.
    assert introduce(fleet.gateways, member, key)["type"] == "deleted"
    assert fleet.run(number, kernel_id, "print(6 * 7)") == "42"
