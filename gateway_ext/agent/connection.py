"""One connection to one gateway: connecting, proofs in both directions, detection of silence."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import logging
import secrets
import socket
import struct
import termios
import time
from collections.abc import Callable
from typing import Any

from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    websocket_connect,
)

from jupyter_ext.wire.headers import DIAL_HEADER
from jupyter_ext.wire.proof import (
    PROTOCOL,
    agent_proof,
    deleted_proof,
    dial_header,
    proves,
    welcome_proof,
)
from jupyter_ext.wire.routes import AGENT_ROUTE, path_of
from jupyter_ext.wire.socket_progress import bytes_acknowledged

from .kernel_calls import idempotent_calls
from .process_identity import own_process
from .silence import Silence
from .start_document import StartDocument

_log = logging.getLogger("fleet.agent")

MAX_MESSAGE_BYTES = 2**30 + 2**20
"""The largest websocket message: a kernel message of 1 GiB and what is around it."""
_WRITE_BYTES = 2**20
"""Above this many unsent bytes the writer waits."""
_WELCOME_SECONDS = 30.0
"""How long a gateway that answers pings may take to claim the kernel."""


class Unreachable(Exception):
    """The gateway did not answer, or did not follow the protocol."""


class Refused(Exception):
    """The gateway refuses to serve the kernel at the moment."""

    def __init__(self, message: str, gateways: list[str]) -> None:
        super().__init__(message)
        self.gateways = gateways


class Deleted(Exception):
    """The gateway proved that the kernel's record was deleted."""


