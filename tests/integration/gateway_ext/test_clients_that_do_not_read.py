"""Many clients of one person that do not read: what waits for them is limited."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways
from tests.integration.jupyter_ext.kernels.cursor_page import CursorPage, dial

pytestmark = pytest.mark.timeout(240)

MB = 1024 * 1024
SLOW = 6


@pytest.fixture(scope="module")
def gateways() -> Iterator[Gateways]:
    limits = {"max_unsent_bytes": 8 * MB, "max_unsent_bytes_per_person": 4 * MB}
    with running_gateways(changes={"FleetGatewayApp": limits}) as gateways:
        yield gateways


def without_reading(url: str, kernel_id: str, headers: dict[str, str]) -> websocket.WebSocket:
    query = {"session_id": uuid.uuid4().hex, "stream": uuid.uuid4().hex, "cursor": "1"}
    client = dial(url, kernel_id, headers, query)
    while client.recv_data()[0] != websocket.ABNF.OPCODE_BINARY:
        pass
    return client


def read_to_the_end(client: websocket.WebSocket) -> int:
    """How many bytes come until the gateway has ended the connection, which it does without a close
    frame if that is not read for 5 s."""
    client.settimeout(20)
    size = 0
    while True:
        try:
            opcode, data = client.recv_data(control_frame=True)
        except (websocket.WebSocketConnectionClosedException, ConnectionResetError):
            return size
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return size
        size += len(data)


def test_they_are_ended_and_who_reads_is_not(gateways: Gateways) -> None:
    kernel_id, url = gateways.start_kernel(0), gateways.urls[0]
    headers = gateways.client().headers
    slow = [without_reading(url, kernel_id, headers) for _ in range(SLOW)]
    with CursorPage([url], kernel_id, gateways.client("bob", demo="editor").headers) as page:
        for _ in range(30):
            # The next one is printed when this one has been read.
            assert len(page.run("print('x' * 1000000)")) == 1_000_001
        assert page.ends == []
    assert all(read_to_the_end(client) < 30 * 1_000_000 for client in slow)


def most_memory(gateways: Gateways) -> int:
    """The most bytes that the first gateway has had in memory."""
    status = Path(f"/proc/{gateways.processes[0].pid}/status").read_text()
    return 1024 * int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0])


def test_a_long_message_is_in_memory_once_for_all_of_them(gateways: Gateways) -> None:
    kernel_id, url = gateways.start_kernel(0), gateways.urls[0]
    people = [gateways.client(f"user{number}", demo="editor").headers for number in range(20)]
    slow = [without_reading(url, kernel_id, headers) for headers in people]
    before = most_memory(gateways)
    with CursorPage([url], kernel_id, gateways.client("bob", demo="editor").headers) as page:
        assert len(page.run("print('x' * 50_000_000)")) == 50_000_001
    assert most_memory(gateways) - before < 10 * 50_000_000
    for client in slow:
        client.shutdown()
