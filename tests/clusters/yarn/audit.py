"""A proxy in front of the ResourceManager's REST interface that records what gateways ask."""

from __future__ import annotations

import http.client
import re
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

_APPLICATION = re.compile(r"/ws/v1/cluster/apps/(application_\d+_\d+)(/state)?")
_HARMLESS = frozenset({"/cluster", "/ws/v1/cluster/info"})


@dataclass(frozen=True)
class Call:
    """What a gateway asked; `query` has each value of a parameter."""

    method: str
    path: str
    query: dict[str, list[str]]
    body: str


def violation(call: Call, others: set[str]) -> str | None:
    """What is wrong with a call, None if it is one that a gateway may make. `others` are the ids of
    the applications that are no kernels."""
    words = f"{call.method} {call.path} {call.query} {call.body}".strip()
    if call.method == "GET" and call.path in _HARMLESS:
        return None
    if call.path == "/ws/v1/cluster/apps":
        tags = ",".join(call.query.get("applicationTags", [])).split(",")
        if call.method == "GET" and all(tag.startswith("fleet-launch-") for tag in tags):
            return None
        return f"a list that is not of the tags of launches: {words}"
    application = _APPLICATION.fullmatch(call.path)
    if application is None:
        return f"not a documented call: {words}"
    if application.group(1) in others:
        return f"an application that is no kernel: {words}"
    changes = call.method == "PUT" and application.group(2) and '"KILLED"' in call.body
    if call.method != "GET" and not changes:
        return f"not a documented change: {words}"
    return None


class RecordingProxy:
    """Passes everything on to a server on this machine, and remembers it."""

    def __init__(self, target: str) -> None:
        self.calls: list[Call] = []
        self._target = urlsplit(target)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                return

            def _serve(self) -> None:
                proxy._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = _serve

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_address[1]}"
        threading.Thread(target=self._http.serve_forever, daemon=True).start()

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        parts = urlsplit(handler.path)
        query = parse_qs(parts.query, keep_blank_values=True)
        self.calls.append(Call(handler.command, parts.path, query, body.decode()))
        headers = {
            name: value
            for name, value in handler.headers.items()
            if name.lower() not in ("host", "connection", "accept-encoding")
        }
        connection = http.client.HTTPConnection(self._target.netloc, timeout=30)
        try:
            connection.request(handler.command, handler.path, body, headers)
            answer = connection.getresponse()
            content = answer.read()
            handler.send_response(answer.status)
            handler.send_header("Content-Type", answer.headers.get("Content-Type", "text/plain"))
            handler.send_header("Content-Length", str(len(content)))
            handler.end_headers()
            handler.wfile.write(content)
        except (OSError, http.client.HTTPException):
            # As if the ResourceManager itself were away.
            handler.close_connection = True
        finally:
            connection.close()

    def stop(self) -> None:
        """Ends the proxy."""
        self._http.shutdown()
        self._http.server_close()
