"""Signs of life."""

import asyncio
import logging
from datetime import timedelta

from gateway_ext.ownership.lifecycle import Lifecycle
from gateway_ext.ownership.membership import Membership
from gateway_ext.ownership.records import Member


async def test_heartbeats_go_on_whatever_one_of_them_raises() -> None:
    beats = []
    third = asyncio.Event()

    class Table:
        async def heartbeat(self, url: str, *, draining: bool) -> None:
            beats.append(url)
            if len(beats) == 3:
                third.set()
            raise RuntimeError("not what a database that is away says")

        async def members(self, living: timedelta) -> list[Member]:
            return []

    membership = Membership(
        Table(),  # type: ignore[arg-type]
        name="a",
        url="http://a",
        lifecycle=Lifecycle(),
        heartbeat_seconds=0.0,
        living_seconds=8.0,
        log=logging.getLogger("test"),
    )
    running = asyncio.ensure_future(membership.run())
    await asyncio.wait_for(third.wait(), 10)
    running.cancel()
