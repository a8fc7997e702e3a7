"""Launch options in the records of kernels, on SQLite and MariaDB."""

import asyncio
import json

from sqlalchemy import text

from gateway_ext.ownership.kernel_records import KernelRecords
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import KEY, new_kernel

OPTIONS = {"cpus": 2, "environment": {"TOKEN": "hush-hush"}}
SHOWN = {"cpus": 2, "environment": {"TOKEN": None}}


def test_options_are_kept_encrypted_and_shown_without_secrets(
    records: KernelRecords, database: Database, box: SecretBox
) -> None:
    async def run() -> None:
        new = new_kernel(launch_options=OPTIONS, shown_options=SHOWN, prepared_by=("ada",))
        record = await records.insert_launching(new, KEY)
        assert record is not None
        assert record.launch_options == SHOWN
        [listed] = await records.list_kernels()
        assert listed.launch_options == SHOWN
        stored = await records.secrets(new.kernel_id)
        assert stored is not None
        assert (stored.launch_options, stored.environment) == (OPTIONS, new.environment)
        # Also when it is launched again.
        assert await records.set_dead(new.kernel_id, 1, "gone")
        dead = await records.get(new.kernel_id)
        assert dead is not None
        assert await records.launch_again(dead, b"2" * 32, "ada")
        again = await records.secrets(new.kernel_id)
        assert again is not None
        assert again.launch_options == OPTIONS
        assert stored.prepared_by == again.prepared_by == ("ada",)

    asyncio.run(run())
    row = database.run_blocking(
        lambda connection: connection.execute(text("SELECT * FROM fleet_kernel")).one()
    )
    assert "hush-hush" not in str(row._mapping)
    # As gateways of the version before read it.
    assert json.loads(box.decrypt(row.launch))["environment"] == {"KERNEL_SECRET": "hush"}


def test_options_go_with_their_kernel(records: KernelRecords) -> None:
    async def run() -> None:
        new = new_kernel(launch_options=OPTIONS, shown_options=SHOWN)
        assert await records.insert_launching(new, KEY) is not None
        assert await records.delete(new.kernel_id, "ada")
        deleted, stored = await records.get(new.kernel_id), await records.secrets(new.kernel_id)
        assert deleted is not None
        assert stored is not None
        assert (deleted.launch_options, stored.launch_options) == (None, {})

    asyncio.run(run())


def test_a_kernel_without_options(records: KernelRecords, database: Database) -> None:
    new = new_kernel()
    record = asyncio.run(records.insert_launching(new, KEY))
    assert record is not None
    assert record.launch_options is None
    stored = asyncio.run(records.secrets(new.kernel_id))
    assert stored is not None
    assert stored.prepared_by == ()
    present = database.run_blocking(
        lambda connection: connection.execute(
            text("SELECT launch_options FROM fleet_kernel")
        ).scalar_one()
    )
    assert present is None


def test_a_record_of_a_gateway_of_the_version_before(
    records: KernelRecords, database: Database, box: SecretBox
) -> None:
    new = new_kernel()
    assert asyncio.run(records.insert_launching(new, KEY)) is not None
    launch = box.encrypt(b'{"environment": {"A": "1"}}')
    database.run_blocking(
        lambda connection: connection.execute(
            text("UPDATE fleet_kernel SET launch = :launch, launch_options = NULL"),
            {"launch": launch},
        )
    )
    stored = asyncio.run(records.secrets(new.kernel_id))
    assert stored is not None
    assert (stored.environment, stored.launch_options) == ({"A": "1"}, {})
    # It does not say who has chosen that.
    assert stored.prepared_by == (None,)
