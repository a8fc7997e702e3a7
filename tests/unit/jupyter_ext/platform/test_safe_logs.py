"""What a process logs has no tokens and no control characters."""

import io
import logging
from collections.abc import Iterator

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from jupyter_ext.platform.safe_logs import make_logs_safe, without_tokens

TOKEN = "eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl-_c2ln"


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    before = logging.getLogRecordFactory()
    make_logs_safe()
    make_logs_safe()
    said = io.StringIO()
    logger = logging.Logger("tornado.application")
    logger.addHandler(logging.StreamHandler(said))
    yield logger, said
    logging.setLogRecordFactory(before)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"302 GET /lab?next=%2Flogin%3Ftoken%3D{TOKEN}", "/lab?next=%2Flogin%3Ftoken%3D[secret]"),
        ("GET /?next=%2Flogin%3Fa%3D1%26token%3Dabc%26b%3D2", "%26token%3D[secret]%26b%3D2"),
        ("GET /login?TOKEN=abc&next=/", "/login?TOKEN=[secret]&next=/"),
        ("GET /login?code=abc&state=x", "/login?code=[secret]&state=x"),
    ],
)
def test_a_token_within_an_address_is_hidden(text: str, shown: str) -> None:
    assert without_tokens(text).endswith(shown)


def test_a_request_that_fails_is_logged_without_its_token(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, said = log
    line = RequestStartLine("GET", f"/login?token={TOKEN}&next=%2F", "HTTP/1.1")
    request = HTTPServerRequest(start_line=line, headers=HTTPHeaders({"Host": "lab"}))
    try:
        raise ValueError(f"Unsafe header value {TOKEN}")
    except ValueError:
        # As Tornado does.
        logger.exception("Uncaught exception %s %s\n%r", request.method, request.uri, request)
    assert "/login?token=[secret]&next=%2F" in said.getvalue()
    assert "Unsafe header value [secret]" in said.getvalue()
    assert TOKEN.rpartition(".")[2] not in said.getvalue()


def test_a_name_in_a_message_does_nothing_to_a_terminal(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, said = log
    try:
        raise ValueError("a\x1b[2Jb\x9b")
    except ValueError:
        logger.exception("Uploading %s", "demo/\x1b[31m\r\tä\x07.ipynb")
    assert said.getvalue().startswith("Uploading demo/\\x1b[31m\\x0d\tä\\x07.ipynb\n")
    assert "ValueError: a\\x1b[2Jb\\x9b\n" in said.getvalue()


def test_what_follows_a_line_break_does_not_look_like_another_message(
    log: tuple[logging.Logger, io.StringIO],
) -> None:
    logger, said = log
    forged = "x\n[I 2026-01-01 00:00:00 ServerApp] User eve logged in.\u2028[I 2026-01-01] more"
    logger.warning("Content security violation: %s", forged)
    try:
        raise ValueError(forged)
    except ValueError:
        logger.exception("Failed")
    begun = [line for line in said.getvalue().splitlines() if not line.startswith("    ")]
    assert begun == ["Content security violation: x", "Failed"]


def test_other_messages_stay_as_they_are(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, said = log
    logger.warning("%d%% of %r", 5, "eyes.only.here")
    assert said.getvalue() == "5% of 'eyes.only.here'\n"


@pytest.mark.parametrize("name", ["token", "_xsrf"])
def test_an_argument_that_is_no_token_of_ours_is_hidden_too(name: str) -> None:
    assert without_tokens(f"GET /x?a=b&{name}=abc (::1)") == f"GET /x?a=b&{name}=[secret] (::1)"
