"""The ZMQ sockets between the agent and one kernel process.

Frames pass unchanged: messages to the kernel are signed, signatures of messages from it are
verified, and only the boundaries of their parts are parsed here.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
import hmac
import logging
from collections.abc import Callable, Sequence
from typing import Any

import zmq
from jupyter_client.session import DELIM
from jupyter_client.session import Session as JupyterSession

from .credit_file import CreditFile
from .held_sockets import HeldSockets

_log = logging.getLogger("fleet.agent")
_BATCH_MESSAGES = 100
_BATCH_BYTES = 2**16
_CONNECT_AGAIN_MS = 5
"""How soon to try again to connect to a kernel that has not bound its sockets yet; ZMQ adds up to
as much. A start takes as much longer; trying takes 0.4 % of a processor for each socket."""

# The order matters: a kernel drops an input_request for an identity that its stdin socket has not
# met, so stdin connects before the socket that a cell can come through.
_CHANNELS = ("stdin", "control", "shell")

Receive = Callable[[str | None, str, list[bytes]], None]
"""Called with session id (None for all), channel, and the parts from the header on."""


class _Socket:
    """One ZMQ socket on the event loop; calls `receive` with each message's frames."""

    def __init__(self, socket: zmq.Socket[bytes], receive: Callable[[list[bytes]], None]) -> None:
        self._socket = socket
        self._receive = receive
        self._loop = asyncio.get_running_loop()
        self._descriptor = int(socket.getsockopt(zmq.FD))
        self._loop.add_reader(self._descriptor, self.read)
        self._loop.call_soon(self.read)

    def read(self) -> int:
        """Receive what is there, at most a batch; returns how many messages there were.

        After a batch the sender gets a turn, so that a burst does not push messages out of the
        journal that the connection could still have sent.
        """
        count = size = 0
        while count < _BATCH_MESSAGES and size < _BATCH_BYTES:
            if self._socket.closed:
                return count
            try:
                frames = self._socket.recv_multipart(zmq.NOBLOCK)
            except zmq.Again:
                return count
            self._receive(frames)
            count += 1
            size += sum(map(len, frames))
        self._loop.call_soon(self.read)
        return count

    def send(self, frames: Sequence[bytes]) -> None:
        # No limit is set on what is queued here, so this never blocks.
        self._socket.send_multipart(frames, zmq.NOBLOCK)
        # ZMQ's descriptor reports an edge, and sending may have swallowed it.
        self._loop.call_soon(self.read)

    def close(self) -> None:
        self._loop.remove_reader(self._descriptor)
        self._socket.close(linger=0)


