"""The front's configuration in a real nginx, before servers that die at chosen moments."""

import gzip
import http.client
import json
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
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


SCRIPT = b"console.log('one more line of a script');\n" * 1000
STATIC = {
    "/static/lab/main.8811dd2733d03721.js?v=1": ("text/javascript", SCRIPT, "no-cache"),
    "/lab/extensions/x/static/style.js": ("text/javascript", SCRIPT, "no-cache"),
    "/lab/extensions/@x/y/static/12.8811dd2733d03721.js": ("text/javascript", SCRIPT, "no-cache"),
    "/lab/api/themes/@x/y/index.css": ("text/css", SCRIPT, "no-cache"),
    "/lab/api/translations/en": ("application/json", SCRIPT, "no-store"),
    "/lab/api/translations/static/8811dd2733d03721.js": ("text/javascript", SCRIPT, "no-store"),
    "/lab/api/settings": ("application/json", SCRIPT, "no-store"),
    "/lab/api/settings/x": ("application/json", SCRIPT, "no-store"),
    "/lab/api/workspaces/static/a.8811dd2733d03721.js": ("application/json", SCRIPT, "no-store"),
    "/lab": ("text/html", SCRIPT, "no-store"),
    "/login?next=x": ("text/html", SCRIPT, "no-store"),
    "/api/contents/demo/a.json": ("application/json", SCRIPT, "no-store"),
    "/files/demo/a.js": ("text/javascript", SCRIPT, "no-store"),
}

PUBLIC = ("/static/", "/lab/extensions/", "/lab/api/themes/", "/lab/api/translations/")


class Backend:
    """A server that counts requests and, when told so, hangs up after it has read one."""

    def __init__(self, port: int) -> None:
        self.requests: list[tuple[str, bytes]] = []
        self.paths: list[str] = []
        self.schemes: list[str] = []
        self.hangs_up = False
        self.silent_seconds = 0.0
        self.redirects = False
        self.is_busy = False
        backend = self

        class Handler(BaseHTTPRequestHandler):
            def do(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if self.path == "/api/me":
                    # The front asks who sends a long body.
                    self.send_response(200)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                backend.requests.append((self.command, body))
                backend.paths.append(self.path)
                backend.schemes.append(self.headers["X-Forwarded-Proto"])
                time.sleep(backend.silent_seconds)
                if backend.is_busy:
                    self.send_response(503)
                    self.send_header("Retry-After", "10")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if backend.redirects:
                    self.send_response(302)
                    self.send_header("Location", "/login")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                if self.path in STATIC:
                    content_type, body, cache = STATIC[self.path]
                    self.send_response(200)
                    self.send_header("Content-Type", content_type)
                    self.send_header("Content-Length", str(len(body)))
                    self.send_header("Cache-Control", cache)
                    self.end_headers()
                    self.wfile.write(body)
                    return
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
        serve_in_thread(self.server)

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
        text = front_config(TEMPLATE.read_text(), settings, data_dir, as_root=os.geteuid() == 0)
        data_dir.front_config.write_text(with_short_times(text))
        process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-p", data_dir.front, "-c", data_dir.front_config],
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr,
        )
        try:
            wait_until("nginx listens", lambda: answers(front))
            yield front, first, second
        finally:
            # Killed, it would leave its worker behind.
            process.terminate()
            process.wait()


def with_short_times(text: str) -> str:
    """The configuration with one second wherever it waits for longer, so that tests need not."""
    for long, short in (
        ("proxy_next_upstream_timeout 10s;", "proxy_next_upstream_timeout 500ms;"),
        ("proxy_read_timeout 3600s;", "proxy_read_timeout 1100ms;"),
        ("proxy_read_timeout 3s;", "proxy_read_timeout 400ms;"),
        ("proxy_read_timeout 10s;", "proxy_read_timeout 1100ms;"),
        ("proxy_connect_timeout 2s;", "proxy_connect_timeout 500ms;"),
        ('"~[1-9][0-9]+\\." 1;', '"~[1-9][0-9]*\\." 1;'),
    ):
        assert long in text
        text = text.replace(long, short)
    return text


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


