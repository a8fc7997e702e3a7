"""How long a body may be that comes with neither a token nor a cookie.

A server reads bodies before it knows who sends them: without this, anybody who reaches a lab's own
port could fill its memory. The front, which people reach, asks for a login before it reads a long
body (`deploy/nginx`).
"""

from __future__ import annotations

from collections.abc import Awaitable
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

MOST_BYTES = 64 * 1024
"""A form with a token fits. A longer body ends the request with 400."""


class StrangersBodies(HTTPServerConnectionDelegate):
    """Stands before an application and limits the bodies of whoever does not say who it is."""

    def __init__(self, application: HTTPServerConnectionDelegate) -> None:
        self._application = application

    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return _Request(self._application.start_request(server_conn, request_conn), request_conn)

    def on_close(self, server_conn: object) -> None:
        self._application.on_close(server_conn)


class _Request(HTTPMessageDelegate):
    def __init__(self, request: HTTPMessageDelegate, connection: HTTPConnection) -> None:
        self._request = request
        self._connection = connection

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> Awaitable[None] | None:
        path = cast(RequestStartLine, start_line).path
        if not says_who(path, headers) and isinstance(self._connection, HTTP1Connection):
            self._connection.set_max_body_size(MOST_BYTES)
        return self._request.headers_received(start_line, headers)

    def data_received(self, chunk: bytes) -> Awaitable[None] | None:
        return self._request.data_received(chunk)

    def finish(self) -> None:
        self._request.finish()

    def on_connection_close(self) -> None:
        self._request.on_connection_close()


def says_who(path: str, headers: HTTPHeaders) -> bool:
    """Whether a request comes with anything that could be a token or a login."""
    return "Authorization" in headers or "Cookie" in headers or "token=" in path.partition("?")[2]
