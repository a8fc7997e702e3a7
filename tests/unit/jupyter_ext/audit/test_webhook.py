"""Events reach a webhook that is away for a while, in order; it holds nobody up."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.audit.webhook import MOST_AT_ONCE, Webhook, poster
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.servers.http_thread import serve_in_thread

LOG = logging.getLogger("test")


class Receiver:
    """A webhook whose answers a test chooses."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[int] = []
        self.asked = 0
        self.open = threading.Event()
        self.open.set()

    def names(self) -> list[str]:
        return [one["name"] for body in self.bodies for one in body["events"]]

    def handler(self) -> type[BaseHTTPRequestHandler]:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.asked += 1
                receiver.open.wait(20)
                status = receiver.answers.pop(0) if receiver.answers else 204
                if status < 300:
                    receiver.bodies.append(body)
                    receiver.headers.append(dict(self.headers))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", self.path)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *arguments: object) -> None:
                pass

        return Handler


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def url(receiver: Receiver) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), receiver.handler())
    serve_in_thread(server)
    yield f"http://127.0.0.1:{server.server_port}/audit"
    server.shutdown()
    server.server_close()


def webhook(url: str, token_file: str = "", **options: Any) -> Webhook:
    made = Webhook(poster(url, token_file), LOG, first_pause=0.01, **options)
    made.setFormatter(logging.Formatter('{"name": "%(message)s"}'))
    return made


def send(to: Webhook, *names: str) -> None:
    for name in names:
        to.emit(logging.LogRecord("x", logging.INFO, "", 0, name, None, None))


def test_events_come_in_order_with_the_operators_token(
    receiver: Receiver, url: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("of the receiver\n")
    hook = webhook(url, str(tmp_path / "token"))
    names = [str(number) for number in range(MOST_AT_ONCE + 20)]
    send(hook, *names)
    wait_until(lambda: receiver.names() == names)
    hook.close()
    assert receiver.headers[0]["Authorization"] == "Bearer of the receiver"


def test_what_is_not_taken_is_sent_again(receiver: Receiver, url: str) -> None:
    receiver.answers = [500, 503, 429, 302]
    hook = webhook(url)
    send(hook, "a", "b")
    wait_until(lambda: receiver.names() == ["a", "b"])
    hook.close()


def test_what_the_receiver_refuses_keeps_nothing_else_out(
    receiver: Receiver, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.answers = [413]
    hook = webhook(url)
    send(hook, "too large")
    wait_until(lambda: receiver.asked == 1)
    send(hook, "next")
    wait_until(lambda: receiver.names() == ["next"])
    hook.close()
    assert "1 events are lost: it refuses them (413)" in caplog.text


def test_of_too_many_the_newest_are_lost_and_counted(receiver: Receiver, url: str) -> None:
    receiver.open.clear()
    hook = webhook(url, room=5)
    send(hook, *(str(number) for number in range(5)))
    wait_until(lambda: receiver.asked == 1)
    send(hook, "lost", "lost too")
    receiver.open.set()
    wait_until(lambda: len(receiver.names()) == 5)
    send(hook, "later")
    wait_until(lambda: receiver.names()[-1] == "later")
    hook.close()
    assert sum(body["lost"] for body in receiver.bodies) == 2


def test_an_end_does_not_wait_for_a_webhook_that_is_away() -> None:
    hook = webhook("http://127.0.0.1:1/audit")
    send(hook, "a")
    hook.close()
    assert not hook._thread.is_alive()
