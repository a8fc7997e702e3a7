"""A page's stream at real gateways, without a lab."""

from __future__ import annotations

import json
import uuid
from typing import Any

import websocket

from jupyter_ext.wire.frames import SUBPROTOCOL, pack_client_frame, unpack_client_frame
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import join_v1, split_fleet
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until


class Page:
    """A page's stream of fleet.v1, over one websocket after another."""

    def __init__(
        self, gateways: Gateways, kernel_id: str, session: str = "", user: str = "ada"
    ) -> None:
        self.user = user
        self.gateways, self.kernel_id = gateways, kernel_id
        self.session, self.nonce = session or uuid.uuid4().hex, uuid.uuid4().hex
        self.journal: str | None = None
        self.received: int | None = None
        self.sent: list[bytes] = []
        self.texts: list[dict[str, Any]] = []
        self.messages: list[dict[str, Any]] = []
        self.socket: websocket.WebSocket | None = None

    def open(self, **changes: str) -> list[str]:
        """Connect; returns the types of the frames up to the first binary one."""
        query = {"session_id": self.session, "stream": self.nonce, "cursor": "1"}
        if self.received is not None and self.journal is not None:
            query |= {"received": str(self.received), "journal": self.journal}
        pairs = "&".join(f"{name}={value}" for name, value in (query | changes).items())
        owner = wait_until(lambda: self.gateways.owner(self.kernel_id))
        url = owner.replace("http", "ws", 1)
        self.socket = websocket.create_connection(
            f"{url}/api/kernels/{self.kernel_id}/channels?{pairs}",
            header={**self.gateways.client(self.user).headers, "X-Fleet-Routing": "direct"},
            subprotocols=[SUBPROTOCOL],
            timeout=40,
        )
        first: list[str] = []
        while True:
            frame = self.socket.recv()
            if isinstance(frame, str):
                self.texts.append(json.loads(frame))
                first.append(self.texts[-1]["type"])
                self.journal = self.texts[-1].get("id", self.journal)
                continue
            self.received, acknowledged, message = unpack_client_frame(frame)
            assert message == b""
            for number in range(acknowledged, len(self.sent)):
                self._transmit(number + 1)
            return [*first, "binary"]

    def _transmit(self, number: int) -> None:
        assert self.socket is not None
        frame = pack_client_frame(number, self.received or 0, self.sent[number - 1])
        self.socket.send_binary(frame)

    def send(
        self,
        channel: str,
        kind: str,
        content: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Send a message; returns its id."""
        made = make_message(self.session, channel, kind, b"{}", content)
        _, (header, parent, _, packed) = split_fleet(made)
        parts = [header, parent, json.dumps(metadata or {}).encode(), packed]
        self.sent.append(join_v1(channel, parts))
        self._transmit(len(self.sent))
        return str(json.loads(header)["msg_id"])

    def execute(self, code: str, cell: str) -> str:
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        return self.send("shell", "execute_request", content, {"cellId": cell})

    def receive(self) -> dict[str, Any]:
        """The next message, kernel's or agent's; texts are kept aside."""
        assert self.socket is not None
        while True:
            frame = self.socket.recv()
            assert frame != "", "the websocket was closed"
            if isinstance(frame, str):
                self.texts.append(json.loads(frame))
                continue
            sequence, _, message = unpack_client_frame(frame)
            if not message:
                continue
            assert self.received is None or sequence > self.received
            self.received = sequence
            channel, (header, parent, _, content, *buffers) = split_fleet(message)
            found = {
                "sequence": sequence,
                "channel": channel,
                "type": json.loads(header)["msg_type"],
                "parent": json.loads(parent).get("msg_id"),
                "content": json.loads(content),
                "buffers": buffers,
            }
            self.messages.append(found)
            return found

    def until(self, parent: str, kind: str) -> dict[str, Any]:
        """Read up to a message of this type that answers a request."""
        while True:
            message = self.receive()
            if (message["parent"], message["type"]) == (parent, kind):
                return message

    def read_all(self) -> None:
        """Read until the socket is closed, or until nothing comes for a second."""
        assert self.socket is not None
        self.socket.settimeout(1)
        try:
            while True:
                self.receive()
        except (AssertionError, websocket.WebSocketException):
            self.socket.close()

    def closed(self) -> tuple[int, str]:
        """Read up to the end; the close code, and the reason."""
        assert self.socket is not None
        while True:
            opcode, data = self.socket.recv_data(control_frame=True)
            if opcode == websocket.ABNF.OPCODE_CLOSE:
                return int.from_bytes(data[:2], "big"), data[2:].decode()

    def close(self) -> None:
        assert self.socket is not None
        self.socket.close()
