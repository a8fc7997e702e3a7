"""A client of Jupyter's own protocol that connects again by itself, while labs are killed."""

import contextlib
import json
import re
import threading
import time
import uuid
from collections.abc import Sequence
from typing import Any

import pytest
import websocket

from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import V1_PROTOCOL, split_v1
from tests.integration.jupyter_ext.kernels.bare_lab import BareLabs, LabKiller
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

pytestmark = pytest.mark.timeout(180)


class StockPage(threading.Thread):
    """It has one session, and no numbers: what comes twice it knows by its `msg_id`."""

    def __init__(self, labs: Sequence[str], kernel_id: str, headers: dict[str, str]) -> None:
        super().__init__()
        self.lab = 0
        self.session = uuid.uuid4().hex
        self.lines: list[int] = []
        self.doubled = 0
        self._seen: set[str] = set()
        self.replies: list[str] = []
        self.opened = 0
        self.heard = time.monotonic()
        self._labs = labs
        self._kernel_id = kernel_id
        self._headers = headers
        self._stopped = False
        self.socket: websocket.WebSocket | None = None

    def stop(self) -> None:
        self._stopped = True
        assert self.socket is not None
        self.socket.abort()
        self.join()

    def execute(self, code: str) -> None:
        content: dict[str, Any] = {"code": code, "silent": False, "store_history": True}
        assert self.socket is not None
        self.socket.send_binary(
            make_message(self.session, "shell", "execute_request", b"{}", content)
        )

    def run(self) -> None:
        while not self._stopped:
            with contextlib.suppress(OSError, websocket.WebSocketException):
                self._serve(self._labs[self.lab])
            self.lab = (self.lab + 1) % len(self._labs)

    def _serve(self, url: str) -> None:
        self.socket = websocket.create_connection(
            f"{url.replace('http', 'ws', 1)}/api/kernels/{self._kernel_id}/channels"
            f"?session_id={self.session}",
            header=self._headers,
            subprotocols=[V1_PROTOCOL],
            timeout=60,
        )
        self.opened += 1
        while True:
            frame = self.socket.recv()
            if not isinstance(frame, bytes) or not frame:
                return
            self.heard = time.monotonic()
            _, (header, _, _, content, *_) = split_v1(frame)
            named = json.loads(header)
            if named["msg_id"] in self._seen:
                self.doubled += 1
                continue
            self._seen.add(named["msg_id"])
            kind = named["msg_type"]
            if kind == "execute_reply":
                self.replies.append(json.loads(content)["status"])
            elif kind == "stream":
                self.lines += map(int, re.findall(r"<(\d+)>", json.loads(content)["text"]))


def wait_for(condition: Any, page: StockPage) -> None:
    while not condition():
        assert time.monotonic() - page.heard < 45, (len(set(page.lines)), page.opened)
        time.sleep(0.01)


@pytest.mark.parametrize("kills", [6, pytest.param(12, marks=pytest.mark.long)])
def test_a_stock_client_gets_every_line_and_the_reply_while_labs_are_killed(
    fleet: Fleet, bare_labs: BareLabs, kills: int
) -> None:
    lines = 500 * kills
    with fleet.kernel() as kernel_id:
        page = StockPage(bare_labs.urls, kernel_id, fleet.gateways.client().headers)
        page.start()
        wait_for(lambda: page.opened, page)
        line = "print(f'<{i}>' + 'x' * 3000, flush=True); time.sleep(0.002)"
        page.execute(f"import time\nfor i in range({lines}): {line}")
        killer = LabKiller(bare_labs)
        for number in range(kills):
            some = (number + 1) * lines // (kills + 1)
            wait_for(lambda some=some: len(set(page.lines)) >= some, page)
            killer.kill(page.lab)
            killer.start_again()
        try:
            wait_for(lambda: page.replies, page)
            wait_for(lambda: set(page.lines) == set(range(lines)), page)
            print("doubled", page.doubled, "opened", page.opened)
            assert len(page.lines) == lines
            assert page.replies == ["ok"]
        finally:
            page.stop()
