"""How much a lab holds of what is sent to it as a part."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

from tornado import web
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from jupyter_ext.auth.user import KernelSide
from jupyter_ext.journals.handlers import handlers
from jupyter_ext.platform.kernel_tickets import KernelTicket
from jupyter_ext.platform.roles import Role
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES

TICKET = KernelTicket("k-1", "demo", Role.EDITOR, "ada", "demo/a.ipynb", "python", 1)
HEAD = b"POST /api/fleet/kernels/k-1/journal HTTP/1.1\r\nHost: localhost\r\n"


class Callers:
    """The lab's identity provider: knows one ticket."""

    def __init__(self) -> None:
        self.handlers: list[Any] = []

    async def get_user(self, handler: web.RequestHandler) -> KernelSide | None:
        self.handlers.append(handler)
        token = handler.request.headers.get("Authorization")
        if token is None:
            # Nobody who is logged in: it is for handlers to refuse them.
            return None
        if token != "Bearer good":
            raise web.HTTPError(401, "the ticket is not valid")
        return KernelSide.of(TICKET)

    def is_token_authenticated(self, handler: web.RequestHandler) -> bool:
        return True

    def should_check_origin(self, handler: web.RequestHandler) -> bool:
        return False


class Lab:
    """The routes of journals alone. `kept` is what came as parts."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.callers = Callers()
        journals: Any = SimpleNamespace(keep=self._keep)
        application = web.Application(
            handlers(journals),
            identity_provider=self.callers,
            allow_remote_access=True,
            base_url="/",
            # As in a lab.
            allow_unauthenticated_access=True,
        )
        self._server = HTTPServer(application)
        sockets = bind_sockets(0, "127.0.0.1")
        self.port: int = sockets[0].getsockname()[1]
        self._server.add_sockets(sockets)

    async def _keep(self, kernel: object, body: bytes) -> None:
        self.kept.append(body)

    @property
    def coming(self) -> int:
        """How many parts have begun to come."""
        return self.callers.handlers[-1]._coming.total()

    @property
    def held(self) -> int:
        """Bytes of the body of the last call."""
        return sum(map(len, self.callers.handlers[-1]._body))

    async def answer(self, *sent: bytes) -> bytes:
        """The first line of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(b"".join(sent))
            return await asyncio.wait_for(reader.readline(), 10)
        finally:
            writer.close()

    def stop(self) -> None:
        self._server.stop()


def with_lab(test: Callable[[Lab], Awaitable[None]]) -> Callable[[], None]:
    """Runs a test with a lab."""

    async def scenario() -> None:
        lab = Lab()
        try:
            await asyncio.wait_for(test(lab), 60)
        finally:
            lab.stop()

    # Without functools.wraps, by which pytest would look for a fixture.
    def run() -> None:
        asyncio.run(scenario())

    return run


@with_lab
async def test_a_part_that_comes_in_pieces_is_kept_whole(lab: Lab) -> None:
    body = bytes(range(256)) * 2**12
    head = b"%sAuthorization: Bearer good\r\nContent-Length: %d\r\n\r\n" % (HEAD, len(body))
    assert b" 204 " in await lab.answer(head, body)
    assert lab.kept == [body]


@with_lab
async def test_nothing_is_held_of_what_a_stranger_sends(lab: Lab) -> None:
    body = bytes(2**20)
    whole = b"Content-Length: 1048576\r\n\r\n", body
    chunks = b"Transfer-Encoding: chunked\r\n\r\n100000\r\n", body, b"\r\n0\r\n\r\n"
    for token, status in ((b"", b" 403 "), (b"Authorization: Bearer bad\r\n", b" 401 ")):
        for sent in (whole, chunks):
            assert status in await lab.answer(HEAD + token, *sent)
            assert lab.held == 0


@with_lab
async def test_little_is_held_of_a_kernel_that_sends_many_parts_at_once(lab: Lab) -> None:
    head = HEAD + b"Authorization: Bearer good\r\nContent-Length: 100000\r\n\r\n"
    slow = []
    for number in range(1, 5):
        _, writer = await asyncio.open_connection("127.0.0.1", lab.port)
        writer.write(head + bytes(50_000))
        slow.append(writer)
        while len(lab.callers.handlers) < number or not lab.held:  # noqa: ASYNC110 (a lab reads it)
            await asyncio.sleep(0.01)
    assert b" 503 " in await lab.answer(head, bytes(100_000))
    assert lab.held == 0
    for writer in slow:
        writer.close()
    while lab.coming:  # noqa: ASYNC110 (a lab notices it)
        await asyncio.sleep(0.01)
    assert b" 204 " in await lab.answer(head, bytes(100_000))


@with_lab
async def test_nothing_is_held_of_a_body_that_no_part_has(lab: Lab) -> None:
    known = HEAD + b"Authorization: Bearer good\r\n"
    for size, status in ((MOST_PART_BYTES, b" 204 "), (MOST_PART_BYTES + 1, b" 413 ")):
        length = b"Content-Length: %d\r\n\r\n" % size
        assert status in await lab.answer(known, length, bytes(size))
    assert lab.held == 0
    assert [len(one) for one in lab.kept] == [MOST_PART_BYTES]
