"""Signs of life."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

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

    membership = _membership(Table())
    running = asyncio.ensure_future(membership.run())
    await asyncio.wait_for(third.wait(), 10)
    running.cancel()


async def test_the_agent_of_a_new_kernel_knows_gateways_that_are_leaving_too() -> None:
    class Table:
        async def heartbeat(self, url: str, *, draining: bool) -> None:
            pass

        async def members(self, living: timedelta) -> list[Member]:
            leaving = {"a": False, "b": True, "c": False}
            return [Member(name, f"http://{name}", leaves, 0) for name, leaves in leaving.items()]

    membership = _membership(Table())
    await membership.beat()
    assert membership.urls_for_agents("k") == ["http://a", "http://c"]
    # All others may be killed before it connects, and this one may stay.
    assert membership.urls_for_a_launch("k") == ["http://a", "http://c", "http://b"]


def _membership(table: Any) -> Membership:
    return Membership(
        table,
        name="a",
        url="http://a",
        lifecycle=Lifecycle(),
        heartbeat_seconds=0.0,
        living_seconds=8.0,
        log=logging.getLogger("test"),
    )
