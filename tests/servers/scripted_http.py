"""An HTTP server whose answers a test can script, one request after the other."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.servers.http_thread import serve_in_thread


@dataclass(frozen=True)
class Request:
    """What a client asked."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    """Their names are in lower case."""


@dataclass(frozen=True)
class Answer:
    """What it gets. `delay` is in seconds; `cut` closes the connection without an answer."""

    status: int = 200
    body: Any = None
    delay: float = 0.0
    cut: bool = False
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class _Script:
    method: str
    path: str
    answers: list[Answer | None]
    forever: bool


class ScriptedServer:
    """Serves `answer`, unless a script says otherwise. `requests` is what was asked so far."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        self._scripts: list[_Script] = []
        self._closed = threading.Event()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: Any) -> None:
                return

            def _serve(self) -> None:
                server._serve(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _serve

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        serve_in_thread(self._http)

    def script(
        self, method: str, path: str, *answers: Answer | None, forever: bool = False
    ) -> None:
        """The next requests of that method, to paths that contain `path`, get these answers, one
        each; None means the real one. With `forever` the last one goes on."""
        with self.lock:
            self._scripts.append(_Script(method, path, list(answers), forever))

    def end_scripts(self) -> None:
        """From now on every answer is the real one."""
        with self.lock:
            self._scripts.clear()

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of that method to paths that contain `path`."""
        with self.lock:
            return [one for one in self.requests if one.method == method and path in one.path]

    def answer(self, request: Request) -> Answer:
        """The answer of a server that is well."""
        raise NotImplementedError

    def _scripted(self, request: Request) -> Answer | None:
        for script in self._scripts:
            if script.method == request.method and script.path in request.path and script.answers:
                if script.forever and len(script.answers) == 1:
                    return script.answers[0]
                return script.answers.pop(0)
        return None

    def _serve(self, handler: BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        text = handler.rfile.read(length)
        parts = urlsplit(handler.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        body = json.loads(text) if text else None
        headers = {name.lower(): value for name, value in handler.headers.items()}
        request = Request(handler.command, parts.path, query, body, headers)
        with self.lock:
            self.requests.append(request)
            scripted = self._scripted(request)
            answer = scripted if scripted is not None else None
            if answer is None:
                answer = self.answer(request)
        if answer.delay:
            self._closed.wait(answer.delay)
        if answer.cut or self._closed.is_set():
            handler.close_connection = True
            return
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        try:
            handler.send_response(answer.status)
            handler.send_header("Content-Type", answer.content_type)
            handler.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(body)
        except OSError:
            # The client did not wait.
            handler.close_connection = True

    def stop(self) -> None:
        """Ends the server; requests that wait are cut."""
        self._closed.set()
        self._http.shutdown()
        self._http.server_close()


def every(seconds: float, job: Callable[[], None], ended: threading.Event) -> threading.Thread:
    """A thread that does `job` again and again until `ended`."""

    def run() -> None:
        while not ended.wait(seconds):
            job()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread


def now() -> str:
    """The time as clusters write it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