class KernelChannels:
    """Shell, control and stdin for each client session, and iopub once, to one kernel process."""

    def __init__(
        self,
        connection: dict[str, Any],
        key: bytes,
        receive: Receive,
        credit: CreditFile | None = None,
        excess: Callable[[], int] = lambda: 0,
    ) -> None:
        """`connection` is the content of the connection file; `credit` says how much output was
        taken: what was received, but for the `excess` bytes that wait for the journal's disk."""
        self._connection = connection
        self._session = JupyterSession(key=key)
        self._own_id = self._session.session
        self._receive = receive
        self._credit = credit
        self._excess = excess
        self._heard_bytes = 0
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._sockets: dict[tuple[str, str], _Socket] = {}
        self._held = HeldSockets()
        subscriber = self._context.socket(zmq.SUB)
        # A limit here would make ZMQ drop what the kernel prints while the agent is busy.
        subscriber.setsockopt(zmq.RCVHWM, 0)
        subscriber.setsockopt(zmq.RECONNECT_IVL, _CONNECT_AGAIN_MS)
        subscriber.setsockopt(zmq.SUBSCRIBE, b"")
        subscriber.connect(self._url("iopub"))
        self._iopub = _Socket(subscriber, self._heard)

    @property
    def own_id(self) -> str:
        """The session id of the agent's own requests."""
        return self._own_id

    def _url(self, channel: str) -> str:
        ip, port = self._connection["ip"], self._connection[f"{channel}_port"]
        if self._connection["transport"] == "ipc":
            return f"ipc://{self._held.way_to(f'{ip}-{port}')}"
        return f"tcp://{ip}:{port}"

    def _heard(self, frames: list[bytes]) -> None:
        self._received(None, "iopub", frames)
        # Also of what could not be read: the kernel has counted it as well.
        self._heard_bytes += sum(map(len, frames))
        self.give_credit()

    def give_credit(self) -> None:
        """Tell the kernel how much of its output was taken; to be called when the excess has
        changed."""
        if self._credit is not None:
            self._credit.taken(max(0, self._heard_bytes - self._excess()))

    def _received(self, session_id: str | None, channel: str, frames: list[bytes]) -> None:
        try:
            place = frames.index(DELIM)
            signature, *parts = frames[place + 1 :]
        except ValueError:
            _log.warning("dropped a message on %s that is not a kernel message", channel)
            return
        if len(parts) < 4 or not hmac.compare_digest(signature, self._session.sign(parts[:4])):
            _log.warning("dropped a message on %s with a wrong signature", channel)
            return
        self._receive(session_id, channel, parts)

    def hold(self) -> None:
        """Keep the way to the sockets that the kernel has bound: its code may remove their files,
        and sessions that come later need them."""
        if self._connection["transport"] == "ipc":
            ip = self._connection["ip"]
            self._held.hold(f"{ip}-{self._connection[f'{name}_port']}" for name in _CHANNELS)

    def connect(self, session_id: str) -> None:
        """Give the session its sockets if it has none; the kernel must have bound its own."""
        for channel in _CHANNELS:
            if (session_id, channel) in self._sockets:
                continue
            socket = self._context.socket(zmq.DEALER)
            # The kernel answers to the identity, on stdin too: replies and input_requests find
            # their page by it. ZMQ allows 255 bytes.
            identity = session_id.encode()
            if len(identity) > 255 or identity[:1] == b"\0":
                identity = hashlib.sha256(identity).hexdigest().encode()
            socket.setsockopt(zmq.IDENTITY, identity)
            socket.setsockopt(zmq.SNDHWM, 0)
            socket.setsockopt(zmq.RCVHWM, 0)
            socket.setsockopt(zmq.RECONNECT_IVL, _CONNECT_AGAIN_MS)
            socket.connect(self._url(channel))
            self._sockets[session_id, channel] = _Socket(
                socket, functools.partial(self._received, session_id, channel)
            )

    def send(self, session_id: str, channel: str, parts: list[bytes]) -> None:
        """Hand a message to the kernel; parts from the header on."""
        self.connect(session_id)
        self._sockets[session_id, channel].send([DELIM, self._session.sign(parts[:4]), *parts])

    def request(self, channel: str, message_type: str, content: dict[str, Any]) -> str:
        """Send a request of the agent's own; returns its message id."""
        message = self._session.msg(message_type, content)
        frames = self._session.serialize(message)
        self.connect(self._own_id)
        self._sockets[self._own_id, channel].send(frames)
        return str(message["header"]["msg_id"])

    def disconnect(self, session_id: str) -> None:
        """Close a session's sockets."""
        for channel in _CHANNELS:
            if socket := self._sockets.pop((session_id, channel), None):
                socket.close()

    async def drain(self, quiet: float = 0.1) -> None:
        """Receive what an ended process had sent, until nothing arrives for `quiet` seconds."""
        while True:
            await asyncio.sleep(quiet)
            if not sum(socket.read() for socket in [self._iopub, *self._sockets.values()]):
                return

    def close(self) -> None:
        """Close every socket; drop what was not delivered to the kernel."""
        for socket in [self._iopub, *self._sockets.values()]:
            socket.close()
        self._sockets.clear()
        self._context.term()
        if self._credit is not None:
            self._credit.release()
        self._held.release()
