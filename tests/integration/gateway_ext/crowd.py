"""Hundreds of clients that come and go at one kernel."""

import os
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import websocket

from tests.integration.gateway_ext.fleet_of_gateways import V1_PROTOCOL, Client

FEW = 10
"""Descriptors that a server may have open for other reasons: connections that are kept."""


def come_and_go(client: Client, urls: list[str], kernel_id: str, count: int) -> None:
    """Has so many clients connect and leave; most before the kernel's owner has answered."""
    dice = random.Random(0)
    stays = [dice.random() * 0.03 for _ in range(count)]

    def one(number: int) -> None:
        url = urls[number % len(urls)].replace("http", "ws", 1)
        socket = websocket.create_connection(
            f"{url}/api/kernels/{kernel_id}/channels?session_id={uuid.uuid4().hex}",
            header=client.headers,
            subprotocols=[V1_PROTOCOL] if number % 3 else None,
            timeout=40,
        )
        time.sleep(stays[number])
        if number % 5:
            socket.close(timeout=0)
        else:
            # As when the client is killed: without a close frame.
            socket.shutdown()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(one, range(count)))


def descriptors(pid: int) -> int:
    """How many sockets, pipes and the like a process has open. Not files: of connections to SQLite,
    which have several each, a pool keeps as many as were needed at once."""
    return sum(map(_is_no_file, Path(f"/proc/{pid}/fd").iterdir()))


def _is_no_file(descriptor: Path) -> bool:
    try:
        return not os.readlink(descriptor).startswith("/")
    except FileNotFoundError:
        # It was closed just now.
        return False
