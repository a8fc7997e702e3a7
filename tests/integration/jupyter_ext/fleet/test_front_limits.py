"""What strangers cannot take of the front: in a real nginx, before labs that know one token."""

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.fronts import front_config
from jupyter_ext.fleet.settings import Settings
from tests.integration.jupyter_ext.fleet.conftest import wait_until
from tests.servers.http_thread import serve_in_thread
from tests.servers.ports import free_ports

TEMPLATE = Path(__file__).parents[4] / "deploy" / "nginx" / "fleet.conf.template"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
KNOWN = {"Authorization": "Bearer known"}
FORGED = {"Authorization": "Bearer forged"}
OTHER, THIRD = "127.0.0.2", "127.0.0.3"
"""Addresses of others."""
FILE = "/api/contents/demo/a.bin"
LONG = 3_000_000


class KnowingLab(ThreadingHTTPServer):
    """A lab that says who sends the token `known`, and keeps what it was sent."""

    request_queue_size = 500

    def __init__(self, port: int) -> None:
        self.got: list[tuple[str, str, int]] = []
        lab = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do(self) -> None:
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    body = self._chunks()
                else:
                    body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                known = self.headers.get("Authorization") == KNOWN["Authorization"]
                if self.path != "/api/me":
                    lab.got.append((self.command, self.path, len(body)))
                self.send_response(200 if known or self.path != "/api/me" else 401)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def _chunks(self) -> bytes:
                body = b""
                while size := int(self.rfile.readline(), 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            do_GET = do_PUT = do_POST = do

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", port), Handler)
        serve_in_thread(self)


class Front:
    """The front, and the lab behind it."""

    def __init__(self, port: int, lab: KnowingLab, log: Path) -> None:
        self.port, self.lab, self.log = port, lab, log

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
        address: str = "127.0.0.1",
    ) -> tuple[int, str]:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=30, source_address=(address, 0)
        )
        try:
            # Whoever is refused before all was sent reads the answer all the same.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                chunked = body is not None and not isinstance(body, bytes)
                connection.request(method, path, body, headers or {}, encode_chunked=chunked)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def begun(self, sent: bytes, address: str = "127.0.0.1") -> socket.socket:
        """A connection on which only this was sent."""
        found = socket.create_connection(("127.0.0.1", self.port), 30, (address, 0))
        found.sendall(sent)
        return found

    def answers(self) -> bool:
        try:
            return self.call("GET", "/front-health")[0] == 204
        except OSError:
            return False


@contextmanager
def running(change: Callable[[str], str]) -> Iterator[Front]:
    """A front whose configuration was changed for the test."""
    port, behind = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="fleet-front-") as folder, ExitStack() as stack:
        data_dir = DataDir.at(folder)
        data_dir.create()
        settings = Settings(port=port, labs=1, ports={"lab-1": behind})
        text = front_config(TEMPLATE.read_text(), settings, data_dir, as_root=os.geteuid() == 0)
        data_dir.front_config.write_text(change(text))
        lab = KnowingLab(behind)
        stack.callback(lab.server_close)
        stack.callback(lab.shutdown)
        log = stack.enter_context((data_dir.root / "log").open("wb"))
        process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-p", data_dir.front, "-c", data_dir.front_config],
            stdout=log,
            stderr=sys.stderr,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        front = Front(port, lab, Path(log.name))
        wait_until("nginx listens", front.answers)
        yield front


def shorter(text: str) -> str:
    """One second wherever the front waits for what is half sent."""
    return _replaced(
        text,
        ("client_header_timeout 10s;", "client_header_timeout 1s;"),
        ("client_body_timeout 30s;", "client_body_timeout 1s;"),
    )


def narrower(text: str) -> str:
    """Little of what one address may have."""
    return _replaced(
        text,
        ("zone=fleet_calls:4m rate=300r/s;", "zone=fleet_calls:4m rate=5r/s;"),
        ("zone=fleet_calls burst=1500 delay=100;", "zone=fleet_calls burst=20 delay=20;"),
        ("limit_conn fleet_addresses 2000;", "limit_conn fleet_addresses 10;"),
    )


def _replaced(text: str, *changes: tuple[str, str]) -> str:
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture
def front() -> Iterator[Front]:
    with running(lambda text: text) as front:
        yield front


