"""`fleet.v1` between a page and the owner of its kernel: frames pass unread, nothing is kept."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError

from jupyter_ext.kernels.held_messages import HeldMessages
from jupyter_ext.kernels.owner_socket import ConnectionEnd, StreamEnd, dial, look_at, renew, wire_of
from jupyter_ext.kernels.signs_of_life import SignsOfLife
from jupyter_ext.wire.close_codes import (
    BAD_MESSAGE,
    FINAL,
    NO_CURSOR,
    OWNER_CHANGES,
    TOO_MANY,
    TOO_MUCH,
    TRY_AGAIN,
)
from jupyter_ext.wire.frames import CLIENT_HEADER_BYTES

_PONG = '{"type": "pong"}'
_NO_CODE = frozenset({1005, 1006})
"""What stands for a close without a code; neither can be sent."""
_AT_ONCE = frozenset({*FINAL.values(), TOO_MANY})
_LONGEST_TEXT = 100
"""Characters; a longer text would hold the event loop while it is parsed."""
_FIRST_BACKOFF = 0.05
_LONGEST_BACKOFF = 1.0


@dataclass(frozen=True)
class _Owner:
    """A gateway that has answered, with its first frame."""

    url: str
    connection: WebSocketClientConnection
    life: SignsOfLife
    first: str | bytes


class PageRelay:
    """One websocket of a page, and one to the gateway that owns the kernel. When either ends, so
    does the other: the page alone knows what it has and what it has sent, and connects again.

    Until the gateway's first frame the page sends nothing, so until then the relay looks for the
    owner again and again, for `give_up_seconds`. Afterwards it never does: frames that were on
    their way would be missing, and nobody would know.

    `resolve` returns the base URL of the owner, `address` makes the websocket's of it. `resolve`
    raises StreamEnd if there is nothing to wait for; anything else that it raises means "try again
    soon". `to_page` sends a frame and returns when more can be sent. `on_closed(code, reason)` is
    called once, when the relay has ended by itself; not after `close()`. What waits to be sent to
    gateways counts in `held`.
    """

    def __init__(
        self,
        *,
        resolve: Callable[[], Awaitable[str]],
        address: Callable[[str], str],
        headers: Mapping[str, str],
        to_page: Callable[[str | bytes], Awaitable[None]],
        on_closed: Callable[[int, str], None],
        held: HeldMessages,
        max_message_bytes: int = 1024 * 1024 * 1024,
        give_up_seconds: float = 60.0,
        connect_timeout: float = 3.0,
        ping_seconds: float = 2.5,
        log: logging.Logger | None = None,
    ) -> None:
        self._resolve = resolve
        self._address = address
        self._headers = dict(headers)
        self._to_page = to_page
        self._on_closed = on_closed
        self._held = held
        self._max_message_bytes = max_message_bytes
        self._give_up_seconds = give_up_seconds
        self._connect_timeout = connect_timeout
        self._ping_seconds = ping_seconds
        self._log = log or logging.getLogger(__name__)
        self._owner: _Owner | None = None
        self._why = "no gateway has answered yet"
        self._pong: asyncio.Future[None] | None = None
        self._ended = False
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start connecting. Must be called on the event loop."""
        self._task = asyncio.ensure_future(self._run())

    async def send(self, frame: str | bytes) -> None:
        """Take a frame of the page; returns when the next one may be read."""
        if self._ended:
            return
        if isinstance(frame, str):
            self._take_text(frame)
        elif len(frame) < CLIENT_HEADER_BYTES:
            self._end(BAD_MESSAGE, f"a frame has at least {CLIENT_HEADER_BYTES} bytes")
        elif self._owner is None:
            self._end(BAD_MESSAGE, "a page sends nothing before the first frame")
        else:
            await self._to_owner(self._owner.connection, frame)

    def renew(self, headers: Mapping[str, str]) -> None:
        """Go on with the newer token in these headers."""
        self._headers = dict(headers)
        if self._owner is not None:
            renew(self._owner.connection, self._headers)

    def give_up(self) -> None:
        """End because all pages together have sent too much, and this one the most."""
        self._end(
            TOO_MUCH,
            "this server holds too many messages for kernels that do not take them, most of them "
            "for this one; try again when it answers",
        )

    async def close(self) -> None:
        """End without calling `on_closed`: the page has left."""
        self._ended = True
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def _end(self, code: int, reason: str) -> None:
        if self._ended:
            return
        self._ended = True
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
        self._on_closed(code, reason)

    def _take_text(self, text: str) -> None:
        """Answer a ping: pages cannot send those of websockets."""
        if len(text) > _LONGEST_TEXT or _type_of(text) != "ping":
            self._end(BAD_MESSAGE, 'the only text frame of a page is {"type": "ping"}')
        elif self._pong is None or self._pong.done():
            # One that does not read its pongs gets no more of them.
            self._pong = asyncio.ensure_future(self._to_page(_PONG))
            self._pong.add_done_callback(look_at)

    async def _to_owner(self, connection: WebSocketClientConnection, frame: bytes) -> None:
        self._held.holds(self, len(frame))
        try:
            await connection.write_message(frame, binary=True)
        except (StreamClosedError, WebSocketError):
            # The reader notices it, too. The page sends the frame again.
            return
        finally:
            self._held.holds(self, 0)

    async def _run(self) -> None:
        try:
            async with asyncio.timeout(self._give_up_seconds):
                owner = self._owner = await self._find()
        except TimeoutError:
            self._end(TRY_AGAIN, self._why)
            return
        except StreamEnd as end:
            self._end(end.code, end.reason)
            return
        try:
            await owner.life.during(self._pass_on(owner))
        except StreamEnd as end:
            self._end(end.code, end.reason)
        except ConnectionEnd as end:
            self._end(OWNER_CHANGES, str(end))
        except (StreamClosedError, WebSocketError):
            self._log.debug("%s: the page has left", owner.url)
        finally:
            owner.connection.close()

    async def _find(self) -> _Owner:
        """An owner that has answered; raises StreamEnd."""
        backoff = _FIRST_BACKOFF
        while True:
            try:
                return await self._dial(await self._resolve())
            except StreamEnd:
                raise
            except ConnectionEnd as end:
                self._why = end.said or str(end)
            except Exception as error:
                self._why = str(error) or type(error).__name__
            self._log.debug("a page waits for the owner of its kernel: %s", self._why)
            await asyncio.sleep(backoff)
            backoff = min(2 * backoff, _LONGEST_BACKOFF)

    async def _dial(self, url: str) -> _Owner:
        headers = self._headers
        connection = await dial(
            url,
            self._address(url),
            headers,
            connect_timeout=self._connect_timeout,
            max_message_bytes=self._max_message_bytes,
        )
        try:
            wire = wire_of(url, connection, self._max_message_bytes)
            life = SignsOfLife(connection, wire, url, self._ping_seconds)
            first = await life.during(life.read())
            if first is None:
                raise _refusal(connection, url)
        except BaseException:
            connection.close()
            raise
        if headers is not self._headers:
            renew(connection, self._headers)
        return _Owner(url, connection, life, first)

    async def _pass_on(self, owner: _Owner) -> None:
        """Pass the owner's frames on until there are no more; raises StreamEnd."""
        frame: str | bytes | None = owner.first
        has_journal = False
        while frame is not None:
            if isinstance(frame, str):
                has_journal = has_journal or _type_of(frame) == "journal"
            elif not has_journal:
                raise StreamEnd(NO_CURSOR, "this kernel's agent is of an earlier version")
            await self._to_page(frame)
            frame = await owner.life.read()
        code, reason = owner.connection.close_code, owner.connection.close_reason
        raise StreamEnd(
            OWNER_CHANGES if code is None or code in _NO_CODE else code,
            reason or "the gateway ended the connection",
        )


def _refusal(connection: WebSocketClientConnection, url: str) -> Exception:
    """What a close before the first frame means."""
    code, reason = connection.close_code, connection.close_reason or ""
    if code in _AT_ONCE:
        return StreamEnd(code, reason or "the gateway ended the connection")
    return ConnectionEnd(f"{url} closed ({code} {reason})", said=reason)


def _type_of(text: str) -> str:
    """The `type` of a text frame; empty if it has none."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return ""
    return str(document.get("type") or "") if isinstance(document, dict) else ""
