"""What the door for agents knows of kernels."""

import asyncio
import logging
from typing import Any

import pytest

from gateway_ext.kernels.agents.agent_door import AgentDoor


class FailingOnce:
    """Records that fail in a way that nobody expects, once."""

    def __init__(self) -> None:
        self.asked = 0

    async def ids(self) -> list[str]:
        self.asked += 1
        if self.asked == 1:
            raise RuntimeError("unexpected")
        return ["k"]


def test_the_kernels_are_read_again_after_any_failure(caplog: pytest.LogCaptureFixture) -> None:
    records: Any = FailingOnce()
    door = AgentDoor(records, places=2, answer_seconds=1.0, log=logging.getLogger("test"))

    async def scenario() -> None:
        running = asyncio.ensure_future(door.run(0.001))
        while records.asked < 3:
            assert not running.done(), running.exception()
            await asyncio.sleep(0.001)
        running.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 10))
    assert "unexpected" in caplog.text
