"""Three gateways on MariaDB that keep one pool: it has no kernel too many, and gives each away
once."""

import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet, cluster_fleet
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool
from tests.integration.gateway_ext.process_proxies.scripted_pool import scripted_pool
from tests.servers.kubernetes_api import ScriptedKubernetes
from tests.servers.mariadb import MariaDB
from tests.servers.yarn_resource_manager import ScriptedResourceManager

GATEWAYS = 3
MAY_WAIT = 3


@pytest.fixture(scope="module")
def crowd(
    kubernetes: ScriptedKubernetes,
    yarn: ScriptedResourceManager,
    mariadb: MariaDB,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ClusterFleet]:
    """The gateways, which send starts to each other."""
    with cluster_fleet(
        kubernetes,
        yarn,
        tmp_path_factory.mktemp("crowd"),
        database_url=mariadb.create_database(),
        count=GATEWAYS,
        fleet_changes={"pooled_kernels": MAY_WAIT, "spread_starts": True},
    ) as fleet:
        yield fleet


@pytest.fixture
def pool(crowd: ClusterFleet) -> Iterator[KernelPool]:
    """A kernelspec that has no pool yet."""
    with scripted_pool(crowd) as pool:
        yield pool


def created_pods(fleet: ClusterFleet) -> int:
    """How many pods gateways have asked for until now."""
    asked = fleet.kubernetes.asked("POST", "/namespaces/fleet/pods")
    return len([one for one in asked if (one.body or {}).get("kind") == "Pod"])


def test_no_more_kernels_wait_than_may_at_all_gateways_together(
    crowd: ClusterFleet, pool: KernelPool
) -> None:
    before = created_pods(crowd)
    pool.declare(MAY_WAIT + 2)
    pool.wait_for(MAY_WAIT)
    for number in range(GATEWAYS):
        wait_for_heartbeats(crowd.gateways, number)
    assert len(pool.ready()) == MAY_WAIT
    # None was started only to be ended.
    assert created_pods(crowd) - before == MAY_WAIT
    wait_until(lambda: sum(pooled for _, pooled in pool.counts(2).values()) == MAY_WAIT)


def test_claims_at_once_at_all_gateways_give_no_waiting_kernel_to_two(
    crowd: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(MAY_WAIT)
    ready = pool.wait_for(MAY_WAIT)
    asked = [str(uuid.uuid4()) for _ in range(2 * MAY_WAIT)]
    together = threading.Barrier(2 * len(asked))

    def ask(number: int, kernel_id: str) -> str:
        together.wait()
        model = pool.begin(number % GATEWAYS, kernel_id=kernel_id)
        assert model["name"] == SPEC
        return str(model["id"])

    # Each twice, as a client does that got no answer from the first gateway.
    with ThreadPoolExecutor(2 * len(asked)) as threads:
        started = list(threads.map(ask, range(2 * len(asked)), [*asked, *asked]))
    assert started == [*asked, *asked]
    for kernel_id in asked:
        wait_until(lambda kernel_id=kernel_id: crowd.model(kernel_id)["state"] == "running", 90)
        mine = "import os; print(os.environ['KERNEL_ID'])"
        assert crowd.run(0, kernel_id, mine) == kernel_id
    pods = [
        wait_until(lambda kernel_id=kernel_id: crowd.kubernetes.of_kernel("pods", kernel_id))
        for kernel_id in asked
    ]
    assert [len(of_one) for of_one in pods] == [1] * len(asked)
    names = [pod["metadata"]["name"] for [pod] in pods]
    taken = {member: [name for name in names if name.endswith(member)] for member in ready}
    assert any(taken.values())
    for member, by in taken.items():
        assert len(by) <= 1
        # One that was tried for a kernel that had another already still waits: a start that came at
        # that moment was cold.
        assert pool.state(member) == ("" if by else "running")
    assert len(set(names)) == len(asked)
    # No kernel took two: what waits or waited is accounted for.
    pool.wait_for(MAY_WAIT)


def test_kernels_of_a_pool_whose_gateway_is_killed_are_claimed_at_the_others(
    crowd: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(2)
    ready = pool.wait_for(2)
    number = next(iter(ready.values()))
    crowd.gateways.processes[number].kill()
    try:
        wait_until(
            lambda: set(pool.ready()) == set(ready) and number not in pool.ready().values(), 60
        )
        other = (number + 1) % GATEWAYS
        kernel_id = pool.claim(other)
        assert crowd.run(other, kernel_id, "print(6 * 7)") == "42"
        [pod] = wait_until(lambda: crowd.kubernetes.of_kernel("pods", kernel_id))
        assert pod["metadata"]["name"].endswith(tuple(ready))
    finally:
        crowd.gateways.start_again(number)
