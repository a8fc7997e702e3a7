"""Kernels whose gateway has ended before it recorded what it had started for them."""

import asyncio
import secrets
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from gateway_ext.kernels.lifecycle.abandoned_launches import MOST_LOST
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.launch_records import LaunchRecords
from gateway_ext.ownership.launch_status import LaunchPhase, begun_status
from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)


@pytest.fixture
def soon() -> Iterator[Gateways]:
    """Gateways that soon go on with what a gateway has left that has ended."""
    with running_gateways(changes={"FleetGatewayApp": {"lost_seconds": 2.0}}) as gateways:
        yield gateways


def leave_behind(gateways: Gateways, *, lost: int) -> str:
    """The record of a kernel whose gateway ended in the instant in which it started its agent, as
    did `lost` others before; its id."""
    kernel_id = str(uuid.uuid4())
    database = Database(gateways.database_url)
    box = SecretBox(gateways.directory / "encryption.json")
    new = NewKernel(kernel_id, "demo", "", "ada", "python", {})
    status = begun_status(datetime.now(UTC)).after(
        LaunchPhase.STARTING, "", None, datetime.now(UTC)
    )

    async def write() -> None:
        records = KernelRecords(database, box, "gateway-that-ended")
        record = await records.insert_launching(new, secrets.token_bytes(32))
        assert record is not None
        statuses = {kernel_id: (record.epoch, replace(status, lost=lost))}
        await LaunchRecords(database, "gateway-that-ended").write(statuses)

    try:
        asyncio.run(write())
    finally:
        database.close()
    return kernel_id


def test_a_launch_of_which_its_gateway_left_nothing_begins_at_another_one(soon: Gateways) -> None:
    kernel_id = leave_behind(soon, lost=0)
    url = f"{soon.urls[0]}/api/kernels"
    # Who asks for the kernel again waits for it, and is not told that it could not be started.
    answer = soon.client().call("POST", url, json={"kernel_id": kernel_id, "name": "python"})
    assert answer.status_code == 201, answer.text
    with soon.client().channels(soon.urls[1], kernel_id) as channels:
        assert channels.run("print(6 * 7)") == "42\n"
    assert len(agents_of(kernel_id)) == 1
    assert [one["event"] for one in soon.events(kernel_id, 0)][:3] == ["launch", "launch", "claim"]


def test_a_launch_with_which_gateways_keep_ending_is_given_up(soon: Gateways) -> None:
    kernel_id = leave_behind(soon, lost=MOST_LOST)
    url = f"{soon.urls[0]}/api/kernels/{kernel_id}"
    wait_until(lambda: soon.client().call("GET", url).json()["state"] == "dead", 30)
    model = soon.client().call("GET", url).json()
    assert model["reason"] == "the gateway ended before it had started the kernel"
    assert agents_of(kernel_id) == []
