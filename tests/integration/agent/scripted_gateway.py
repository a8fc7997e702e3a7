"""A gateway that does what a test says, and a client's end of a stream on it.

The agent's behavior at faults is what is tested here: a frame withheld, a proof that is wrong, an
epoch that is old, a connection cut between two lines, a gateway that takes bytes and says nothing.
No real gateway can be made to do these at the wanted frame, so the server is scripted; what it
speaks is written down in docs/protocols.md. Agent and kernel are real.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import json
import os
import secrets
import signal
import struct
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application
from tornado.websocket import WebSocketHandler

KEY = secrets.token_bytes(32)
REPOSITORY = Path(__file__).parents[3]
KERNELSPEC = REPOSITORY / "kernelspecs" / "python" / "kernel.json"
FRAME = struct.Struct(">IQQ")


def proof(*fields: object) -> str:
    """HMAC of the fields, written here a second time so that both ends are not wrong together."""
    return hmac.new(KEY, "\n".join(map(str, fields)).encode(), hashlib.sha256).hexdigest()


class Stream:
    """A client's stream, opened through one connection after the other. With `cursor` it is a
    page's, which remembers by itself what it has; otherwise one of a gateway of the version
    before."""

    def __init__(self, session_id: str, nonce: str | None = None, *, cursor: bool = False) -> None:
        self.session_id = session_id
        self.nonce = nonce or uuid.uuid4().hex
        self.cursor = cursor
        self.journal: str | None = None
        """Of which journal it has everything up to `received`."""
        self.closed = ""
        """Why the agent has closed it."""
        self.number = 0
        self.link: Link | None = None
        self.opened: dict[str, Any] = {}
        self.sent: list[bytes] = []
        self.acknowledged = 0
        """Up to where the agent has taken our messages."""
        self.received = -1
        """The number of the last message that came; -1 before the stream was first opened."""
        self.messages: list[dict[str, Any]] = []
        self.raw_bytes = 0

    async def open(self, link: Link, received: int | str | None = "own") -> dict[str, Any]:
        """Open on this connection; `received` is what we have unless given."""
        link.counter += 1
        self.number, self.link = link.counter, link
        link.streams[self.number] = self
        have = received if received != "own" else self.received if self.received >= 0 else None
        more = {"journal": self.journal if self.cursor else None, "cursor": self.cursor}
        self.closed = ""
        self.opened = await link.command(
            "open",
            stream=self.number,
            session_id=self.session_id,
            nonce=self.nonce,
            received=have,
            **more,
        )
        self.journal = self.opened.get("journal")
        for sequence in range(self.opened["acknowledged"] + 1, len(self.sent) + 1):
            await self._transmit(sequence)
        return self.opened

    async def close(self) -> None:
        """Close the stream; the session stays."""
        assert self.link is not None
        self.link.open_streams.discard(self.number)
        self.link.closing_streams.add(self.number)
        await self.link.command("close", stream=self.number)
        self.link.closing_streams.discard(self.number)

    async def _transmit(self, sequence: int) -> None:
        assert self.link is not None
        await self.link.send(
            FRAME.pack(self.number, sequence, max(self.received, 0)) + self.sent[sequence - 1]
        )

    async def send(
        self,
        channel: str,
        message_type: str,
        content: dict[str, Any],
        metadata: dict[str, Any] | None = None,
    ) -> str:
        """Send a kernel message; returns its id."""
        msg_id = uuid.uuid4().hex
        header = {
            "msg_id": msg_id,
            "msg_type": message_type,
            "session": self.session_id,
            "username": "test",
            "version": "5.4",
            "date": "2026-01-01T00:00:00Z",
        }
        parts = [json.dumps(p).encode() for p in (header, {}, metadata or {}, content)]
        self.sent.append(join(channel, parts))
        await self._transmit(len(self.sent))
        return msg_id

    async def send_again(self, sequence: int) -> None:
        """Repeat a message with the number that it had."""
        await self._transmit(sequence)

    async def acknowledge(self) -> None:
        """Say that everything that came was handed to the page."""
        assert self.link is not None
        await self.link.send(FRAME.pack(self.number, 0, max(self.received, 0)))

    async def execute(self, code: str, cell: str | None = None, **options: Any) -> str:
        """Ask for code to be run, as this cell if it is one; returns the request's id."""
        content = {
            "code": code,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": False,
            "stop_on_error": True,
        }
        metadata = {"cellId": cell} if cell is not None else {}
        return await self.send("shell", "execute_request", content | options, metadata)

    async def ask(self, cells: dict[str, dict[str, Any] | None], adopt: bool = True) -> Replay:
        """Ask what these cells lack; returns the answer once all of it is there."""
        asked = await self.send("fleet", "ask", {"cells": cells, "adopt": adopt})

        def parts() -> list[dict[str, Any]]:
            return self.of(asked, "replay")

        await until(parts, 30, "the first part of a replay")
        await until(lambda: len(parts()) == parts()[0]["content"]["parts"], 60, "all of a replay")
        return Replay(parts())

    def take(self, sequence: int, acknowledged: int, message: bytes) -> None:
        """A frame has come from the agent."""
        self.acknowledged = max(self.acknowledged, acknowledged)
        if not message or sequence <= self.received:
            return
        self.received = sequence
        self.raw_bytes += len(message)
        self.messages.append(parsed(sequence, message))

    def of(self, request: str | None, message_type: str) -> list[dict[str, Any]]:
        """The messages of a type that answer a request (any request if None)."""
        return [
            m
            for m in self.messages
            if m["type"] == message_type and (request is None or m["parent"] == request)
        ]

    def text(self, request: str) -> str:
        """What a cell printed."""
        return "".join(m["content"]["text"] for m in self.of(request, "stream"))

    async def reply(self, request: str, seconds: float = 60) -> dict[str, Any]:
        """The content of the reply, once the cell is idle too."""
        await until(lambda: self.of(request, "execute_reply"), seconds, f"reply to {request}")
        await until(lambda: self.idle(request), seconds, f"idle after {request}")
        return self.of(request, "execute_reply")[0]["content"]

    def idle(self, request: str) -> bool:
        """Whether the kernel has said that it has finished a request."""
        return any(m["content"]["execution_state"] == "idle" for m in self.of(request, "status"))

    async def run(self, code: str, seconds: float = 60) -> str:
        """Run a cell; returns what it printed."""
        request = await self.execute(code)
        content = await self.reply(request, seconds)
        assert content["status"] == "ok", content
        return self.text(request)


