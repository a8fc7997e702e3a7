"""The list of gateways, and what dead ones have left behind, on SQLite and MariaDB."""

import asyncio
from datetime import timedelta

from gateway_ext.ownership.gateway_records import GatewayRecords
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.leftovers import Leftovers
from jupyter_ext.database.engine import Database
from jupyter_ext.platform.encryption import SecretBox
from tests.integration.gateway_ext.ownership.new_kernels import launched


def test_members_and_orphans(database: Database, box: SecretBox) -> None:
    async def run() -> None:
        here, there = GatewayRecords(database, "here"), GatewayRecords(database, "there")
        left = Leftovers(database, "here")
        await here.heartbeat("http://here", draining=False)
        await there.heartbeat("http://there", draining=False)
        await there.heartbeat("http://there:2", draining=True)
        kernel_id = await launched(KernelRecords(database, box, "there"))
        members = await here.members(timedelta(seconds=60))
        assert [(m.name, m.url, m.draining, m.kernels) for m in members] == [
            ("here", "http://here", False, 0),
            ("there", "http://there:2", True, 1),
        ]
        assert await here.members(timedelta(seconds=-1)) == []
        assert await left.orphans(timedelta(seconds=60)) == []
        # As a second later, if nothing may be silent for any time at all.
        assert [o.kernel_id for o in await left.orphans(timedelta(seconds=-1))] == [kernel_id]
        await there.leave()
        assert [m.name for m in await here.members(timedelta(seconds=60))] == ["here"]

    asyncio.run(run())
