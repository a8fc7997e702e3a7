"""A page that stops reading while its kernel prints: what it costs others, and what it gets."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise

import psutil
import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Channels, Client
from tests.integration.jupyter_ext.kernels.cursor_page import CursorPage, idle
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

pytestmark = pytest.mark.timeout(120)

LINES, LINE_BYTES = 2000, 100_000
PRINT = f"""
kernel = get_ipython().kernel
for i in range({LINES}):
    text = f'<{{i}}>' + 'x' * {LINE_BYTES}
    kernel.send_response(kernel.iopub_socket, 'stream', {{'name': 'stdout', 'text': text}})
"""
"""A message for each line: ipykernel joins what is printed to as long a one as it likes."""
MOST_BYTES = 200 * 1024 * 1024
"""What lab and gateway may grow by: less than what the kernel prints."""


@contextmanager
def memory(pid: int) -> Iterator[list[int]]:
    """Gathers how much memory a process has, in bytes."""
    process, seen, ended = psutil.Process(pid), [], threading.Event()
    seen.append(process.memory_info().rss)

    def watch() -> None:
        while not ended.wait(0.02):
            seen.append(process.memory_info().rss)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()
        thread.join()


def numbers_until_the_end(page: Channels, request: str) -> list[int]:
    """The lines that a page gets of the cell, which must end with its reply."""
    texts: list[str] = []
    replied = idle = False
    while not (replied and idle):
        message = page.receive()
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "stream":
            texts.append(content["text"])
        replied = replied or kind == "execute_reply"
        idle = idle or content.get("execution_state") == "idle"
    return [int(number) for number in re.findall(r"<(\d+)>", "".join(texts))]


def numbers_of(page: CursorPage, request: str) -> list[int]:
    """The same for a page with a cursor, which reads again."""
    page.reads.set()
    page.reply(request)
    page.until(lambda: any(idle(one) for one in page.said(request, "status")))
    return [int(number) for number in re.findall(r"<(\d+)>", page.printed(request))]


@pytest.mark.parametrize("cursor", [False, True])
def test_a_page_that_does_not_read_holds_up_nobody_and_fills_no_memory(
    fleet: Fleet, cursor: bool
) -> None:
    ada: Client = fleet.gateways.client()
    kernels = [fleet.gateways.start_kernel(0, name="lossless") for _ in range(2)]
    lab, gateway = fleet.labs.processes[0], fleet.gateways.processes[0]
    url = fleet.urls[0]
    with (
        CursorPage([url], kernels[0], ada.headers)
        if cursor
        else ada.channels(url, kernels[0], v1=True) as slow,
        ada.channels(url, kernels[0], v1=True) as quick,
        ada.channels(url, kernels[1], v1=True) as other,
        memory(lab.pid) as lab_bytes,
        memory(gateway.pid) as gateway_bytes,
    ):
        for page in (slow, quick, other):
            page.run("import time")
        # From here on the slow page does not read.
        if isinstance(slow, CursorPage):
            slow.reads.clear()
        request = slow.execute(PRINT)
        following = quick.execute("print('after it')")
        for _ in range(20):
            assert other.run("print(1)") == "1\n"
        assert quick.finish(following)[0] == "after it\n"
        for page in (quick, other):
            assert page.run("print(2)") == "2\n"
        print("lab", [f"{n / 2**20:.0f}" for n in (lab_bytes[0], max(lab_bytes))])
        print("gateway", [f"{n / 2**20:.0f}" for n in (gateway_bytes[0], max(gateway_bytes))])
        assert max(lab_bytes) - lab_bytes[0] < MOST_BYTES
        assert max(gateway_bytes) - gateway_bytes[0] < MOST_BYTES
        if isinstance(slow, CursorPage):
            numbers = numbers_of(slow, request)
        else:
            numbers = numbers_until_the_end(slow, request)

    # Once and in order; the journal has what memory could not hold on disk.
    jumps = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    assert numbers == list(range(LINES)), jumps
    for kernel_id in kernels:
        ada.call("DELETE", f"{url}/api/kernels/{kernel_id}")
