"""Messages that are too long or invalid: their sender is told, and stays connected."""

import json
import uuid
from typing import Any

import pytest

from jupyter_ext.kernels.json_messages import json_to_v1
from jupyter_ext.wire.messages import join_v1, split_v1
from tests.integration.gateway_ext.fleet_of_gateways import Channels, Gateways, running_gateways

MB = 1024 * 1024


@pytest.fixture(scope="module")
def short() -> Any:
    """Two gateways that relay messages of at most 20 MB; a kernel at the first one, and one that is
    relayed."""
    changes = {"FleetGatewayApp": {"max_message_bytes": 20 * MB}}
    with running_gateways(changes=changes) as gateways:
        yield gateways, gateways.start_kernel(0)


def send_long(channels: Channels, code: str, *, v1: bool) -> str:
    """Sends a cell of any length; the id of the request."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "version": "5.3"}
    header |= {"session": channels.session, "username": "t", "date": "2026-01-01T00:00:00Z"}
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
    if v1:
        parts = [json.dumps(part).encode() for part in (header, {}, {}, content)]
        channels._websocket.send_binary(join_v1("shell", parts))
    else:
        message = {"channel": "shell", "header": header, "content": content}
        channels._websocket.send(json.dumps(message))
    return header["msg_id"]


def refused(channels: Channels, request: str) -> str:
    """What the cell shows, and its reply says, of a request that was not passed on."""
    shown = ""
    while True:
        message = channels.receive()
        if message["parent_header"].get("msg_id") != request:
            continue
        kind, content = message["header"]["msg_type"], message["content"]
        if kind == "error":
            shown = content["evalue"]
        elif kind == "execute_reply":
            assert content["status"] == "error"
            assert content["evalue"] == shown
        elif kind == "status":
            assert content["execution_state"] == "idle"
            return shown


@pytest.mark.parametrize("number", [0, 1])
@pytest.mark.parametrize("v1", [False, True])
def test_a_cell_that_is_too_long_says_the_limit(
    short: tuple[Gateways, str], number: int, v1: bool
) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[number], kernel_id, v1=v1) as channels:
        assert channels.run("print(1)") == "1\n"
        request = send_long(channels, f"x = '{'y' * 64 * MB}'", v1=v1)
        assert "at most 21 MB can be sent" in refused(channels, request)
        # The connection is the same, and the next cell runs.
        assert channels.run("print(6 * 7)") == "42\n"


def test_a_long_cell_within_the_limit_runs(short: tuple[Gateways, str]) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[1], kernel_id, v1=True) as channels:
        request = send_long(channels, f"x = '{'y' * 19 * MB}'\nprint(len(x))", v1=True)
        assert channels.finish(request)[0] == f"{19 * MB}\n"


def test_json_that_is_too_long_for_it_says_what_to_use(short: tuple[Gateways, str]) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
        request = send_long(channels, f"x = '{'y' * 9 * MB}'", v1=False)
        assert "use the subprotocol v1.kernel" in refused(channels, request)
        assert channels.run("print(6 * 7)") == "42\n"


@pytest.mark.parametrize("v1", [False, True])
def test_an_invalid_message_is_answered_or_ignored(short: tuple[Gateways, str], v1: bool) -> None:
    gateways, kernel_id = short
    with gateways.client().channels(gateways.urls[0], kernel_id, v1=v1) as channels:
        assert channels.run("print(1)") == "1\n"
        socket = channels._websocket
        for nothing in ("", "{", "[]", '{"header": {}}', '"x"'):
            socket.send(nothing)
        for nothing in (b"\0", b"\xff" * 100, b"\0" * 100, (2).to_bytes(4) + b"\xff" * 20):
            socket.send_binary(nothing)
        # On a channel that no kernel has.
        header = {"msg_id": "wrong", "msg_type": "execute_request", "session": channels.session}
        text = json.dumps({"channel": "shell", "header": header, "content": {"code": "1"}})
        if v1:
            _, parts = split_v1(json_to_v1(text))
            socket.send_binary(join_v1("shall", parts))
        else:
            socket.send(text.replace("shell", "shall"))
        assert refused(channels, "wrong") == "no kernel has a channel 'shall'"
        assert channels.run("print(6 * 7)") == "42\n"