def parsed(sequence: int, message: bytes) -> dict[str, Any]:
    """A message in the v1 layout."""
    channel, parts = split(message)
    header, parent, _, content = (json.loads(part) for part in parts[:4])
    return {
        "sequence": sequence,
        "channel": channel,
        "type": header["msg_type"],
        "session": header["session"],
        "parent": parent.get("msg_id"),
        "content": content,
        "buffers": parts[4:],
    }


class Replay:
    """The answer of an agent to a page that asked what its cells lack."""

    def __init__(self, parts: list[dict[str, Any]]) -> None:
        contents = [part["content"] for part in parts]
        assert [c["part"] for c in contents] == list(range(1, len(parts) + 1))
        numbers = [part["sequence"] for part in parts]
        assert numbers == list(range(numbers[0], numbers[-1] + 1)), "live messages between parts"
        self.parts = len(parts)
        (self.fence,) = {c["fence"] for c in contents}
        assert self.fence == numbers[-1]
        self.index = {record["cell"]: record for record in contents[0]["index"]}
        self.missing = [run for c in contents for run in c["missing"]]
        self.messages = [
            parsed(number, message)
            for part in parts
            for number, message in zip(part["content"]["numbers"], part["buffers"], strict=True)
        ]
        self.longest = max(sum(map(len, part["buffers"])) for part in parts)

    def of(self, request: str, message_type: str) -> list[dict[str, Any]]:
        """The messages of a type that answer a request."""
        return [m for m in self.messages if (m["parent"], m["type"]) == (request, message_type)]

    def text(self, request: str) -> str:
        """What a cell had printed."""
        return "".join(m["content"]["text"] for m in self.of(request, "stream"))


