"""Threads that handlers of users' settings and workspaces share."""

import asyncio
import threading
from types import SimpleNamespace
from typing import cast

from jupyter_ext.platform.fair_threads import FairThreads
from jupyter_ext.userdata.user_handler import UserHandler


async def test_a_user_with_costly_settings_holds_up_no_other() -> None:
    threads = FairThreads(2, 1, thread_name_prefix="test")
    go_on = threading.Event()

    def handler_of(username: str) -> UserHandler:
        user = SimpleNamespace(username=username)
        return cast(UserHandler, SimpleNamespace(_threads=threads, current_user=user))

    async def work(username: str) -> str:
        return await UserHandler.work(handler_of(username), lambda: go_on.wait(20) and username)

    costly = [asyncio.ensure_future(work("ada")) for _ in range(5)]
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        assert await UserHandler.work(handler_of("bob"), lambda: "bob's") == "bob's"
    go_on.set()
    assert await asyncio.gather(*costly) == ["ada"] * 5
