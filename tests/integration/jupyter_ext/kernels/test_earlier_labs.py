"""Pages that change between a lab of this version and one of the version before."""

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websocket

from jupyter_ext.wire.frames import SUBPROTOCOL, pack_client_frame, unpack_client_frame
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import V1_PROTOCOL, join_v1, split_fleet
from tests.integration.gateway_ext.fleet_of_gateways import Gateways
from tests.integration.jupyter_ext.kernels.cursor_page import CursorPage, dial
from tests.integration.jupyter_ext.kernels.earlier_version import EarlierLabs
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

pytestmark = pytest.mark.timeout(180)


@dataclass
class Mixed:
    """A lab of each version, and a gateway."""

    gateways: Gateways
    now: str
    before: str


@pytest.fixture(scope="module")
def mixed(seaweedfs: SeaweedFS) -> Iterator[Mixed]:
    with short_folder("fleet-mix-") as directory:
        gateways = Gateways(directory, 1)
        started: list[Labs] = []
        try:
            folder = directory / "before"
            folder.mkdir()
            shutil.copy(directory / "jwks.json", folder)
            for kind, where in ((Labs, directory), (EarlierLabs, folder)):
                started.append(kind(where, gateways.signer, gateways.urls, seaweedfs, 1))
            yield Mixed(gateways, started[0].urls[0], started[1].urls[0])
        finally:
            for labs in started:
                labs.stop()
            gateways.stop()


def cell(session: str, code: str) -> tuple[str, bytes]:
    """An execute_request of a cell: its id, and the message."""
    content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
    made = make_message(session, "shell", "execute_request", b"{}", content)
    _, (header, parent, _, packed) = split_fleet(made)
    message = join_v1("shell", [header, parent, b'{"cellId": "a"}', packed])
    return str(json.loads(header)["msg_id"]), message


def printed(message: bytes) -> tuple[str, str] | None:
    """The id and the text of a message that prints."""
    _, (header, _, _, content, *_) = split_fleet(message)
    head: dict[str, Any] = json.loads(header)
    return (head["msg_id"], json.loads(content)["text"]) if head["msg_type"] == "stream" else None


def print_until(socket: websocket.WebSocket, end: str, seen: list[tuple[str, str]]) -> None:
    """Reads what is printed, up to the text that ends with `end`."""
    while not seen or not seen[-1][1].endswith(end):
        opcode, data = socket.recv_data()
        if opcode != websocket.ABNF.OPCODE_BINARY:
            continue
        if socket.getsubprotocol() == SUBPROTOCOL:
            _, _, data = unpack_client_frame(data)
        if data and (text := printed(data)) is not None:
            seen.append(text)


def gated(gate: Path) -> str:
    """A cell that prints, waits, and prints again."""
    return (
        f"import os, time\nprint('1', flush=True)\nwhile not os.path.exists({str(gate)!r}):\n"
        "    time.sleep(0.02)\nprint('2', flush=True)"
    )


def test_an_earlier_lab_brings_what_is_not_acknowledged_under_the_same_ids(mixed: Mixed) -> None:
    kernel_id, session = mixed.gateways.start_kernel(0), uuid.uuid4().hex
    headers, gate = mixed.gateways.client().headers, mixed.gateways.home() / uuid.uuid4().hex
    query = {"session_id": session, "stream": uuid.uuid4().hex, "cursor": "1"}
    seen: list[tuple[str, str]] = []
    socket = dial(mixed.now, kernel_id, headers, query)
    while not isinstance(socket.recv(), bytes):
        pass
    socket.send_binary(pack_client_frame(1, 0, cell(session, gated(gate))[1]))
    print_until(socket, "1\n", seen)
    socket.close()
    gate.touch()
    again: list[tuple[str, str]] = []
    socket = dial(mixed.before, kernel_id, headers, {"session_id": session})
    assert socket.getsubprotocol() == V1_PROTOCOL
    print_until(socket, "2\n", again)
    socket.close()
    assert again[0] == seen[0], "the page knows by its id that it has it"
    assert [text for _, text in dict.fromkeys([*seen, *again])] == ["1\n", "2\n"]


def test_what_was_said_after_an_earlier_lab_is_in_the_answer(mixed: Mixed) -> None:
    kernel_id, session = mixed.gateways.start_kernel(0), uuid.uuid4().hex
    headers, gate = mixed.gateways.client().headers, mixed.gateways.home() / uuid.uuid4().hex
    socket = dial(mixed.before, kernel_id, headers, {"session_id": session})
    request, message = cell(session, gated(gate))
    socket.send_binary(message)
    print_until(socket, "1\n", [])
    socket.close()
    with CursorPage([mixed.now], kernel_id, headers) as other:
        # It hears what is said from then on.
        other.until(lambda: other.answered)
        gate.touch()
        other.until(lambda: any(one.content.get("state") == "done" for one in other.messages))
    page = CursorPage([mixed.now], kernel_id, headers)
    page.session = session
    with page:
        asked = page.send(
            "fleet", "ask", {"cells": {"a": {"request": request, "number": 0}}, "adopt": True}, {}
        )
        page.until(lambda: page.said(asked, "replay"))
        content = page.said(asked, "replay")[0].content
        (record,) = content["index"]
        assert (record["request"], record["session"], record["held"]) == (request, session, False)
        assert content["missing"] == []
        assert {record["first"], record["last"]} <= set(content["numbers"])
        assert page.printed(request) == "", "it comes with the answer only"


def test_a_kernel_for_one_person_that_an_earlier_lab_refuses_leaves_no_session(
    mixed: Mixed,
) -> None:
    ann = mixed.gateways.client("ann", demo="editor")

    def post(lab: str, path: str, **kernel: Any) -> Any:
        body = {"path": path, "name": "own.ipynb", "type": "notebook"}
        body["kernel"] = {"name": "lossless", **kernel}
        return ann.call("POST", f"{lab}/api/sessions", json=body)

    def sessions() -> list[str]:
        return [one["id"] for one in ann.call("GET", f"{mixed.before}/api/sessions").json()]

    placeholder = f"demo/{uuid.uuid4()}"
    assert post(mixed.before, placeholder).status_code == 201
    before = sessions()
    # As a page sends it, whose placeholder is new.
    fresh = f"demo/{uuid.uuid4()}"
    refused = post(mixed.before, f"@{fresh}", launch_options={"only_for_me": True})
    assert (refused.status_code, "'@demo' is not a project name" in refused.text) == (400, True)
    assert sessions() == before
    own = post(mixed.now, f"@{fresh}", launch_options={"only_for_me": True})
    assert own.status_code == 201, own.text
    assert (own.json()["path"], own.json()["kernel"]["only_for"]) == (fresh, "ann")
    assert post(mixed.now, f"@{fresh}").status_code == 400
    for lab, session in ((mixed.now, own.json()["id"]), (mixed.before, before[0])):
        ended = ann.call("DELETE", f"{lab}/api/sessions/{session}")
        assert ended.status_code == 204, ended.text