class Link:
    """One agent's connection, as the gateway sees it."""

    def __init__(self, handler: WebSocketHandler) -> None:
        self.handler = handler
        self.hello: dict[str, Any] = {}
        self.epoch = 0
        self.states: list[dict[str, Any]] = []
        self.streams: dict[int, Stream] = {}
        self.open_streams: set[int] = set()
        self.closing_streams: set[int] = set()
        """What the agent sends to these may be on its way."""
        self.results: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self.calls: list[dict[str, Any]] = []
        """The calls of the kernel's code."""
        self.counter = 0
        self.closed = asyncio.Event()
        self.binary_frames = 0
        self.before_frame: Callable[[], None] | None = None

    @property
    def state(self) -> dict[str, Any]:
        """What the agent said last about its kernel."""
        return self.states[-1]

    async def send(self, message: str | bytes) -> None:
        """Send one frame."""
        await self.handler.write_message(message, binary=isinstance(message, bytes))

    async def command_frame(self, epoch: int, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command with any epoch; returns the result."""
        self.counter += 1
        number = self.counter
        self.results[number] = asyncio.get_running_loop().create_future()
        frame = {"type": "command", "id": number, "epoch": epoch, "command": command}
        await self.send(json.dumps(frame | arguments))
        return await asyncio.wait_for(self.results[number], 40)

    async def command(self, command: str, **arguments: Any) -> dict[str, Any]:
        """Send a command; it must succeed."""
        result = await self.command_frame(self.epoch, command, **arguments)
        assert result["ok"], result
        return result

    def receive(self, message: str | bytes) -> None:
        """A frame after the welcome."""
        if self.before_frame is not None:
            self.before_frame()
        if isinstance(message, bytes):
            self.binary_frames += 1
            stream, sequence, acknowledged = FRAME.unpack_from(message)
            if stream in self.closing_streams:
                return
            numbers = list(self.open_streams) if stream == 0 else [stream]
            for number in numbers:
                assert number in self.open_streams, "a frame for a stream that is not open"
                self.streams[number].take(sequence, acknowledged, message[FRAME.size :])
            return
        frame = json.loads(message)
        if frame["type"] == "state":
            self.states.append(frame["state"])
        elif frame["type"] == "call":
            self.calls.append(frame)
        elif frame["type"] == "closed":
            self.open_streams.discard(frame["stream"])
            self.streams[frame["stream"]].closed = frame["reason"]
        elif frame["type"] == "result":
            # As in the real gateway, a stream is open from its result on.
            if frame["ok"] and "start" in frame:
                number = max(n for n, s in self.streams.items() if n not in self.open_streams)
                self.open_streams.add(number)
                stream_ = self.streams[number]
                if stream_.received < 0 or frame["gap"]:
                    stream_.received = frame["start"]
            self.results[frame["id"]].set_result(frame)

    async def answer_call(self, result: dict[str, Any]) -> dict[str, Any]:
        """Wait for a call of the kernel's code and answer it; returns the call."""
        await until(lambda: self.calls, 20, "a call of the kernel")
        call = self.calls.pop(0)
        answer = {"type": "called", "id": call["id"], "ok": True, "result": result}
        await self.send(json.dumps(answer))
        return call

    def cut(self) -> None:
        """Break the connection without a word."""
        self.handler.ws_connection.stream.close()  # type: ignore[union-attr]


class ScriptedGateway:
    """A websocket server for one kernel's agent on a free port."""

    def __init__(self, kernel_id: str, epochs: Callable[[], int]) -> None:
        self.kernel_id = kernel_id
        self.links: asyncio.Queue[Link] = asyncio.Queue()
        self.hellos: list[dict[str, Any]] = []
        self.answer: Callable[[dict[str, Any], int], dict[str, Any] | None] = self.welcome
        self.epochs = epochs
        self.gateways: list[str] = []
        self.calls: dict[str, Any] | None = {
            "ask": {"idempotent": True},
            "buy": {"idempotent": False},
        }
        """The calls of kernels that it knows; None for a gateway of before."""
        self._open: list[Link] = []
        gateway = self

        class Handler(WebSocketHandler):
            def check_origin(self, origin: str) -> bool:
                return True

            async def open(self, *args: str, **kwargs: str) -> None:
                self.set_nodelay(True)
                self.link: Link | None = None
                self.nonce = secrets.token_hex(8)
                await self.write_message({"type": "challenge", "nonce": self.nonce})

            async def on_message(self, message: str | bytes) -> None:
                if self.link is not None:
                    self.link.receive(message)
                    # Tornado reads on without a turn for others as long as there is something.
                    await asyncio.sleep(0)
                    return
                hello = json.loads(message)
                gateway.hellos.append(hello)
                assert hello["proof"] == proof(
                    "agent", 1, gateway.kernel_id, self.nonce, hello["epoch"]
                )
                epoch = gateway.epochs()
                answer = gateway.answer(hello, epoch)
                if answer is None:
                    return
                if answer["type"] == "welcome":
                    self.link = Link(self)
                    self.link.hello, self.link.epoch = hello, answer["epoch"]
                    self.link.states.append(hello["state"])
                    gateway._open.append(self.link)
                    gateway.links.put_nowait(self.link)
                self.write_message(answer)

            def on_close(self) -> None:
                if self.link is not None:
                    self.link.closed.set()

        application = Application(
            [(f"/api/fleet/agents/{kernel_id}", Handler)],
            websocket_max_message_size=2**31,
        )
        self._server = HTTPServer(application, max_buffer_size=2**31)
        self._sockets = bind_sockets(0, "127.0.0.1")
        self.port = self._sockets[0].getsockname()[1]
        self._server.add_sockets(self._sockets)

    @property
    def url(self) -> str:
        """Where the agent dials."""
        return f"http://127.0.0.1:{self.port}"

    def welcome(self, hello: dict[str, Any], epoch: int) -> dict[str, Any]:
        """A right welcome."""
        known = {} if self.calls is None else {"calls": self.calls}
        return {
            "type": "welcome",
            "epoch": epoch,
            "gateways": self.gateways,
            **known,
            "proof": proof("welcome", self.kernel_id, hello["nonce"], epoch),
        }

    def deleted(self, hello: dict[str, Any], epoch: int) -> dict[str, Any]:
        """A right word that the record was deleted."""
        return {"type": "deleted", "proof": proof("deleted", self.kernel_id, hello["nonce"])}

    async def link(self, seconds: float = 60) -> Link:
        """The next connection on which an agent was welcomed."""
        return await asyncio.wait_for(self.links.get(), seconds)

    def close(self) -> None:
        """Be gone: nobody listens, every connection is cut."""
        self._server.stop()
        for link in self._open:
            with contextlib.suppress(AttributeError):
                link.cut()


class Fleet:
    """Gateways and one real agent for a test; ends what it started."""

    def __init__(self, directory: Path) -> None:
        self.kernel_id = str(uuid.uuid4())
        self.directory = directory / "kernel"
        self.cwd = directory
        self._epoch = 0
        self._agent: subprocess.Popen[bytes] | None = None
        self._gateways: list[ScriptedGateway] = []
        self.agent_cwd = Path("/")
        self.agent_command = [sys.executable, "-m", "gateway_ext.agent"]
        self.errors = directory / "agent-stderr"

    @property
    def agent(self) -> subprocess.Popen[bytes]:
        """The agent's process, once it was started."""
        assert self._agent is not None
        return self._agent

    def _next_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    def gateway(self) -> ScriptedGateway:
        """Start one more gateway."""
        gateway = ScriptedGateway(self.kernel_id, self._next_epoch)
        self._gateways.append(gateway)
        for each in self._gateways:
            each.gateways = [other.url for other in self._gateways]
        return gateway

    def document(self, **changes: Any) -> dict[str, Any]:
        """A start document for the kernelspec that is shipped."""
        return {
            "kernel_id": self.kernel_id,
            "agent_key": KEY.hex(),
            "gateways": [gateway.url for gateway in self._gateways],
            "kernelspec": json.loads(KERNELSPEC.read_text()),
            "kernel_name": "python",
            "resource_dir": "",
            "directory": str(self.directory),
            "cwd": str(self.cwd),
            "journal_memory_bytes": 16 * 2**20,
            "ping_seconds": 0.5,
            "ping_timeout": 5,
            "orphan_seconds": 60,
        } | changes

    def start(self, **changes: Any) -> subprocess.Popen[bytes]:
        """Start the agent."""
        with open(self.errors, "wb") as errors:
            self._agent = subprocess.Popen(
                self.agent_command,
                stdin=subprocess.PIPE,
                stdout=errors,
                stderr=errors,
                cwd=self.agent_cwd,
                env=os.environ | {"PYTHONPATH": str(REPOSITORY)},
                start_new_session=True,
            )
        assert self.agent.stdin is not None
        self.agent.stdin.write(json.dumps(self.document(**changes)).encode())
        self.agent.stdin.close()
        return self.agent

    async def running(self, **changes: Any) -> Link:
        """Start the agent; returns its connection to the first gateway when the kernel runs."""
        self.start(**changes)
        link = await self._gateways[0].link()
        await until(lambda: link.state["process"] == "running", 40, "the kernel runs")
        return link

    async def agent_ends(self, seconds: float = 60) -> None:
        """Wait until the agent has ended."""
        await until(lambda: self.agent.poll() is not None, seconds, "the agent ends")

    def stop(self) -> None:
        """End the agent, with it its kernel, and the gateways."""
        if self._agent is not None and self._agent.poll() is None:
            self.agent.send_signal(signal.SIGCONT)
            self.agent.kill()
            self.agent.wait()
        for gateway in self._gateways:
            gateway.close()


async def until(reached: Callable[[], Any], seconds: float, what: str) -> None:
    """Wait for a condition, or fail saying what did not come."""
    end = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < end, f"did not come within {seconds} s: {what}"
        await asyncio.sleep(0.02)


def join(channel: str, parts: list[bytes]) -> bytes:
    """v1 layout, written here a second time so that both ends are not wrong together."""
    pieces = [channel.encode(), *parts]
    offsets = [8 * (len(pieces) + 2)]
    for piece in pieces:
        offsets.append(offsets[-1] + len(piece))
    head = len(offsets).to_bytes(8, "little") + b"".join(o.to_bytes(8, "little") for o in offsets)
    return head + b"".join(pieces)


def split(message: bytes) -> tuple[str, list[bytes]]:
    """The other way round."""
    count = int.from_bytes(message[:8], "little")
    offsets = [int.from_bytes(message[8 * i : 8 * i + 8], "little") for i in range(1, count + 1)]
    pieces = [message[offsets[i] : offsets[i + 1]] for i in range(count - 1)]
    return pieces[0].decode(), pieces[1:]


def is_running(pid: int) -> bool:
    """Whether a process runs; one that nobody has collected yet does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
