"""Hundreds of clients that come and go at one kernel."""

import os
import random
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from socket import SHUT_RDWR

import websocket

from tests.integration.gateway_ext.fleet_of_gateways import V1_PROTOCOL, Gateways, wait_until

CLIENTS = 500
FEW = 10
"""Descriptors that a gateway may have open for other reasons: connections that are kept, files."""


def test_clients_that_come_and_go_leave_nothing_behind(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    client = gateways.client()
    pids = [process.pid for process in gateways.processes]
    before = [descriptors(pid) for pid in pids]
    dice = random.Random(0)
    stays = [dice.random() * 0.03 for _ in range(CLIENTS)]

    def come_and_go(number: int) -> None:
        url = gateways.urls[number % 2].replace("http", "ws", 1)
        socket = websocket.create_connection(
            f"{url}/api/kernels/{kernel_id}/channels?session_id={uuid.uuid4().hex}",
            header=client.headers,
            subprotocols=[V1_PROTOCOL] if number % 3 else None,
            timeout=40,
        )
        # Most leave before the kernel's owner has answered.
        time.sleep(stays[number])
        if number % 5:
            socket.close(timeout=0)
        else:
            # As when the client is killed.
            socket.sock.shutdown(SHUT_RDWR)
            socket.shutdown()

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(come_and_go, range(CLIENTS)))

    def nobody_is_counted() -> bool:
        model = client.call("GET", f"{gateways.urls[0]}/api/kernels/{kernel_id}").json()
        return bool(model["connections"] == 0)

    wait_until(nobody_is_counted)
    for pid, few in zip(pids, before, strict=True):
        wait_until(lambda pid=pid, few=few: descriptors(pid) <= few + FEW)
    with client.channels(gateways.urls[1], kernel_id) as channels:
        assert channels.run("print(6 * 7)") == "42\n"


def descriptors(pid: int) -> int:
    """How many files and sockets a process has open."""
    return len(os.listdir(f"/proc/{pid}/fd"))
