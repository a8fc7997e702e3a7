"""Cells and messages that are too long or invalid, and what their sender is told."""

import json
import uuid

from jupyter_ext.kernels.json_messages import json_to_v1
from jupyter_ext.wire.messages import join_v1, split_v1
from tests.integration.gateway_ext.fleet_of_gateways import Channels

MB = 1024 * 1024


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


def check_invalid(channels: Channels, *, v1: bool) -> None:
    """Sends what is no kernel message, and a cell on a channel that no kernel has; the next cell
    runs on the same connection."""
    assert channels.run("print(1)") == "1\n"
    socket = channels._websocket
    for nothing in ("", "{", "[]", '{"header": {}}', '"x"'):
        socket.send(nothing)
    for noise in (b"\0", b"\xff" * 100, b"\0" * 100, (2).to_bytes(4) + b"\xff" * 20):
        socket.send_binary(noise)
    header = {"msg_id": "wrong", "msg_type": "execute_request", "session": channels.session}
    text = json.dumps({"channel": "shell", "header": header, "content": {"code": "1"}})
    if v1:
        _, parts = split_v1(json_to_v1(text))
        socket.send_binary(join_v1("shall", parts))
    else:
        socket.send(text.replace("shell", "shall"))
    assert refused(channels, "wrong") == "no kernel has a channel 'shall'"
    assert channels.run("print(6 * 7)") == "42\n"
