"""The front's listener for kernels in a real nginx: what it passes on, and what hostile kernels
cannot do with it."""

import http.client
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.fronts import kernel_front_config
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.wire.journal_parts import MOST_PART_BYTES
from tests.integration.jupyter_ext.fleet.conftest import wait_until
from tests.integration.jupyter_ext.fleet.test_front import Backend
from tests.servers.ports import free_ports

TEMPLATE = Path(__file__).parents[4] / "deploy" / "nginx" / "kernels.conf.template"
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
PATH = "/api/fleet/kernels/k-1/journal"


class KernelFront:
    """The listener, and two labs behind it."""

    def __init__(self, port: int, labs: list[Backend]) -> None:
        self.port, self.labs = port, labs

    def call(
        self, method: str = "POST", path: str = PATH, body: bytes | None = b"part", **headers: str
    ) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
        finally:
            connection.close()
        return answer.status

    @property
    def requests(self) -> list[tuple[str, bytes]]:
        return [one for lab in self.labs for one in lab.requests]

    def connected(self, data: bytes = b"") -> socket.socket:
        found = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        found.sendall(data)
        return found

    def answers(self) -> bool:
        try:
            return self.call("GET", "/front-health", None) == 204
        except OSError:
            return False


@contextmanager
def running(change: Callable[[str], str] = lambda text: text) -> Iterator[KernelFront]:
    """A listener whose configuration was changed for the test."""
    port, *ports = free_ports(3)
    with tempfile.TemporaryDirectory(prefix="fleet-kernels-") as folder, ExitStack() as stack:
        data_dir = DataDir.at(folder)
        data_dir.create()
        settings = Settings(ports={"front-kernels": port, "lab-1": ports[0], "lab-2": ports[1]})
        text = kernel_front_config(
            TEMPLATE.read_text(), settings, data_dir, as_root=os.geteuid() == 0
        )
        data_dir.kernel_front_config.write_text(change(text))
        labs = [Backend(one) for one in ports]
        for lab in labs:
            stack.callback(lab.close)
        process = subprocess.Popen(
            [NGINX, "-e", "stderr", "-p", data_dir.front, "-c", data_dir.kernel_front_config],
            stdout=subprocess.DEVNULL,
            stderr=sys.stderr,
        )
        stack.callback(process.wait)
        stack.callback(process.terminate)
        front = KernelFront(port, labs)
        wait_until("nginx listens", front.answers)
        yield front


@pytest.fixture
def front() -> Iterator[KernelFront]:
    with running() as front:
        yield front


def test_parts_of_journals_go_to_any_lab_and_nothing_else_goes_to_one(front: KernelFront) -> None:
    assert [front.call(body=b"%d" % number) for number in range(4)] == [200] * 4
    assert all(len(lab.requests) == 2 for lab in front.labs)
    before = len(front.requests)
    for method, path in (
        ("GET", PATH),
        ("DELETE", PATH),
        ("POST", "/api/fleet/kernels/k-1/ticket"),
        ("POST", "/api/fleet/kernels/a/b/journal"),
        ("POST", f"{PATH}/x"),
        ("POST", f"/x{PATH}"),
        ("POST", f"{PATH}/../../../../contents"),
        ("POST", "/api/fleet/kernels/k-1/journal%2f.."),
        ("GET", "/"),
        ("GET", "/lab"),
        ("GET", "/api/contents/demo"),
        ("POST", "/api/kernels"),
        ("GET", "/login?token=x"),
        ("GET", "/metrics"),
    ):
        assert front.call(method, path) in (400, 404), (method, path)
    assert len(front.requests) == before


@pytest.mark.parametrize(
    "spelling",
    [
        "/api/contents/demo/../../fleet/kernels/k-1/journal",
        "/api/contents/demo/%2e%2e/%2E%2E/fleet/kernels/k-1/journal",
        "/login/../api/fleet/kernels/k-1/journal",
        "/api/fleet//kernels/k-1/%6aournal?token=x&project=other",
        "http://lab/api/fleet/kernels/k-1/journal",
        "/api/fleet/kernels/k-1/journal%0a",
    ],
)
def test_a_lab_hears_the_path_of_a_journal_whatever_its_spelling(
    front: KernelFront, spelling: str
) -> None:
    assert front.call("POST", spelling) == 200
    assert [path for lab in front.labs for path in lab.paths] == [PATH]


@pytest.mark.parametrize("name", ["..%2f..%2fcontents", "%3Fx", "k%20x", "%C3%A4"])
def test_no_lab_hears_of_what_no_kernel_is_named(front: KernelFront, name: str) -> None:
    assert front.call("POST", f"/api/fleet/kernels/{name}/journal") in (400, 404)
    assert front.requests == []


def test_the_longest_part_passes_and_a_longer_one_is_refused(front: KernelFront) -> None:
    assert front.call(body=bytes(MOST_PART_BYTES)) == 200
    assert front.call(body=bytes(MOST_PART_BYTES + 1)) == 413
    assert [len(body) for _, body in front.requests] == [MOST_PART_BYTES]


def test_a_lab_that_ends_in_a_call_is_followed_by_another_one(front: KernelFront) -> None:
    front.labs[0].hangs_up = True
    assert [front.call() for _ in range(6)] == [200] * 6
    assert front.labs[0].requests


def test_a_ticket_with_a_long_path_fits_and_longer_headers_are_refused(front: KernelFront) -> None:
    assert front.call(Authorization=f"Bearer {'t' * 25_000}") == 200
    assert front.call(Authorization=f"Bearer {'t' * 40_000}") == 400
    with front.connected(b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n") as hostile:
        # Without an end.
        hostile.sendall(b"".join(b"X-Header-%d: %s\r\n" % (n, b"y" * 1000) for n in range(100)))
        assert hostile.recv(100).startswith(b"HTTP/1.1 400")
    assert [len(body) for _, body in front.requests] == [4]


def test_whoever_is_slow_loses_the_connection_and_no_lab_hears_of_it(front: KernelFront) -> None:
    head = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\n"
    with ExitStack() as stack:
        slow = [
            stack.enter_context(front.connected(sent))
            for sent in (b"", b"PO", head, head + b"Content-Length: 100\r\n\r\nab")
        ]
        for connection in slow:
            connection.settimeout(30)
            try:
                # It is ended, with words or without.
                while connection.recv(1000):
                    pass
            except ConnectionResetError:
                continue
    assert front.requests == []


def test_more_calls_than_there_is_room_for_are_refused_at_once(front: KernelFront) -> None:
    head = b"POST " + PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\na"
    with ExitStack() as stack:
        held = [stack.enter_context(front.connected(head)) for _ in range(64)]
        wait_until("all places are taken", lambda: front.call() == 503, 4)
        assert held
    wait_until("they are free again", lambda: front.call() == 200, 20)


def test_ten_thousand_connections_do_not_keep_others_out_for_long(front: KernelFront) -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(10_000, most - 500)
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    held: list[socket.socket] = []
    try:
        begun = time.monotonic()
        while len(held) < wanted and time.monotonic() - begun < 60:
            one = socket.socket()
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", front.port))
            held.append(one)
        # Those who have sent nothing make room, or are ended after five seconds.
        wait_until("a part passes", lambda: _passes(front), 60)
    finally:
        for one in held:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
    assert len(held) == wanted


def _passes(front: KernelFront) -> bool:
    try:
        return front.call() == 200
    except (OSError, http.client.HTTPException):
        return False
