"""Calls of agents to labs that go through this gateway, which reads nothing of what is in them."""

import ssl
from collections import Counter
from collections.abc import Sequence
from functools import cache
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPMessageDelegate,
    RequestStartLine,
)
from tornado.iostream import IOStream
from tornado.tcpclient import TCPClient

_MOST_ANSWER = 2**40
"""Bytes: what labs answer passes whatever its length."""
_CHUNK = 64 * 1024
"""Bytes that are on their way in each direction, twice at most."""
_MOST_HEADERS = 64 * 1024
_CONNECT_SECONDS = 2.0
_PER_KERNEL = 4


class LabsAway(Exception):
    """No lab takes a connection."""


class PipeRoom:
    """How many calls go through the gateway at once, of one kernel and of all."""

    def __init__(self, most: int, most_bytes: int) -> None:
        """`most_bytes` is for the body of each."""
        self.most_bytes = most_bytes
        self._most = most
        self._of_kernel: Counter[str] = Counter()

    def enter(self, kernel_id: str) -> bool:
        """Takes a place; False if there is none."""
        if self._of_kernel.total() >= self._most or self._of_kernel[kernel_id] >= _PER_KERNEL:
            return False
        self._of_kernel[kernel_id] += 1
        return True

    def leave(self, kernel_id: str) -> None:
        """Gives a place back."""
        self._of_kernel[kernel_id] -= 1
        if not self._of_kernel[kernel_id]:
            del self._of_kernel[kernel_id]


class Pipe:
    """One connection to a lab, for one call. Its methods raise StreamClosedError when the lab ends
    it, and OSError."""

    def __init__(self, stream: IOStream, lab: str) -> None:
        self.lab = lab
        """Its base URL."""
        self._stream = stream
        parameters = HTTP1ConnectionParameters(
            no_keep_alive=True,
            chunk_size=_CHUNK,
            max_header_size=_MOST_HEADERS,
            max_body_size=_MOST_ANSWER,
        )
        self._connection = HTTP1Connection(stream, True, parameters)

    @classmethod
    async def open(cls, labs: Sequence[str]) -> "Pipe":
        """To the first lab that takes a connection; raises LabsAway."""
        problem = "no lab is known"
        for lab in labs:
            url = urlsplit(lab)
            options = _trusted() if url.scheme == "https" else None
            port = url.port or (443 if options else 80)
            try:
                stream = await TCPClient().connect(
                    url.hostname or "",
                    port,
                    ssl_options=options,
                    max_buffer_size=4 * _CHUNK,
                    timeout=_CONNECT_SECONDS,
                )
            except (OSError, TimeoutError) as error:
                problem = f"{lab}: {error}"
                continue
            stream.set_nodelay(True)
            return cls(stream, lab)
        raise LabsAway(problem)

    async def begin(self, method: str, target: str, headers: HTTPHeaders) -> None:
        """Sends the head of the call; `target` is below the lab's base URL."""
        url = urlsplit(self.lab)
        headers["Host"] = url.netloc
        start_line = RequestStartLine(method, url.path.rstrip("/") + target, "")
        await self._connection.write_headers(start_line, headers)

    async def send(self, chunk: bytes) -> None:
        """Sends a piece of the body; returns when the system has taken it."""
        await self._connection.write(chunk)

    def sent(self) -> None:
        """The body is complete."""
        self._connection.finish()

    async def answer(self, receiver: HTTPMessageDelegate) -> None:
        """Passes the answer to `receiver`, and waits for what its methods return; returns when it
        is complete, or the lab has ended it."""
        await self._connection.read_response(receiver)

    def close(self) -> None:
        """Ends the connection at once."""
        self._stream.close()


@cache
def _trusted() -> ssl.SSLContext:
    """Whom the machine trusts: to read that holds the event loop, so it is read once."""
    return ssl.create_default_context()


def copied(headers: HTTPHeaders, names: Sequence[str]) -> HTTPHeaders:
    """Those of the headers that have these names."""
    found = HTTPHeaders()
    for name in names:
        if name in headers:
            found[name] = headers[name]
    return found