class Connection:
    """A websocket to a gateway; `closed` is set as soon as it is broken, silent or left."""

    def __init__(self, url: str, ping_seconds: float, ping_timeout: float) -> None:
        self.url = url
        self.epoch = 0
        self.gateways: list[str] = []
        self.calls: dict[str, bool] | None = None
        """Which calls of kernels the gateway answers, as `idempotent_calls`."""
        self.keeps_journals = False
        """Whether the gateway takes parts of the journal, to be kept outside of the container."""
        self.closed = asyncio.Event()
        self.on_message: Callable[[str | bytes], None] | None = None
        self._early: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._websocket: WebSocketClientConnection | None = None
        self._socket: socket.socket | None = None
        self._unsent = 0
        self._room = asyncio.Event()
        self._room.set()
        self._empty = asyncio.Event()
        self._empty.set()
        self._ping_seconds = ping_seconds
        self._silence = Silence(ping_timeout, time.monotonic())
        self._pinging: asyncio.Task[None] | None = None
        self._left = False

    async def open(self, kernel_id: str, key: bytes, seconds: float) -> None:
        """Connect the websocket; raises Unreachable."""
        request = HTTPRequest(
            f"ws{self.url.removeprefix('http')}{path_of(AGENT_ROUTE, kernel_id=kernel_id)}",
            headers={DIAL_HEADER: dial_header(key, kernel_id)},
            connect_timeout=seconds,
            request_timeout=seconds,
        )
        try:
            self._websocket = await websocket_connect(
                request,
                max_message_size=MAX_MESSAGE_BYTES,
                on_message_callback=self._received,
            )
        except (OSError, HTTPClientError, WebSocketError, AssertionError, ValueError) as error:
            # Tornado uses assertions on responses; no response may end the agent.
            raise Unreachable(f"{self.url}: {error}") from error
        protocol = self._websocket.protocol
        stream = protocol.stream if protocol is not None else None
        if stream is None or stream.closed() or self.closed.is_set():
            raise Unreachable(f"{self.url}: closed the connection at once")
        stream.set_nodelay(True)
        # Tornado's client has no option for it, and stops at 100 MB.
        stream.max_buffer_size = MAX_MESSAGE_BYTES
        self._socket = stream.socket
        self._websocket.on_pong = self._ponged  # type: ignore[method-assign]
        self._silence.heard(time.monotonic())
        self._pinging = asyncio.create_task(self._ping())

    def _received(self, message: str | bytes | None) -> None:
        self._silence.heard(time.monotonic())
        if message is None:
            self._gone()
        elif self.on_message is None:
            self._early.put_nowait(message)
        elif not self.closed.is_set():
            self.on_message(message)

    def _ponged(self, data: bytes) -> None:
        self._silence.heard(time.monotonic())

    async def _ping(self) -> None:
        tick = min(self._ping_seconds, self._silence.timeout / 4)
        next_ping = before = time.monotonic()
        while not self.closed.is_set():
            now = time.monotonic()
            # If the agent itself was suspended, the gateway was not silent.
            self._silence.excuse(max(0.0, now - before - 2 * tick))
            before = now
            if self._silence.too_long(now, self._taken()):
                _log.warning("gateway %s is silent", self.url)
                self.drop()
                return
            if now >= next_ping and self._websocket is not None:
                next_ping = now + self._ping_seconds
                self._silence.pinged(self._taken() + self._waiting())
                try:
                    self._websocket.ping()
                except (WebSocketClosedError, StreamClosedError):
                    self._gone()
                    return
            await asyncio.sleep(tick)

    def _taken(self) -> int:
        """How many bytes the other machine has acknowledged."""
        return 0 if self._socket is None else bytes_acknowledged(self._socket)

    def _waiting(self) -> int:
        """How many bytes it has not: in the system's buffer and, about, in ours."""
        if self._socket is None:
            return 0
        try:
            queued = fcntl.ioctl(self._socket, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return self._unsent
        return self._unsent + int(struct.unpack("=i", queued)[0])

    async def hear(self, seconds: float) -> dict[str, Any]:
        """The next text frame before `on_message` is set; raises Unreachable."""
        get = asyncio.create_task(self._early.get())
        gone = asyncio.create_task(self.closed.wait())
        try:
            await asyncio.wait({get, gone}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            if not get.done():
                why = "closed the connection" if self.closed.is_set() else "does not answer"
                raise Unreachable(f"{self.url}: {why}")
            frame = json.loads(get.result())
        except ValueError as error:
            raise Unreachable(f"{self.url}: what it sent is not JSON") from error
        finally:
            get.cancel()
            gone.cancel()
        if not isinstance(frame, dict):
            raise Unreachable(f"{self.url}: what it sent is not an object")
        return frame

    def listen(self, on_message: Callable[[str | bytes], None]) -> None:
        """From now on pass every frame to `on_message`, first those that have already arrived."""
        self.on_message = on_message
        while not self._early.empty():
            on_message(self._early.get_nowait())

    async def send(self, message: str | bytes) -> None:
        """Send one frame, waiting while too much is unsent; raises Unreachable."""
        await self._room.wait()
        if self._websocket is None or self.closed.is_set():
            raise Unreachable(f"{self.url}: the connection is closed")
        size = len(message)
        try:
            written = self._websocket.write_message(message, binary=isinstance(message, bytes))
        except (WebSocketClosedError, StreamClosedError) as error:
            self._gone()
            raise Unreachable(f"{self.url}: the connection is closed") from error
        self._unsent += size
        self._empty.clear()
        if self._unsent > _WRITE_BYTES:
            self._room.clear()
        written.add_done_callback(lambda done: self._written(done, size))

    def _written(self, done: asyncio.Future[None], size: int) -> None:
        self._unsent -= size
        if not self._unsent:
            self._empty.set()
        if self._unsent <= _WRITE_BYTES:
            self._room.set()
        if not done.cancelled() and done.exception() is not None:
            self._gone()

    async def flushed(self, seconds: float) -> None:
        """Wait until everything was handed to the operating system, at most so many seconds."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._empty.wait(), seconds)

    def _gone(self) -> None:
        self.closed.set()
        self._room.set()
        self._empty.set()
        if self._pinging is not None:
            self._pinging.cancel()

    def leave(self, reason: str) -> None:
        """Close with a handshake: what was sent still arrives."""
        if self._websocket is not None and not self.closed.is_set():
            self._left = True
            self._websocket.close(1000, reason)
        self._gone()

    def drop(self) -> None:
        """Close at once, unless `leave` was called: nothing is sent or received any more."""
        if self._left:
            return
        protocol = self._websocket.protocol if self._websocket is not None else None
        if protocol is not None and protocol.stream is not None:
            protocol.stream.close()
        if self._websocket is not None:
            self._websocket.close()
        self._gone()


async def dial(
    url: str,
    document: StartDocument,
    epoch: int,
    state: dict[str, Any],
    sequence: int,
    journal: str,
) -> Connection:
    """Connect to a gateway and have it claim the kernel.

    `epoch` is the highest obeyed so far, `sequence` the last number of the journal with the id
    `journal`. Raises Unreachable,
    Refused or Deleted; what a gateway says without the right proof counts as Unreachable.
    """
    connection = Connection(url, document.ping_seconds, document.ping_timeout)
    try:
        await connection.open(document.kernel_id, document.agent_key, document.ping_timeout)
        await _introduce(connection, document, epoch, state, sequence, journal)
    except BaseException:
        connection.drop()
        raise
    return connection


async def _introduce(
    connection: Connection,
    document: StartDocument,
    epoch: int,
    state: dict[str, Any],
    sequence: int,
    journal: str,
) -> None:
    key, kernel_id = document.agent_key, document.kernel_id
    challenge = await connection.hear(document.ping_timeout)
    if challenge.get("type") != "challenge" or not isinstance(challenge.get("nonce"), str):
        raise Unreachable(f"{connection.url}: does not begin with a challenge")
    nonce = secrets.token_hex(16)
    hello = {
        "type": "hello",
        "protocol": PROTOCOL,
        "kernel_id": kernel_id,
        "nonce": nonce,
        "epoch": epoch,
        "state": state,
        "sequence": sequence,
        "journal": journal,
        "process": own_process(),
        "proof": agent_proof(key, kernel_id, challenge["nonce"], epoch),
    }
    await connection.send(json.dumps(hello))
    answer = await connection.hear(_WELCOME_SECONDS)
    match answer.get("type"):
        case "welcome":
            claimed = answer.get("epoch")
            if not isinstance(claimed, int):
                raise Unreachable(f"{connection.url}: its welcome has no epoch")
            if not proves(answer.get("proof"), welcome_proof(key, kernel_id, nonce, claimed)):
                raise Unreachable(f"{connection.url}: its welcome has a wrong proof")
            if claimed <= epoch:
                raise Unreachable(
                    f"{connection.url}: its epoch {claimed} is not above {epoch}, obeyed before"
                )
            connection.epoch = claimed
            connection.gateways = gateway_urls(answer)
            connection.calls = idempotent_calls(answer)
            connection.keeps_journals = answer.get("keeps_journals") is True
        case "deleted":
            if not proves(answer.get("proof"), deleted_proof(key, kernel_id, nonce)):
                raise Unreachable(f"{connection.url}: its `deleted` has a wrong proof")
            raise Deleted(connection.url)
        case "refused":
            message = f"{connection.url}: {answer.get('reason')}: {answer.get('message')}"
            raise Refused(message, gateway_urls(answer))
        case other:
            raise Unreachable(f"{connection.url}: answered the hello with {other!r}")


def gateway_urls(frame: dict[str, Any]) -> list[str]:
    """The gateways that a frame names, without invalid URLs."""
    urls = frame.get("gateways")
    if not isinstance(urls, list):
        return []
    return [u for u in urls if isinstance(u, str) and u.startswith(("http://", "https://"))]
