"""Pages that remember by themselves what they have, at real gateways: the journal, what is asked of
it, and clients that know nothing of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
import websocket

from jupyter_ext.kernels.json_messages import v1_to_json
from jupyter_ext.wire.made_messages import make_message
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways, wait_until
from tests.integration.gateway_ext.gateway_page import Page

pytestmark = pytest.mark.timeout(180)


def printed(replay: dict[str, Any], page: Page, request: str) -> str:
    """What a cell has printed: as the replay says, and what is above its fence."""
    shown = ""
    for message in replay["buffers"]:
        document = json.loads(v1_to_json(message))
        if document["parent_header"].get("msg_id") == request and document["msg_type"] == "stream":
            shown += document["content"]["text"]
    said = (m for m in page.messages if (m["parent"], m["type"]) == (request, "stream"))
    fence = replay["content"]["fence"]
    return shown + "".join(m["content"]["text"] for m in said if m["sequence"] > fence)


def test_a_closed_page_s_cell_is_found_again_by_another_one(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0, name="lossless")
    page = Page(gateways, kernel_id)
    assert page.open() == ["journal", "people", "binary"]
    code = "import time\nfor i in range(100): print(i, flush=True)\ntime.sleep(100)"
    cell = page.execute(code, "a")
    page.until(cell, "stream")
    page.close()
    later = Page(gateways, kernel_id)
    assert later.open() == ["journal", "people", "binary"]
    assert later.journal == page.journal
    asked = later.send("fleet", "ask", {"cells": {"a": None}, "adopt": True})
    replay = later.until(asked, "replay")
    (record,) = replay["content"]["index"]
    assert (record["cell"], record["state"], record["request"]) == ("a", "running", cell)
    while printed(replay, later, cell).count("\n") < 100:
        later.receive()
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    assert gateways.client().call("POST", f"{url}/interrupt").status_code == 204
    assert later.until(cell, "execute_reply")["content"]["ename"] == "KeyboardInterrupt"
    assert printed(replay, later, cell) == "".join(f"{number}\n" for number in range(100))
    gateways.client().call("DELETE", url)


def test_a_restart_closes_the_sockets_of_pages_and_not_those_of_others(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    page = Page(gateways, kernel_id)
    page.open()
    with gateways.client().channels(gateways.urls[0], kernel_id, v1=True) as stock:
        assert stock.run("print(1)") == "1\n"
        cell = page.execute("import time; time.sleep(100)", "a")
        page.until(cell, "execute_input")
        answer = gateways.client().call("POST", f"{url}/restart")
        assert answer.status_code == 200, answer.text
        assert page.closed() == (1012, "the kernel was restarted")
        assert stock.run("print(2)") == "2\n"
    assert page.open() == ["journal", "people", "binary"]
    reply = page.until(cell, "execute_reply")["content"]
    assert (reply["status"], reply["ename"]) == ("error", "KernelDied")
    again = page.execute("print(3)", "a")
    assert page.until(again, "stream")["content"]["text"] == "3\n"
    gateways.client().call("DELETE", url)


def test_stock_clients_neither_get_nor_send_what_is_the_fleet_s(gateways: Gateways) -> None:
    kernel_id = gateways.start_kernel(0)
    page = Page(gateways, kernel_id)
    page.open()
    with (
        gateways.client().channels(gateways.urls[0], kernel_id, v1=True) as stock,
        gateways.client().channels(gateways.urls[0], kernel_id) as legacy,
    ):
        for client in (stock, legacy):
            assert client.run("print(1)") == "1\n"
        ask = make_message(stock.session, "fleet", "ask", b"{}", {"cells": {}, "adopt": True})
        stock._websocket.send_binary(ask)
        cell = page.execute("print('page')", "a")
        page.until(cell, "execute_reply")
        for client in (stock, legacy):
            request = client.execute("print(2)")
            while True:
                # The helper reads what only kernels say, and fails otherwise.
                message = client.receive()
                assert message["channel"] in {"shell", "iopub", "stdin", "control"}
                if message["parent_header"].get("msg_id") == request and (
                    message["msg_type"] == "execute_reply"
                ):
                    break
    kinds = [m["type"] for m in page.messages if m["channel"] == "fleet"]
    assert "request" in kinds
    assert "replay" not in kinds
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")


@pytest.mark.parametrize("journal", ["", "x" * 32, "0" * 31])
def test_a_journal_s_id_that_is_none_is_refused(gateways: Gateways, journal: str) -> None:
    kernel_id = gateways.start_kernel(0)
    page = Page(gateways, kernel_id)
    with pytest.raises(websocket.WebSocketBadStatusException, match="400"):
        page.open(journal=journal, received="1")
    gateways.client().call("DELETE", f"{gateways.urls[0]}/api/kernels/{kernel_id}")


def test_a_gap_says_how_much_the_journal_keeps() -> None:
    limits = {"journal_memory_bytes": 2**19, "journal_disk_bytes": 2**20}
    with running_gateways(changes={"FleetGatewayApp": limits}, count=1) as gateways:
        kernel_id = gateways.start_kernel(0, name="lossless")
        page = Page(gateways, kernel_id)
        page.open()
        cell = page.execute(
            "import base64, os\n"
            "for i in range(300): print(base64.b64encode(os.urandom(75_000)), flush=True)",
            "a",
        )
        page.until(cell, "execute_input")
        page.close()
        # Until the first segments are gone.
        folder = gateways.directory
        wait_until(
            lambda: min((int(s.stem) for s in folder.rglob("*.segment")), default=0) > 20, 60
        )
        had = page.received
        page.texts.clear()
        while not [m for m in page.messages if (m["parent"], m["type"]) == (cell, "execute_reply")]:
            # What is still on its way to the disk may end a socket again.
            page.open()
            page.read_all()
        gap = next(text for text in page.texts if text["type"] == "gap")
        assert had is not None
        assert had < gap["from"] < gap["to"]
        assert gap["limit"] == sum(limits.values())
