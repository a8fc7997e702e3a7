"""A server in a lab's place: issues tickets, takes parts, and does with long bodies what it is
told."""

import json
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from tests.servers.http_thread import serve_in_thread

_PIECE = 2**16


class LabStandIn:
    """`/api/fleet/kernels/{id}/ticket` and `/journal`; what tests send there has a query."""

    def __init__(self) -> None:
        self.issues = True
        """Whether it knows tickets; labs of the version before do not."""
        self.seconds = 900.0
        self.tickets: dict[str, list[str]] = defaultdict(list)
        self.described: list[dict[str, Any]] = []
        self.parts: list[tuple[str, str]] = []
        """Path and `Authorization` of each."""
        self.received = 0
        """Bytes of bodies of the test's own calls."""
        self.cut = 0
        """Such calls that ended before they were complete."""
        self.reads = threading.Event()
        self.reads.set()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                return

            def do_POST(self) -> None:
                stand_in._post(self)

            def do_GET(self) -> None:
                stand_in._get(self)

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *args: Any) -> None:
                return

        self._http = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        serve_in_thread(self._http)

    def _post(self, call: BaseHTTPRequestHandler) -> None:
        path, query = urlsplit(call.path).path, urlsplit(call.path).query
        length = int(call.headers.get("Content-Length", 0))
        if "own" in query:
            self._receive(call, length)
            return
        body = call.rfile.read(length)
        authorization = str(call.headers.get("Authorization"))
        if path.endswith("/ticket"):
            if not self.issues:
                _answer(call, 403, b'{"message": "not available"}')
                return
            kernel_id = path.split("/")[-2]
            self.described.append({"id": kernel_id, **json.loads(body)})
            tickets = self.tickets[kernel_id]
            tickets.append(f"{kernel_id}-{len(tickets)}")
            answer = {"ticket": tickets[-1], "seconds": self.seconds}
            _answer(call, 200, json.dumps(answer).encode())
            return
        known = any(
            authorization == f"Bearer {one}" for some in self.tickets.values() for one in some
        )
        self.parts.append((path, authorization))
        _answer(call, 204 if known or not self.issues else 401)

    def _receive(self, call: BaseHTTPRequestHandler, length: int) -> None:
        left = length
        while left:
            self.reads.wait()
            piece = call.rfile.read1(min(left, _PIECE))  # type: ignore[attr-defined]
            if not piece:
                self.cut += 1
                return
            self.received += len(piece)
            left -= len(piece)
        _answer(call, 200, b"all of it")

    def _get(self, call: BaseHTTPRequestHandler) -> None:
        """So many bytes as the query says, or only half of them."""
        _, _, wanted = urlsplit(call.path).query.partition("=")
        length, half = int(wanted.removesuffix("h")), wanted.endswith("h")
        call.send_response(200)
        call.send_header("Content-Length", str(length))
        call.send_header("ETag", '"5"')
        call.end_headers()
        left = length // 2 if half else length
        try:
            while left:
                left -= call.wfile.write(bytes(min(left, _PIECE)))
        except OSError:
            self.cut += 1
        call.close_connection = True

    def stop(self) -> None:
        self.reads.set()
        self._http.shutdown()
        self._http.server_close()


def _answer(call: BaseHTTPRequestHandler, status: int, body: bytes = b"") -> None:
    call.send_response(status)
    if status != 204:
        call.send_header("Content-Length", str(len(body)))
    call.end_headers()
    call.wfile.write(body)
