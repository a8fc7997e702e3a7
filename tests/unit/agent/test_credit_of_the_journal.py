"""The agent gives credit for what the journal has room for, and for the rest when it is on disk."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import zmq

from gateway_ext.agent.credit_file import CreditFile
from gateway_ext.agent.zmq_channels import KernelChannels


class Credit:
    """Remembers what was taken."""

    def __init__(self) -> None:
        self.total = 0
        self.given = asyncio.Event()

    def taken(self, total_bytes: int) -> None:
        self.total = total_bytes
        self.given.set()

    def release(self) -> None:
        return


def test_what_waits_for_the_disk_is_not_taken_yet(tmp_path: Path) -> None:
    async def scenario() -> None:
        with zmq.Context() as context, context.socket(zmq.XPUB) as kernel:
            kernel.bind(f"ipc://{tmp_path}/k-1")
            connection = {"transport": "ipc", "ip": f"{tmp_path}/k", "iopub_port": 1}
            credit, excess = Credit(), 70
            channels = KernelChannels(
                connection,
                b"key",
                lambda *message: None,
                cast(CreditFile, credit),
                lambda: excess,
            )
            # The subscription.
            await asyncio.to_thread(kernel.recv)
            kernel.send_multipart([b"topic", b"x" * 95])
            await asyncio.wait_for(credit.given.wait(), 20)
            assert credit.total == 30
            excess = 0
            channels.give_credit()
            assert credit.total == 100
            excess = 1000
            channels.give_credit()
            assert credit.total == 0
            channels.close()

    asyncio.run(scenario())
