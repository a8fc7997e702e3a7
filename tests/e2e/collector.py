"""A site of an attacker, which writes down all that browsers send it."""

from __future__ import annotations

import ssl
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from tests.servers.http_thread import serve_in_thread

PICTURE = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'


@dataclass(frozen=True)
class Visit:
    """One request."""

    path: str
    """With its query, without escapes."""
    headers: dict[str, str]
    """Their names are in lower case."""
    body: str

    @property
    def kind(self) -> str:
        """The last name in the path: whose output has asked."""
        return self.path.partition("?")[0].rpartition("/")[2]

    @property
    def text(self) -> str:
        """All that somebody could learn from it."""
        return "\n".join([self.path, self.body, *self.headers.values()])


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Browsers break connections off that they have made in advance."""


class Collector:
    """Answers every request with a picture."""

    def __init__(self, host: str, certificate: tuple[str, str] | None = None) -> None:
        """`host`: the name by which browsers find it; `certificate`: its files, for https."""
        self._visits: list[Visit] = []
        self._lock = threading.Lock()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                return

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(length).decode(errors="replace")
                headers = {name.lower(): value for name, value in self.headers.items()}
                with collector._lock:
                    collector._visits.append(Visit(unquote(self.path), headers, body))
                self.send_response(200)
                self.send_header("Content-Type", "image/svg+xml")
                self.send_header("Content-Length", str(len(PICTURE)))
                self.send_header("Access-Control-Allow-Origin", "*")
                self.end_headers()
                self.wfile.write(PICTURE)

            do_GET = do_POST = do_PUT = do_OPTIONS = _serve

        self._http = _Server(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://{host}:{self._http.server_address[1]}"
        serve_in_thread(self._http)

    def visits(self, kind: str | None = None) -> list[Visit]:
        """What has come so far, of all kinds or of one."""
        with self._lock:
            return [one for one in self._visits if kind in (None, one.kind)]

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()
