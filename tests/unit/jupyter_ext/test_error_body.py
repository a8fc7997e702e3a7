"""The body of answers to requests that fail."""

import json
from typing import Any

import pytest
from tornado import web

from jupyter_ext.error_body import ErrorBody
from jupyter_ext.kernels.launches import StillLaunching


class Answer:
    """Keeps what a handler answers."""

    _reason = "Service Unavailable"

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.body: Any = None

    def set_header(self, name: str, value: str) -> None:
        self.headers[name] = value

    def finish(self, text: str) -> None:
        self.body = json.loads(text)

    def write_error(self, status_code: int, **arguments: Any) -> None:
        self.body = "stock"


class Handler(ErrorBody, Answer):
    pass


def answered(error: Exception, status: int = 500) -> Handler:
    handler = Handler()
    handler.write_error(status, exc_info=(type(error), error, None))
    return handler


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (web.HTTPError(400, "pulling at 40% of 100%"), "pulling at 40% of 100%"),
        (web.HTTPError(400, "%s of %d%%", "some", 7), "some of 7%"),
        (web.HTTPError(503), "Service Unavailable"),
    ],
)
def test_messages_are_as_they_were_written(error: web.HTTPError, message: str) -> None:
    assert answered(error, error.status_code).body == {"message": message, "reason": None}


def test_an_error_s_own_body_is_the_answer_and_503_says_when_to_try_again() -> None:
    launching = StillLaunching({"id": "k", "launch": {"message": "40%"}})
    handler = answered(launching, 503)
    assert handler.body == {
        "message": "the kernel is still being started: 40%",
        "reason": "40%",
        "kernel_id": "k",
    }
    assert handler.headers == {"Content-Type": "application/json", "Retry-After": "1"}
    assert "Retry-After" not in answered(web.HTTPError(409, "no"), 409).headers


def test_what_nobody_expects_is_answered_as_by_the_stock_handlers() -> None:
    assert answered(ValueError("x")).body == "stock"
