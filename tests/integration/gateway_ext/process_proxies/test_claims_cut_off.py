"""Claims of waiting kernels that are cut off at each of their steps: any gateway finishes them."""

import asyncio
import signal
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.pool_records import PoolRecords
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.integration.gateway_ext.heartbeats import wait_for_heartbeats
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet
from tests.integration.gateway_ext.process_proxies.kernel_pool import SPEC, KernelPool
from tests.integration.gateway_ext.process_proxies.scripted_pool import (
    claimed_pod,
    scripted_pool,
    waiting_pods,
)
from tests.integration.gateway_ext.records_of import records_as
from tests.servers.scripted_http import Answer

MINE = "import os; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_ID'])"


@pytest.fixture
def pool(fleet: ClusterFleet) -> Iterator[KernelPool]:
    """A kernelspec that has no pool yet."""
    with scripted_pool(fleet) as pool:
        yield pool


@contextmanager
def killed(fleet: ClusterFleet, number: int) -> Iterator[None]:
    """A gateway has been killed; at the end it runs again."""
    fleet.gateways.processes[number].kill()
    try:
        yield
    finally:
        fleet.gateways.start_again(number)


def claim_in_its_name(pool: KernelPool, member: str, number: int) -> str:
    """The first step of a claim, as a gateway makes it; the kernel's id."""
    gateways = pool.fleet.gateways
    name = f"gateway-{number}"
    box = SecretBox(gateways.directory / "encryption.json")
    pools = PoolRecords(Database(gateways.database_url), box, name)
    new = NewKernel(str(uuid.uuid4()), "demo", "", "ada", SPEC, {"KERNEL_MINE": "yes"})

    async def claim() -> None:
        record = await records_as(gateways, name).get(member)
        assert record is not None
        assert await pools.claim(record, new) is not None

    asyncio.run(claim())
    return new.kernel_id


