"""A page that speaks `fleet.v1` with labs: it numbers what it sends, acknowledges what it has, and
goes to the next lab whenever its websocket ends."""

import json
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import websocket

from jupyter_ext.wire.frames import SUBPROTOCOL, pack_client_frame, unpack_client_frame
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import V1_PROTOCOL, join_v1, split_fleet


@dataclass(frozen=True)
class Said:
    """A message of the kernel or its agent, with its number in the journal."""

    number: int
    kind: str
    parent: str | None
    content: dict[str, Any]


def dial(
    url: str, kernel_id: str, headers: Mapping[str, str], query: Mapping[str, str]
) -> websocket.WebSocket:
    """A websocket as a page opens it, which offers `fleet.v1` and what stock pages speak."""
    return websocket.create_connection(
        f"{url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels?{urlencode(query)}",
        header=dict(headers),
        subprotocols=[SUBPROTOCOL, V1_PROTOCOL],
        timeout=60,
    )


def close_of(socket: websocket.WebSocket) -> tuple[int, str]:
    """Reads up to the end; the close code, and the reason."""
    while True:
        opcode, data = socket.recv_data(control_frame=True)
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            return int.from_bytes(data[:2], "big"), data[2:].decode()


class CursorPage:
    """One page. It reads in a thread of its own."""

    def __init__(self, labs: Sequence[str], kernel_id: str, headers: Mapping[str, str]) -> None:
        self.lab = 0
        """At which of the labs it is, or tries to be."""
        self.session, self.stream = uuid.uuid4().hex, uuid.uuid4().hex
        self.journal: str | None = None
        self.received: int | None = None
        self.texts: list[dict[str, Any]] = []
        self.messages: list[Said] = []
        self.ends: list[int] = []
        """The close codes of its websockets, 1006 where there was none."""
        self.reads = threading.Event()
        self.reads.set()
        self.error = ""
        self._labs = labs
        self._kernel_id = kernel_id
        self._headers = headers
        self._pending: dict[int, bytes] = {}
        self._sent = 0
        self._answered = False
        self._stopped = False
        self._socket: websocket.WebSocket | None = None
        self._changed = threading.Condition(threading.RLock())
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> "CursorPage":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stopped = True
        self.reads.set()
        if self._socket is not None:
            self._socket.shutdown()
        self._thread.join()

    @property
    def answered(self) -> bool:
        """Whether its present websocket reaches the agent."""
        return self._answered

    @property
    def query(self) -> dict[str, str]:
        """What it says of itself to a lab."""
        query = {"session_id": self.session, "stream": self.stream, "cursor": "1"}
        if self.received is not None and self.journal is not None:
            query |= {"received": str(self.received), "journal": self.journal}
        return query

    def until(self, condition: Callable[[], Any], seconds: float = 60) -> Any:
        """Waits for the first true value of `condition()`."""
        with self._changed:
            value = self._changed.wait_for(lambda: self.error or condition(), seconds)
            assert not self.error, self.error
            assert value, "it did not happen in time"
            return value

    def send(
        self, channel: str, kind: str, content: dict[str, Any], metadata: dict[str, Any]
    ) -> str:
        """Sends a message once it can; its id."""
        made = make_message(self.session, channel, kind, b"{}", content)
        _, (header, parent, _, packed) = split_fleet(made)
        message = join_v1(channel, [header, parent, json.dumps(metadata).encode(), packed])
        with self._changed:
            self._sent += 1
            self._pending[self._sent] = message
            if self._answered:
                self._transmit(self._sent, message)
        return str(json.loads(header)["msg_id"])

    def execute(self, code: str, cell: str = "a") -> str:
        """Sends a cell; the id of the request."""
        content = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        return self.send("shell", "execute_request", content, {"cellId": cell})

    def said(self, request: str, kind: str) -> list[Said]:
        """The messages of this type that answer a request."""
        return [one for one in self.messages if (one.parent, one.kind) == (request, kind)]

    def reply(self, request: str) -> dict[str, Any]:
        """The reply to a cell, when there is one."""
        self.until(lambda: self.said(request, "execute_reply"))
        return self.said(request, "execute_reply")[0].content

    def printed(self, request: str) -> str:
        """What a cell has printed so far."""
        return "".join(one.content["text"] for one in self.said(request, "stream"))

    def run(self, code: str) -> str:
        """What a cell prints; it must succeed."""
        request = self.execute(code)
        assert self.reply(request)["status"] == "ok"
        self.until(lambda: any(idle(one) for one in self.said(request, "status")))
        return self.printed(request)

    def _run(self) -> None:
        while not self._stopped:
            code = 1006
            try:
                code = self._serve(self._labs[self.lab])
            except AssertionError as error:
                self._fail(str(error))
                return
            except (OSError, websocket.WebSocketException):
                pass
            with self._changed:
                self._answered = False
                self.ends.append(code)
                self.lab = (self.lab + 1) % len(self._labs)
                self._changed.notify_all()
            time.sleep(0.02)

    def _fail(self, error: str) -> None:
        with self._changed:
            self.error = error
            self._changed.notify_all()

    def _serve(self, url: str) -> int:
        socket = self._socket = dial(url, self._kernel_id, self._headers, self.query)
        try:
            assert socket.getsubprotocol() == SUBPROTOCOL, socket.getsubprotocol()
            while True:
                self.reads.wait()
                opcode, data = socket.recv_data()
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    return int.from_bytes(data[:2], "big") or 1005
                with self._changed:
                    if opcode == websocket.ABNF.OPCODE_TEXT:
                        self._take_text(json.loads(data))
                    else:
                        self._take(*unpack_client_frame(data))
                    self._changed.notify_all()
        finally:
            socket.shutdown()

    def _take_text(self, text: dict[str, Any]) -> None:
        self.texts.append(text)
        if text["type"] == "journal":
            assert self.journal in (None, text["id"]), "this is another journal"
            self.journal = text["id"]

    def _take(self, sequence: int, acknowledged: int, message: bytes) -> None:
        for number in [one for one in self._pending if one <= acknowledged]:
            del self._pending[number]
        if not self._answered:
            assert message == b"", "a message came before the first frame"
            assert self.received in (None, sequence), f"{sequence} after {self.received}"
            self.received, self._answered = sequence, True
            for number, pending in self._pending.items():
                self._transmit(number, pending)
        elif message:
            assert sequence > (self.received or 0), f"{sequence} came after {self.received}"
            self.received = sequence
            _, (header, parent, _, content, *_) = split_fleet(message)
            kind, of = json.loads(header)["msg_type"], json.loads(parent).get("msg_id")
            self.messages.append(Said(sequence, kind, of, json.loads(content)))
            self._transmit(0, b"")

    def _transmit(self, number: int, message: bytes) -> None:
        try:
            assert self._socket is not None
            self._socket.send_binary(pack_client_frame(number, self.received or 0, message))
        except (OSError, websocket.WebSocketException):
            # The reader notices it, too, and sends again on the next one.
            return


def idle(said: Said) -> bool:
    """Whether a status says that its request has ended."""
    return bool(said.content.get("execution_state") == "idle")
