"""The routes at which agents call labs through the gateway that owns their kernel."""

import asyncio
import contextlib
from typing import Any

from tornado import web
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import StreamClosedError

from gateway_ext.kernels.agents.pipes import LabsAway, Pipe, PipeRoom, copied
from gateway_ext.kernels.callers import Callers, bearer_token
from gateway_ext.kernels.handlers.refused_calls import RefusedCalls
from gateway_ext.kernels.handlers.routes import below_base_url
from gateway_ext.kernels.refusal import Refusal, owner_unknown
from jupyter_ext.platform.tokens import TokenError
from jupyter_ext.wire.routes import JOURNAL_ROUTE, pattern_of

IDLE_SECONDS = 60.0
"""A call in which nothing moves for so long is ended: longer than labs let a call wait."""

_NOT_ITS_TICKET = "this is not the ticket that the kernel's agent was given here"
_REQUEST_HEADERS = (
    "Authorization",
    "Content-Type",
    "Content-Length",
    "Accept",
    "Range",
    "If-Match",
    "If-None-Match",
)
_ANSWER_HEADERS = (
    "Content-Type",
    "Content-Length",
    "Content-Range",
    "ETag",
    "Retry-After",
    "WWW-Authenticate",
)


@web.stream_request_body
class PipeHandler(RefusedCalls):
    """One call. Who calls is known by the ticket that this gateway gave to the kernel's agent; what
    the ticket allows, labs decide."""

    def initialize(self) -> None:
        self.manager: Any = self.settings["kernel_manager"]
        self._kernel_id = ""
        self._pipe: Pipe | None = None
        self._answer: asyncio.Task[None] | None = None
        self._idle: asyncio.TimerHandle | None = None
        self._broken = ""
        self._has_answer = False

    @property
    def _room(self) -> PipeRoom:
        room: PipeRoom = self.manager.pipe_room
        return room

    def _refuse_people(self, token: str) -> None:
        """Raises Refusal (401) for a token that is no ticket: its holder gets the same answer
        whether or not a kernel is here."""
        callers: Callers = self.settings["fleet_callers"]
        with contextlib.suppress(TokenError):
            callers.verifier.verify(token)
            raise Refusal(401, _NOT_ITS_TICKET)

    async def prepare(self) -> None:
        super().prepare()
        kernel_id = self.path_kwargs["kernel_id"]
        token = bearer_token(self.request.headers.get("Authorization"))
        link = self.manager.links.get(kernel_id)
        if link is None:
            self._refuse_people(token)
            raise owner_unknown(kernel_id)
        if not self.manager.agent_tickets.was_given(link, token):
            raise Refusal(401, _NOT_ITS_TICKET)
        length, most = self.request.headers.get("Content-Length", ""), self._room.most_bytes
        if length.isdecimal() and int(length[:20]) > most:
            raise Refusal(413, f"the body has {length[:20]} bytes, more than {most}")
        if not self._room.enter(kernel_id):
            raise Refusal(503, "too many calls of kernels go through this gateway: try again")
        self._kernel_id = kernel_id
        connection: Any = self.request.connection
        # Also of one that does not say how long it is.
        connection.set_max_body_size(most)
        # A body takes as long as labs let it: `_moved` ends calls in which nothing moves.
        connection.set_body_timeout(None)
        self._moved()
        try:
            self._pipe = await Pipe.open([*self.manager.lab_calls.labs])
            if not self._kernel_id:
                # The agent has gone meanwhile.
                self._close()
                raise Refusal(503, "the call has ended")
            headers = copied(self.request.headers, _REQUEST_HEADERS)
            target = below_base_url(self, self.request.uri or "")
            await self._pipe.begin(self.request.method or "", target, headers)
        except LabsAway as error:
            raise Refusal(503, f"no lab answers: {error}") from error
        except (OSError, StreamClosedError) as error:
            raise Refusal(503, "the lab has ended the call: try again") from error
        self._answer = asyncio.ensure_future(self._relay())

    def _moved(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        self._idle = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._abort)

    def _abort(self) -> None:
        """Ends both sides, without a word: the answer may have begun."""
        self._close()
        connection: Any = self.request.connection
        if connection.stream is not None:
            connection.stream.close()

    async def data_received(self, chunk: bytes) -> None:
        self._moved()
        if self._pipe is None or self._broken or self._finished:
            return
        try:
            await self._pipe.send(chunk)
        except (OSError, StreamClosedError):
            # The lab may have answered already.
            self._broken = "the lab has ended the call before it had all of it"
            return
        self._moved()

    async def _through(self, *values: str, **named: str) -> None:
        if self._pipe is None or self._answer is None:
            raise RuntimeError("the call was not begun")
        if not self._broken:
            self._pipe.sent()
        await self._answer
        if not self._headers_written and not self._finished:
            raise Refusal(503, self._broken or "the lab has ended the call: try again")

    get = put = post = delete = _through

    async def _relay(self) -> None:
        assert self._pipe is not None  # noqa: S101 - for the type checker
        answer = _Answer(self)
        with contextlib.suppress(OSError, StreamClosedError, HTTPInputError):
            await self._pipe.answer(answer)
        if not answer.complete and self._headers_written:
            # A part of an answer must not be taken for all of it.
            self._abort()
        elif answer.complete and not self._finished:
            self.finish()

    async def answered(self, status: int, headers: HTTPHeaders) -> None:
        """The lab has begun to answer."""
        self._has_answer = True
        self._moved()
        self.set_status(status)
        self.clear_header("Content-Type")
        for name, value in copied(headers, _ANSWER_HEADERS).items():
            self.set_header(name, value)

    async def pass_on(self, chunk: bytes) -> None:
        """A piece of the answer; returns when the agent's side has taken it."""
        self._moved()
        self.write(chunk)
        await self.flush()
        self._moved()

    def on_finish(self) -> None:
        self._close()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._close()

    def _close(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
        if self._pipe is not None:
            self._pipe.close()
            if not self._has_answer:
                # A lab that is stuck takes connections all the same.
                self.manager.lab_calls.ask_last(self._pipe.lab)
        if self._kernel_id:
            self._room.leave(self._kernel_id)
            self._kernel_id = ""


class _Answer(HTTPMessageDelegate):
    """A lab's answer, on its way to the agent."""

    def __init__(self, handler: PipeHandler) -> None:
        self._handler = handler
        self.complete = False

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        if isinstance(start_line, ResponseStartLine):
            await self._handler.answered(start_line.code, headers)

    async def data_received(self, chunk: bytes) -> None:
        await self._handler.pass_on(chunk)

    def finish(self) -> None:
        self.complete = True


pipe_handlers: list[tuple[str, type[web.RequestHandler]]] = [
    (pattern_of(JOURNAL_ROUTE), PipeHandler),
]