def test_a_claim_whose_gateway_is_killed_after_the_record_is_finished_by_another(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    freeze(fleet.gateways, number)
    kernel_id = claim_in_its_name(pool, member, number)
    with killed(fleet, number):
        wait_until(lambda: fleet.model(kernel_id, 1 - number)["state"] == "running", 60)
        assert fleet.run(1 - number, kernel_id, MINE) == f"yes {kernel_id}"
        claimed_pod(fleet, ready, kernel_id)


def test_a_claim_whose_gateway_is_killed_before_it_hears_of_the_agent_is_finished_by_another(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(_, number)] = ready.items()
    [pod] = waiting_pods(fleet)
    with fleet.kubernetes.lock:
        container = fleet.kubernetes.containers[pod["metadata"]["uid"]]
    container.freeze()
    kernel_id = pool.claim(number, env={"KERNEL_MINE": "yes"})
    # Meanwhile it is told whose it is, and reads that when it goes on.
    wait_for_heartbeats(fleet.gateways, number)
    with killed(fleet, number):
        container.thaw()
        wait_until(lambda: fleet.model(kernel_id, 1 - number)["state"] == "running", 60)
        assert fleet.run(1 - number, kernel_id, MINE) == f"yes {kernel_id}"
        claimed_pod(fleet, ready, kernel_id)
    log = Path(fleet.gateways.directory / f"gateway-{1 - number}.log").read_text()
    assert f"kernel {kernel_id}: it cannot be claimed" not in log


def test_a_kernel_that_waits_at_a_gateway_that_is_killed_waits_at_another(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    with killed(fleet, number):
        wait_until(lambda: pool.ready() == {member: 1 - number}, 60)
        kernel_id = pool.claim(1 - number, env={"KERNEL_MINE": "yes"})
        assert fleet.run(1 - number, kernel_id, MINE) == f"yes {kernel_id}"
        claimed_pod(fleet, ready, kernel_id)


def test_a_gateway_that_was_frozen_while_it_filled_a_pool_ends_nothing_that_is_claimed_by_then(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    # So that the pod says until the end that it is nobody's.
    fleet.kubernetes.script("PATCH", "/pods/", Answer(403, b"forbidden"), forever=True)
    pool.declare(1)
    wait_until(pool.members)
    [member] = pool.members()
    number = pool.owner(member)
    frozen = fleet.gateways.processes[number]
    freeze(fleet.gateways, number)
    wait_until(lambda: pool.ready().get(member) == 1 - number, 90)
    kernel_id = pool.claim(1 - number, env={"KERNEL_MINE": "yes"})
    assert fleet.run(1 - number, kernel_id, f"x = 6; {MINE}") == f"yes {kernel_id}"
    frozen.signal(signal.SIGCONT)
    wait_for_heartbeats(fleet.gateways, number, 5)
    assert fleet.run(1 - number, kernel_id, "print(7 * x)") == "42"
    assert fleet.kubernetes.of_kernel("pods", member)


def test_a_claim_whose_gateway_is_killed_before_the_labels_is_finished_by_another(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    fleet.kubernetes.script("PATCH", "/pods/", Answer(503, b"busy"), forever=True)
    kernel_id = pool.begin(number)["id"]
    assert fleet.run(number, kernel_id, "x = 6; print(x * 7)") == "42"
    assert fleet.kubernetes.of_kernel("pods", member)
    with killed(fleet, number):
        fleet.kubernetes.end_scripts()
        wait_until(lambda: fleet.kubernetes.of_kernel("pods", kernel_id), 60)
        assert fleet.run(1 - number, kernel_id, "print(x)") == "6"
        # Whoever deletes it removes the pod, whose labels are the kernel's.
        fleet.end(kernel_id, 1 - number)
        wait_until(lambda: not fleet.kubernetes.of_kernel("secrets", member))


def test_a_claimed_kernel_that_is_deleted_before_it_has_its_labels_leaves_nothing(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    [(member, number)] = pool.wait_for(1).items()
    fleet.kubernetes.script("PATCH", "/pods/", Answer(503, b"busy"), forever=True)
    kernel_id = pool.begin(number)["id"]
    assert fleet.run(number, kernel_id, "print(6 * 7)") == "42"
    fleet.end(kernel_id, 1 - number)
    wait_until(lambda: not fleet.kubernetes.of_kernel("pods", member))
    assert not fleet.kubernetes.of_kernel("secrets", member)


def log_of(fleet: ClusterFleet) -> str:
    """What all gateways have said."""
    return "".join(path.read_text() for path in fleet.gateways.directory.glob("gateway-*.log"))


@contextmanager
def half_written(file: Path) -> Iterator[None]:
    """A file of a kernelspec that somebody is writing at the moment."""
    whole = file.read_text()
    file.write_text(whole[: len(whole) // 2])
    try:
        yield
    finally:
        new = file.with_suffix(".whole")
        new.write_text(whole)
        new.replace(file)


@contextmanager
def away(file: Path) -> Iterator[None]:
    """A file of a kernelspec that is being replaced at the moment."""
    kept = file.rename(f"{file}.kept")
    try:
        yield
    finally:
        kept.rename(file)


@pytest.mark.parametrize(
    ("name", "changed"), [("kernel.json", half_written), ("kernel-pod.yaml.j2", away)]
)
def test_a_claim_that_cannot_be_prepared_for_a_moment_is_finished_then(
    fleet: ClusterFleet,
    pool: KernelPool,
    name: str,
    changed: Callable[[Path], AbstractContextManager[None]],
) -> None:
    pool.declare(1)
    ready = pool.wait_for(1)
    [(member, number)] = ready.items()
    freeze(fleet.gateways, number)
    kernel_id = claim_in_its_name(pool, member, number)
    with changed(pool.folder / name):
        fleet.gateways.processes[number].signal(signal.SIGCONT)
        wait_until(lambda: f"kernel {kernel_id}: its claim is not complete yet" in log_of(fleet))
        assert fleet.model(kernel_id, number)["state"] == "launching"
    wait_until(lambda: fleet.model(kernel_id, number)["state"] == "running", 60)
    assert fleet.run(number, kernel_id, MINE) == f"yes {kernel_id}"
    claimed_pod(fleet, ready, kernel_id)


def test_a_claim_that_cannot_be_prepared_in_the_time_of_a_launch_leaves_nothing(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    [(member, number)] = pool.wait_for(1).items()
    freeze(fleet.gateways, number)
    kernel_id = claim_in_its_name(pool, member, number)
    with half_written(pool.folder / "kernel.json"):
        fleet.gateways.processes[number].signal(signal.SIGCONT)
        wait_until(lambda: fleet.model(kernel_id, number)["state"] == "dead", 90)
        reason = fleet.model(kernel_id, number)["reason"]
        assert "did not start within" in reason
        assert "kernel.json" in reason
        wait_until(lambda: not fleet.kubernetes.of_kernel("pods", member))
        assert not fleet.kubernetes.of_kernel("secrets", member)


def test_an_agent_that_cannot_be_claimed_makes_a_dead_kernel_with_the_reason(
    fleet: ClusterFleet, pool: KernelPool
) -> None:
    pool.declare(1)
    [(member, number)] = pool.wait_for(1).items()
    freeze(fleet.gateways, number)
    kernel_id = claim_in_its_name(pool, member, number)
    kept = Path(f"{pool.folder}-kept")
    pool.folder.rename(kept)
    try:
        fleet.gateways.processes[number].signal(signal.SIGCONT)
        wait_until(lambda: fleet.model(kernel_id, number)["state"] == "dead", 60)
        assert "no kernelspec" in fleet.model(kernel_id, number)["reason"]
        wait_until(lambda: not fleet.kubernetes.of_kernel("pods", member))
    finally:
        kept.rename(pool.folder)
