"""One websocket to the gateway that owns a kernel: how it is opened, and what its end means."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import cast

from tornado.httpclient import HTTPClientError, HTTPRequest, _RequestProxy
from tornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine
from tornado.iostream import IOStream, StreamClosedError
from tornado.websocket import WebSocketClientConnection, WebSocketError

from jupyter_ext.wire.close_codes import FINAL
from jupyter_ext.wire.frames import SUBPROTOCOL
from jupyter_ext.wire.headers import TAKES_TOKENS, TAKES_TOKENS_HEADER


class StreamEnd(Exception):
    """A stream cannot continue, over whatever connection.

    `code` is the close code for the client, the text says why.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


class ConnectionEnd(Exception):
    """One connection has ended, the stream has not. `said` is the gateway's reason, if any;
    `at_once` says to connect again without a pause."""

    def __init__(self, reason: str, *, at_once: bool = False, said: str = "") -> None:
        super().__init__(reason)
        self.at_once = at_once
        self.said = said


class _Connection(WebSocketClientConnection):
    """One that is closed when it opens if nobody waits for it any more: Tornado goes on
    connecting."""

    async def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        await super().headers_received(start_line, headers)
        if self.connect_future.cancelled():
            self.close()


async def dial(
    owner: str,
    url: str,
    headers: Mapping[str, str],
    *,
    connect_timeout: float,
    max_message_bytes: int,
) -> WebSocketClientConnection:
    """A connection to the gateway `owner`; raises StreamEnd and ConnectionEnd."""
    request = HTTPRequest(
        url,
        headers=HTTPHeaders(headers),
        connect_timeout=connect_timeout,
        request_timeout=connect_timeout,
    )
    connection = _Connection(
        # As `websocket_connect` does.
        cast(HTTPRequest, _RequestProxy(request, HTTPRequest._DEFAULTS)),
        subprotocols=[SUBPROTOCOL],
        max_message_size=max_message_bytes,
    )
    try:
        return await connection.connect_future
    except asyncio.CancelledError:
        connection.close()
        raise
    except HTTPClientError as error:
        if error.code in FINAL:
            raise StreamEnd(FINAL[error.code], _reason_of(error)) from error
        raise ConnectionEnd(f"{owner} answered {error.code}") from error
    except (OSError, StreamClosedError, WebSocketError) as error:
        raise ConnectionEnd(f"{owner} does not answer: {error}") from error


def renew(connection: WebSocketClientConnection, headers: Mapping[str, str]) -> None:
    """Have a gateway go on with the newer token of the same person that is in these headers. One of
    the version before does not know how, and ends the connection with the first one."""
    answered = connection.headers
    if answered is None or answered.get(TAKES_TOKENS_HEADER) != TAKES_TOKENS:
        return
    token = headers["Authorization"].removeprefix("Bearer ")
    try:
        written = connection.write_message(json.dumps({"type": "token", "token": token}))
    except (StreamClosedError, WebSocketError):
        # The reader of the connection notices its end, too.
        return
    written.add_done_callback(look_at)


def look_at(written: asyncio.Future[None]) -> None:
    """Retrieve the exception, because asyncio logs those that nobody has retrieved."""
    if not written.cancelled():
        written.exception()


def wire_of(owner: str, connection: WebSocketClientConnection, max_message_bytes: int) -> IOStream:
    """The TCP stream below a connection, ready for long messages; raises ConnectionEnd."""
    protocol = connection.protocol
    if protocol is None or connection.selected_subprotocol != SUBPROTOCOL:
        raise ConnectionEnd(f"{owner} does not speak {SUBPROTOCOL}")
    wire: IOStream | None = protocol.stream
    if wire is None or wire.closed():
        raise ConnectionEnd(f"{owner} closed the connection at once")
    wire.set_nodelay(True)
    # Tornado's client has no option for this, and stops reading at 100 MB.
    wire.max_buffer_size = max_message_bytes
    return wire


def _reason_of(error: HTTPClientError) -> str:
    """The `message` of a gateway's JSON error, or the bare HTTP reason."""
    body = error.response.body if error.response is not None else b""
    try:
        return str(json.loads(body)["message"])
    except (ValueError, KeyError, TypeError):
        return error.message or f"HTTP {error.code}"