def ask(
    port: int, method: str, body: bytes | None = None, path: str = "/api/contents/demo/a", **headers
) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request(method, path, body, headers)
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


@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
def test_a_lab_says_itself_when_to_try_again(front, backends, method):
    port, first, second = front
    labs = [backends(first), backends(second)]
    body = b"x" if method != "GET" else None
    answer = ask(port, method, body)
    assert (answer.status, answer.headers.get_all("Retry-After")) == (200, None)
    for lab in labs:
        lab.is_busy = True
    answer = ask(port, method, body)
    assert (answer.status, answer.headers.get_all("Retry-After")) == (503, ["10"])


def test_labs_know_that_a_proxy_before_the_front_has_ended_tls(front, backends):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for said in ({}, {"X-Forwarded-Proto": "https"}, {"X-Forwarded-Proto": "gopher"}):
        assert ask(port, "GET", **said).status == 200
    schemes = [scheme for lab in labs for scheme in lab.schemes]
    assert sorted(schemes) == ["http", "http", "https"]


def test_a_ticket_with_a_long_path_fits_and_longer_headers_are_refused(front, backends):
    port, first, _ = front
    lab, path = backends(first), "/api/fleet/kernels/k-1/journal"
    for length, status in ((25_000, 200), (40_000, 400)):
        answer = ask(port, "POST", b"part", path, Authorization=f"Bearer {'t' * length}")
        assert answer.status == status
    assert lab.requests == [("POST", b"part")]


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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/lab/api/licenses/?bundles=x"),
        ("GET", "/api/contents"),
        ("GET", "/login?next=y"),
        ("PUT", "/api/contents/demo/a"),
    ],
)
def test_what_a_lab_was_silent_about_is_not_sent_to_the_next(front, backends, method, path):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for lab in labs:
        lab.silent_seconds = 2.0
    answer = ask(port, method, b"x" if method == "PUT" else None, path)
    if method == "GET":
        assert answer.status == 504
        assert json.loads(answer.read())["reason"] == "lab_silent"
        assert "Retry-After" not in answer.headers
    else:
        assert (answer.status, json.loads(answer.read())["reason"]) == (502, "lab_ended")
    assert sum(len(lab.requests) for lab in labs) == 1


def test_what_a_lab_was_killed_at_after_long_silence_is_not_sent_to_the_next(front, backends):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for lab in labs:
        lab.silent_seconds, lab.hangs_up = 1.3, True
    assert ask(port, "GET").status == 504
    assert sum(len(lab.requests) for lab in labs) == 1


PARTS_OF_A_PAGE = [
    "/",
    "/lab",
    "/lab/tree/demo/a.ipynb",
    "/doc/workspaces/x",
    "/static/lab/main.js",
    "/lab/extensions/x/static/style.js",
    "/lab/api/settings",
]
FOR_A_PERSON = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.mark.parametrize("path", PARTS_OF_A_PAGE)
def test_a_page_and_its_parts_come_from_the_next_lab_when_one_is_silent(front, backends, path):
    port, first, second = front
    stuck, good = backends(first), backends(second)
    stuck.silent_seconds = 3.0
    for _ in range(4):
        assert ask(port, "GET", path=path).status == 200
    assert len(good.requests) == 4
    # Only one of them has waited for it.
    assert len(stuck.requests) == 1


@pytest.mark.parametrize("path", ["/lab", "/lab/api/settings"])
def test_a_page_comes_from_labs_that_are_all_slow(front, backends, path):
    port, first, second = front
    for lab in (backends(first), backends(second)):
        lab.silent_seconds = 0.7
    answer = ask(port, "GET", path=path)
    assert (answer.status, answer.read()) == (200, SCRIPT)


def test_a_change_of_settings_is_not_sent_to_the_next_lab(front, backends):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for lab in labs:
        lab.silent_seconds = 2.0
    answer = ask(port, "PUT", b"x", "/lab/api/settings/a:b", **FOR_A_PERSON)
    assert (answer.status, json.loads(answer.read())["reason"]) == (502, "lab_ended")
    assert sum(len(lab.requests) for lab in labs) == 1