@pytest.mark.parametrize("headers", [{}, FORGED, {"Cookie": "jupyter-fleet-session=x"}])
def test_nobody_reads_long_bodies_of_strangers(front: Front, headers: dict[str, str]) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    # The answer comes though none of the body was sent.
    for length in ("Content-Length: 60000000", "Transfer-Encoding: chunked"):
        for path in (FILE, "/api/contents/demo", "/api/fleet/revocations/x"):
            request = f"PUT {path} HTTP/1.1\r\nHost: x\r\n{head}{length}\r\n\r\n"
            with front.begun(request.encode()) as stranger:
                answer = stranger.recv(4096).decode()
            refused = ("401",) if path.startswith("/api/contents") else ("401", "413")
            assert answer.split()[1] in refused, (path, length)
            assert '"message"' in answer or "\r\n\r\n" in answer
    assert front.lab.got == []


def test_files_of_those_who_are_signed_in_may_be_long(front: Front) -> None:
    assert front.call("PUT", FILE, bytes(LONG), KNOWN)[0] == 200
    assert front.call("PUT", FILE, iter([bytes(LONG), b"more"]), KNOWN)[0] == 200
    assert front.lab.got == [("PUT", FILE, LONG), ("PUT", FILE, LONG + 4)]


def test_anything_else_is_short(front: Front) -> None:
    for path in ("/api/sessions", "/lab/api/workspaces/x", "/login", "/api/kernels"):
        status, body = front.call("POST", path, bytes(LONG), KNOWN)
        assert status == 413, path
        assert json.loads(body)["reason"] == "too_long"
    kept = "/api/fleet/kernels/k-1/journal"
    assert front.call("POST", kept, bytes(8_000_000))[0] == 200
    assert front.call("POST", kept, bytes(9_000_000))[0] == 413
    assert front.lab.got == [("POST", kept, 8_000_000)]


def test_many_calls_without_a_login_are_refused_and_those_with_one_pass(front: Front) -> None:
    answers = Counter(front.call("GET", "/api")[0] for _ in range(500))
    assert set(answers) == {200, 429}
    # A burst, and 50 a second after it.
    assert answers[200] >= 200
    status, body = next(one for one in _calls(front) if one[0] == 429)
    assert json.loads(body)["reason"] == "too_many", status
    assert {front.call("GET", "/api", headers=KNOWN)[0] for _ in range(100)} == {200}
    logged = {line.split()[3] for line in front.log.read_text().splitlines()}
    assert logged == {"200"}


@pytest.mark.parametrize("headers", [{}, FORGED, {"Cookie": "a=b"}])
def test_what_one_address_may_have_is_limited_whatever_it_says(headers: dict[str, str]) -> None:
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    begun = f"POST /login HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 60000\r\n\r\n{{"
    with running(narrower) as front, ExitStack() as stack:
        # They wait for what is not sent.
        slow = [stack.enter_context(front.begun(begun.encode(), OTHER)) for _ in range(15)]
        refused = slow[-1].recv(4096).decode()
        assert refused.startswith("HTTP/1.1 429 ")
        assert json.loads(refused.partition("\r\n\r\n")[2])["reason"] == "too_many"
        answers = Counter(
            front.call("GET", "/api", headers=headers, address=THIRD)[0] for _ in range(50)
        )
        assert answers[429] >= 20
        assert front.call("GET", "/api", headers=KNOWN)[0] == 200


def _calls(front: Front) -> Iterator[tuple[int, str]]:
    for _ in range(1000):
        yield front.call("GET", "/api")


def test_half_sent_requests_end_and_keep_nobody_out() -> None:
    bodies = b"POST /api/sessions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"
    with running(shorter) as front, ExitStack() as stack:
        halves = [
            stack.enter_context(front.begun(sent))
            for sent in [b"", b"GET / HTTP/1.1\r\nX-Long: "] * 200 + [bodies] * 200
        ]
        assert front.call("GET", "/api", headers=KNOWN)[0] == 200
        refused = 0
        for one in halves:
            answer = b""
            with contextlib.suppress(ConnectionResetError):
                while part := one.recv(4096):
                    answer += part
            refused += b" 429 " in answer
        # 128 at a time from one address.
        assert refused >= 200 - 128
    assert not [one for one in front.lab.got if one[0] == "POST"]
