"""The front's configuration in a real nginx, before servers that die at chosen moments."""

import http.client
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from jupyter_ext.fleet.configuration import front_config
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.settings import Settings
from tests.integration.jupyter_ext.fleet.conftest import wait_until
from tests.servers.ports import free_ports

TEMPLATE = Path(__file__).parents[4] / "deploy" / "nginx" / "fleet.conf.template"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")


class Backend:
    """A server that counts requests and, when told so, hangs up after it has read one."""

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.hangs_up = False
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                backend.requests.append((self.command, body))
                if backend.hangs_up:
                    self.connection.close()
                    return
                if self.headers.get("Upgrade"):
                    self.send_response(101)
                    self.send_header("Connection", "upgrade")
                    self.send_header("Upgrade", self.headers["Upgrade"])
                    self.end_headers()
                    self.wfile.write(self.rfile.read1(100))
                    self.close_connection = True
                    return
                self.send_response(200)
                self.send_header("Content-Length", "2")
                self.end_headers()
                self.wfile.write(b"ok")

            do_GET = do_PUT = do_POST = do_DELETE = do_PATCH = do

            def log_message(self, *_: object) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except (OSError, ValueError):
                    return

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def front():
    """A front's port, and the ports of its two labs, behind which nobody is yet."""
    front, first, second = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="fleet-front-") as folder:
        data_dir = DataDir.at(folder)
        data_dir.create()
        settings = Settings(port=front, ports={"lab-1": first, "lab-2": second})
        data_dir.front_config.write_text(front_config(TEMPLATE.read_text(), settings, data_dir))
        process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-p", data_dir.front, "-c", data_dir.front_config],
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr,
        )
        try:
            wait_until("nginx listens", lambda: answers(front))
            yield front, first, second
        finally:
            process.kill()
            process.wait()


@pytest.fixture
def backends():
    """Starts backends and ends them after the test."""
    started: list[Backend] = []

    def start(port: int) -> Backend:
        started.append(Backend(port))
        return started[-1]

    yield start
    for backend in started:
        backend.close()


def answers(port: int) -> bool:
    try:
        return ask(port, "GET").status > 0
    except OSError:
        return False


def ask(port: int, method: str, body: bytes | None = None) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, "/api/contents/demo/a", body)
    return connection.getresponse()


@pytest.mark.parametrize("method", ["GET", "PUT", "POST", "PATCH", "DELETE"])
def test_a_lab_that_refuses_is_passed_over(front, backends, method):
    port, _, second = front
    backend = backends(second)
    body = None if method in ("GET", "DELETE") else b"x" * 3_000_000
    for _ in range(6):
        assert ask(port, method, body).status == 200
    assert backend.requests == [(method, body or b"")] * 6


@pytest.mark.parametrize("method", ["PUT", "POST", "PATCH", "DELETE"])
def test_a_change_that_was_sent_is_not_sent_again(front, backends, method):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for lab in labs:
        lab.hangs_up = True
    answer = ask(port, method, b"x")
    assert answer.status == 502
    assert json.loads(answer.read())["reason"] == "lab_ended"
    assert sum(len(lab.requests) for lab in labs) == 1


def test_a_read_is_sent_again(front, backends):
    port, first, second = front
    bad, good = backends(first), backends(second)
    bad.hangs_up = True
    for _ in range(4):
        assert ask(port, "GET").status == 200
    assert bad.requests
    assert len(good.requests) == 4


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_without_a_lab_the_front_says_try_again(front, method):
    answer = ask(front[0], method, b"x" if method != "GET" else None)
    assert answer.status == 503
    assert answer.headers["Retry-After"] == "1"
    assert json.loads(answer.read())["reason"] == "no_lab"


def test_a_websocket_passes_through(front, backends):
    port, first, _ = front
    backends(first)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest("GET", "/api/kernels/1/channels")
    connection.putheader("Connection", "Upgrade")
    connection.putheader("Upgrade", "websocket")
    connection.endheaders()
    connection.sock.sendall(b"frame")
    received = b""
    while not received.endswith(b"frame"):
        part = connection.sock.recv(1000)
        assert part, received
        received += part
    assert received.startswith(b"HTTP/1.1 101")
