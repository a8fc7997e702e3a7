"""The commands of the gateway that the agent is connected to."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine
from typing import Any

from jupyter_ext.wire.frames import FrameError, unpack_agent_frame
from jupyter_ext.wire.messages import MessageError, is_fleet, split_fleet

from .connection import Connection, gateway_urls
from .held_tasks import HeldTasks
from .journal import Journal
from .kernel import Kernel
from .kernel_process import LaunchError
from .kernel_state import ProcessState, short_text
from .sender import Sender, Stream
from .sessions import Session, Sessions, TooManySessions
from .slow_readers import Reader
from .start_document import StartDocumentError

_log = logging.getLogger("fleet.agent")


_WHILE_POOLED = frozenset({"claim", "shutdown", "handover"})


class CommandError(Exception):
    """A command cannot be carried out; the message says why."""


class Commands:
    """Executes the commands of one connection, and keeps its open streams."""

    def __init__(
        self,
        connection: Connection,
        sender: Sender,
        kernel: Kernel,
        sessions: Sessions,
        journal: Journal,
        on_shutdown: Callable[[], None],
        on_handover: Callable[[list[str]], None],
        on_gateways: Callable[[list[str]], None],
        on_called: Callable[[dict[str, Any]], None],
        on_kept: Callable[[dict[str, Any]], None],
        on_ticket: Callable[[dict[str, Any]], None],
        on_claim: Callable[[Any, int], None],
    ) -> None:
        """`on_shutdown` is called when the kernel has been ended, `on_handover` with gateways to
        go to, `on_gateways` with those that there are, `on_called` with the answer to a call of the
        kernel, `on_kept` with that to a part of the journal, `on_ticket` with a ticket for labs,
        `on_claim` with what a kernel that was nobody's is, and the epoch from now on."""
        self._connection = connection
        self._sender = sender
        self._kernel = kernel
        self._sessions = sessions
        self._journal = journal
        self._on_shutdown = on_shutdown
        self._on_handover = on_handover
        self._on_gateways = on_gateways
        self._on_called = on_called
        self._on_kept = on_kept
        self._on_ticket = on_ticket
        self._on_claim = on_claim
        self._streams: dict[int, Stream] = {}
        self._tasks = HeldTasks()
        sender.on_lost = self._end_lost
        sender.people = lambda: kernel.requests.people

    def text(self, frame: object) -> None:
        """Handle a parsed text frame of the gateway. Unknown types are from a later protocol."""
        if isinstance(frame, dict) and frame.get("type") == "gateways":
            self._on_gateways(gateway_urls(frame))
            return
        if isinstance(frame, dict) and frame.get("type") == "called":
            self._on_called(frame)
            return
        if isinstance(frame, dict) and frame.get("type") == "kept":
            self._on_kept(frame)
            return
        if isinstance(frame, dict) and frame.get("type") == "ticket":
            self._on_ticket(frame)
            return
        if not isinstance(frame, dict) or frame.get("type") != "command":
            return
        number, name = frame.get("id"), frame.get("command")
        try:
            if frame.get("epoch") != self._connection.epoch:
                raise CommandError(
                    f"epoch {frame.get('epoch')} is not this connection's {self._connection.epoch}"
                )
            if name not in ("open", "close"):
                _log.info("epoch %s: %s", frame["epoch"], name)
            work = self._begin(number, name, frame)
        except (CommandError, LaunchError) as error:
            self._sender.post(_refusal(number, error))
            return
        if work is not None:
            self._tasks.start(self._finish(number, work))

    def _begin(
        self, number: Any, name: Any, frame: dict[str, Any]
    ) -> Coroutine[Any, Any, dict[str, Any]] | None:
        if self._kernel.state.pooled and name not in _WHILE_POOLED:
            raise CommandError("this kernel is nobody's: it can only be claimed or ended")
        match name:
            case "claim":
                self._claim(frame)
            case "open":
                self._open(number, frame)
                return None
            case "close":
                self._close(frame.get("stream"))
            case "interrupt":
                self._kernel.interrupt(_by(frame))
            case "restart":
                return self._restart(_by(frame))
            case "shutdown":
                return self._shutdown(bool(frame.get("now")))
            case "handover":
                self._hand_over(number, frame.get("gateways"))
                return None
            case _:
                raise CommandError(f"this agent does not know the command {name!r}")
        self._sender.post(_success(number))
        return None

    async def _finish(self, number: Any, work: Coroutine[Any, Any, dict[str, Any]]) -> None:
        try:
            result = _success(number, **await work)
        except (CommandError, LaunchError) as error:
            result = _refusal(number, error)
        self._sender.post(result)

    def _claim(self, frame: dict[str, Any]) -> None:
        raised, connection = frame.get("raised"), self._connection
        if not isinstance(raised, int) or raised < connection.epoch:
            raise CommandError(f"raised must be an epoch from {connection.epoch}, not {raised!r}")
        try:
            self._on_claim(frame.get("document"), raised)
        except StartDocumentError as error:
            raise CommandError(str(error)) from error
        # Whoever owned it before it was somebody's can do nothing any more.
        connection.epoch = raised

    def _open(self, number: Any, frame: dict[str, Any]) -> None:
        stream, session_id = frame.get("stream"), frame.get("session_id")
        nonce, received = frame.get("nonce"), frame.get("received")
        person, user = frame.get("person"), frame.get("user")
        if not isinstance(stream, int) or stream < 1:
            raise CommandError(f"stream must be a number above 0, not {stream!r}")
        if not isinstance(session_id, str) or not session_id:
            raise CommandError("session_id must be a string that is not empty")
        if not isinstance(nonce, str):
            raise CommandError("nonce must be a string")
        if received is not None and (not isinstance(received, int) or received < 0):
            raise CommandError(f"received must be a number from 0, or null, not {received!r}")
        self._close(stream)
        session = self._session(session_id)
        session.idle_since = None
        self._kernel.connect(session_id)
        opened = self._streams[stream] = Stream(
            stream,
            session,
            nonce,
            received,
            same_journal=frame.get("journal") in (None, self._journal.id),
            cursor=bool(frame.get("cursor")),
            # Gateways of the version before do not say whose a stream is.
            person=person if isinstance(person, str) and person else session_id,
            user=user if isinstance(user, str) and user else None,
        )
        self._sender.open(number, opened)

    def _session(self, session_id: str) -> Session:
        """The session of this id, which may be new."""
        if self._sessions.get(session_id) is None:
            try:
                forgotten = self._sessions.make_room()
            except TooManySessions as error:
                raise CommandError(str(error)) from error
            if forgotten is not None:
                self._kernel.disconnect(forgotten.session_id)
                self._journal.forget(forgotten.session_id)
        return self._sessions.known(session_id, self._journal.last)

    def _close(self, number: Any) -> None:
        stream = self._streams.pop(number, None)
        if stream is None:
            return
        self._sender.close(stream)
        if not any(other.session is stream.session for other in self._streams.values()):
            stream.session.idle_since = time.monotonic()

    def _end_stream(self, stream: Stream, reason: str) -> None:
        """Take nothing more from a stream: its client opens another one and sends again what was
        not acknowledged."""
        _log.info("closing a stream of session %s: %s", stream.session.session_id, reason)
        self._close(stream.number)
        self._sender.post({"type": "closed", "stream": stream.number, "reason": reason})

    def _end_lost(self, stream: Stream) -> None:
        self._end_stream(stream, "the journal has dropped what it lacks")

    def readers(self) -> list[Reader]:
        """The open pages that the journal waits for."""
        now = time.monotonic()
        return [
            Reader(stream.session.session_id, stream.has)
            for stream in self._streams.values()
            if stream.cursor and stream.start is not None
            if stream.has >= stream.session.excused_until
            if not self._sessions.excused.covers(stream.person, stream.session.began, now)
        ]

    def cut(self, sessions: list[str]) -> None:
        """End the streams of pages that read too slowly. Nobody waits for them before they have
        what there is by now."""
        for stream in list(self._streams.values()):
            if stream.cursor and stream.session.session_id in sessions:
                stream.session.excused_until = self._journal.last
                self._sessions.excused.cut(stream.person, self._journal.last, time.monotonic())
                self._end_stream(stream, "it reads too slowly")

    async def _restart(self, by: str | None) -> dict[str, Any]:
        # What a page sent before, and has not arrived yet, must not run in the new process.
        for stream in [one for one in self._streams.values() if one.cursor]:
            self._end_stream(stream, "the kernel was restarted")
        await self._kernel.restart(by)
        if self._kernel.state.process is ProcessState.DEAD:
            raise CommandError(self._kernel.state.reason or "the kernel is dead")
        return {"state": self._kernel.state.as_json()}

    async def _shutdown(self, now: bool) -> dict[str, Any]:
        await self._kernel.shutdown(now, "the kernel was shut down")
        asyncio.get_running_loop().call_soon(self._on_shutdown)
        return {}

    def _hand_over(self, number: Any, gateways: Any) -> None:
        if not isinstance(gateways, list) or not all(isinstance(url, str) for url in gateways):
            raise CommandError("gateways must be a list of URLs")
        self._sender.post(_success(number))
        self._on_handover(gateways)

    def binary(self, data: bytes) -> None:
        """A client's message or acknowledgment."""
        try:
            frame = unpack_agent_frame(data)
        except FrameError as error:
            _log.warning("%s", error)
            return
        stream = self._streams.get(frame.stream)
        if stream is None:
            return
        session = stream.session
        session.acknowledge(min(frame.acknowledged, self._journal.last))
        if not frame.message:
            return
        # A lab that drops what waits, as after an interrupt, goes on with a higher number.
        if stream.cursor and session.skips(stream.nonce, frame.sequence):
            last = session.received_from(stream.nonce)
            self._end_stream(stream, f"message {frame.sequence} came after message {last}")
            return
        if session.take(stream.nonce, frame.sequence):
            self._take(stream, frame.message)
        self._sender.acknowledge(stream)

    def _take(self, stream: Stream, message: bytes) -> None:
        session_id = stream.session.session_id
        if not stream.cursor or not is_fleet(message):
            # A page sends again what it does not know to have arrived: after a reload in the name
            # of the page before, whose session may be forgotten, or through a lab of the version
            # before, which has numbers of its own.
            self._kernel.send(session_id, message, cursor=stream.cursor, user=stream.user)
            return
        try:
            parts = split_fleet(message)[1]
            self._kernel.requests.from_page(self._journal, session_id, parts)
        except MessageError as error:
            _log.warning("dropped a message of session %s: %s", session_id, error)

    def close_all(self) -> None:
        """The connection has ended, and its streams with it."""
        for number in list(self._streams):
            self._close(number)


def _by(frame: dict[str, Any]) -> str | None:
    """The user who wants this; gateways of the version before do not say."""
    return short_text(frame.get("by")) or None


def _success(number: Any, **result: Any) -> dict[str, Any]:
    return {"type": "result", "id": number, "ok": True, **result}


def _refusal(number: Any, error: Exception) -> dict[str, Any]:
    return {"type": "result", "id": number, "ok": False, "message": str(error)}
