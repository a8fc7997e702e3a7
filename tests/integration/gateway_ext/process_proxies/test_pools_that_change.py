"""Kernels of pools of which something is other than their records say: what gateways of another
version have left, and what their kernelspec makes by now."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, select, update

from gateway_ext.ownership.tables import kernel
from jupyter_ext.database.engine import Database
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool
from tests.integration.gateway_ext.process_proxies.scripted_pool import claimed_pod, scripted_pool


@pytest.fixture
def pool(fleet: ClusterFleet) -> Iterator[KernelPool]:
    """A kernelspec that has no pool yet."""
    with scripted_pool(fleet) as pool:
        yield pool


def row(fleet: ClusterFleet, kernel_id: str) -> Any:
    """What the database has of a kernel."""
    database = Database(fleet.gateways.database_url)
    query = select(kernel).where(kernel.c.kernel_id == kernel_id)
    try:
        return database.run_blocking(lambda connection: connection.execute(query).one())
    finally:
        database.close()


def write(fleet: ClusterFleet, kernel_id: str, **values: Any) -> None:
    """Writes into a kernel's row what a gateway of the version before would have left there."""
    process = dict(row(fleet, kernel_id).process)
    # Whose the labels are is not recorded there.
    del process["kernel_id"]

    def transaction(connection: Connection) -> None:
        mine = kernel.c.kernel_id == kernel_id
        connection.execute(update(kernel).where(mine).values(process=process, **values))

    database = Database(fleet.gateways.database_url)
    try:
        database.run_blocking(transaction)
    finally:
        database.close()


def test_a_claimed_kernel_that_the_version_before_launched_again_finds_every_gateway(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    kernel_id = pool.claim(number)
    assert fleet.run(number, kernel_id, "print(6 * 7)") == "42"
    uid = claimed_pod(fleet, ready, kernel_id)["metadata"]["uid"]
    with fleet.kubernetes.lock:
        container = fleet.kubernetes.containers[uid]
    container.kill()
    wait_until(lambda: fleet.model(kernel_id, number)["state"] == "dead", 60)
    fleet.restart(kernel_id, number)
    assert fleet.run(number, kernel_id, "x = 6; print(x)") == "6"
    write(fleet, kernel_id, launch_id=member)
    number = pool.owner(kernel_id)
    fleet.gateways.processes[number].kill()
    try:
        wait_until(lambda: pool.owner(kernel_id) == 1 - number, 60)
        assert fleet.run(1 - number, kernel_id, "print(7 * x)") == "42"
        assert row(fleet, kernel_id).launch_id is None
    finally:
        fleet.gateways.start_again(number)


def test_a_kernel_of_a_pool_that_the_version_before_started_as_a_user_s_is_replaced(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    started = pool.begin(0)["id"]
    assert fleet.run(0, started, "print(6 * 7)") == "42"
    pool.declare(1)
    [member] = pool.wait_for(1)
    pool.declare(2)
    write(fleet, started, pool=row(fleet, member).pool, project="", username="", path="")
    number = pool.owner(started)
    fleet.gateways.processes[number].kill()
    try:
        wait_until(lambda: pool.state(started) == "deleted", 60)
        wait_until(lambda: fleet.nothing_left(started), 60)
        assert len(pool.wait_for(2)) == 2
    finally:
        fleet.gateways.start_again(number)


def test_a_kernel_whose_pod_is_not_what_its_pool_has_is_never_started(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    template = pool.folder / "kernel-pod.yaml.j2"
    text = template.read_text()
    named = 'safe-to-evict: "false"\n'
    assert named in text
    template.write_text(text.replace(named, f'{named}    mine: "{{{{ kernel_id }}}}"\n'))
    pool.declare(1)

    def dead() -> list[str]:
        database = Database(fleet.gateways.database_url)
        query = select(kernel.c.reason).where(
            kernel.c.kernel_name == SPEC, kernel.c.pool.is_not(None), kernel.c.state == "dead"
        )
        try:
            reasons = database.run_blocking(lambda found: found.execute(query).scalars().all())
        finally:
            database.close()
        return [one for one in reasons if "its kernelspec has changed" in one]

    wait_until(dead, 60)
    asked = [one.body or {} for one in fleet.kubernetes.asked("POST", "/namespaces/fleet/pods")]
    assert not [pod for pod in asked if "mine" in pod["metadata"].get("annotations", {})]
    # As soon as its pods can be claimed there are some.
    template.write_text(text)
    pool.wait_for(1)


def test_a_kernelspec_that_is_being_written_keeps_its_pool(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    file = pool.folder / "kernel.json"
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    said = f"a pool of the kernelspec {SPEC}: JSONDecodeError"
    logs = [fleet.gateways.directory / f"gateway-{number}.log" for number in range(2)]
    wait_until(lambda: all(said in log.read_text() for log in logs))
    assert pool.ready() == ready
    file.write_text(json.dumps(json.loads(whole)))
    [(_, number)] = ready.items()
    kernel_id = pool.claim(number)
    assert fleet.run(number, kernel_id, "print(6 * 7)") == "42"
    claimed_pod(fleet, ready, kernel_id)