def test_a_person_reads_a_page_that_loads_itself_again_while_labs_are_silent(front, backends):
    port, first, second = front
    for lab in (backends(first), backends(second)):
        lab.silent_seconds = 2.0
    answer = ask(port, "GET", path="/lab/tree/demo", **FOR_A_PERSON)
    text = answer.read().decode()
    assert (answer.status, answer.headers["Content-Type"]) == (504, "text/html; charset=utf-8")
    assert "does not answer right now" in text
    assert '<meta http-equiv="refresh"' in text
    told = ask(port, "GET", path="/lab/api/settings")
    assert (told.status, json.loads(told.read())["reason"]) == (504, "lab_silent")


def test_what_may_have_stopped_a_lab_is_not_asked_for_again_by_the_page(front, backends):
    port, first, second = front
    labs = [backends(first), backends(second)]
    for lab in labs:
        lab.silent_seconds = 2.0
    answer = ask(port, "GET", path="/files/demo/b", **FOR_A_PERSON)
    text = answer.read().decode()
    assert answer.status == 504
    assert "does not answer right now" in text
    assert "refresh" not in text
    assert sum(len(lab.requests) for lab in labs) == 1


@pytest.mark.parametrize("path", ["/lab", "/files/demo/b", "/login"])
def test_a_person_reads_a_page_that_loads_itself_again_without_a_lab(front, path):
    answer = ask(front[0], "GET", path=path, **FOR_A_PERSON)
    assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
    assert '<meta http-equiv="refresh"' in answer.read().decode()


def test_the_front_says_that_it_lives_whatever_labs_do(front):
    port, *_ = front
    assert ask(port, "GET", path="/front-health").status == 204


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_lab_that_takes_no_connection_is_passed_over(front, backends, method):
    port, first, second = front
    backend = backends(second)
    with socket.socket() as frozen:
        frozen.bind(("127.0.0.1", first))
        frozen.listen(0)
        # Its queue is full: nobody gets a connection, and nobody is refused.
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", first))
        assert select.select([], waiting[:1], [], 10)[1]
        for _ in range(3):
            assert ask(port, method, b"x" if method == "PUT" else None).status == 200
        for one in waiting:
            one.close()
    assert len(backend.requests) == 3


@pytest.mark.parametrize("path", STATIC)
def test_what_pages_are_made_of_is_compressed_and_nothing_else(front, backends, path):
    port, first, _ = front
    backends(first)
    compressed = path.startswith(PUBLIC)
    answer = ask(port, "GET", path=path, **{"Accept-Encoding": "gzip"})
    assert answer.headers.get("Content-Encoding") == ("gzip" if compressed else None)
    body = answer.read()
    assert (gzip.decompress(body) if compressed else body) == SCRIPT
    named_by_its_content = "8811dd2733d03721" in path and "/api/" not in path
    cache = "max-age=31536000, immutable" if named_by_its_content else STATIC[path][2]
    assert answer.headers.get_all("Cache-Control") == [cache]
    plain = ask(port, "GET", path=path)
    assert (plain.headers.get("Content-Encoding"), plain.read()) == (None, SCRIPT)


def test_a_redirect_to_the_login_is_not_kept_in_place_of_the_file(front, backends):
    port, first, _ = front
    backends(first).redirects = True
    answer = ask(port, "GET", path="/lab/extensions/x/static/main.8811dd2733d03721.js")
    assert answer.status == 302
    assert answer.headers.get_all("Cache-Control") is None


def test_a_stream_is_passed_on_as_it_comes(front):
    port, first, _ = front
    with socket.create_server(("127.0.0.1", first)) as lab:
        browser = socket.create_connection(("127.0.0.1", port), 10)
        browser.sendall(b"GET /api/stream HTTP/1.1\r\nHost: h\r\nAccept-Encoding: gzip\r\n\r\n")
        connection, _ = lab.accept()
        with connection, browser:
            connection.recv(10_000)
            connection.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                b"X-Accel-Buffering: no\r\n\r\n"
            )
            for event in (b"data: 1\n\n", b"data: 2\n\n"):
                connection.sendall(event)
                received = b""
                while event not in received:
                    part = browser.recv(1000)
                    assert part, received
                    received += part
