"""How long a body may be whose sender is unknown.

A server reads bodies before it knows who sends them: without this, anybody who reaches a lab's own
port could fill its memory. The front, which people reach, asks for a login before it reads a long
body (`deploy/nginx`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import cast

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)

IsKnown = Callable[[str, HTTPHeaders], bool]
"""Whether the sender of a request is known, by its path with the query and its headers."""
MOST_BYTES = 64 * 1024
"""A form with a token fits. A longer body ends the request with 400."""


class StrangersBodies(HTTPServerConnectionDelegate):
    """Stands before an application and limits the bodies of whoever is unknown."""

    def __init__(self, application: HTTPServerConnectionDelegate, is_known: IsKnown) -> None:
        self._application = application
        self._is_known = is_known

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        request = self._application.start_request(server_conn, request_conn)
        return _Request(request, request_conn, self._is_known)

    def on_close(self, server_conn: object) -> None:
        self._application.on_close(server_conn)


class _Request(HTTPMessageDelegate):
    def __init__(
        self, request: HTTPMessageDelegate, connection: HTTPConnection, is_known: IsKnown
    ) -> None:
        self._request = request
        self._connection = connection
        self._is_known = is_known

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        path = cast(RequestStartLine, start_line).path
        connection = self._connection
        if (
            isinstance(connection, HTTP1Connection)
            and may_be_long(headers)
            and not self._is_known(path, headers)
        ):
            connection.set_max_body_size(MOST_BYTES)
        return self._request.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._request.data_received(chunk)

    def finish(self) -> None:
        self._request.finish()

    def on_connection_close(self) -> None:
        self._request.on_connection_close()


def may_be_long(headers: HTTPHeaders) -> bool:
    """Whether a body is longer than everybody's may be, as far as its sender says."""
    length = headers.get("Content-Length", "0")
    short = length.isdecimal() and len(length) <= len(str(MOST_BYTES)) and int(length) <= MOST_BYTES
    return "Transfer-Encoding" in headers or not short
