"""What a page must send against forged requests belongs to its login."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError, RequestHandler

from jupyter_ext.auth.bound_xsrf import HEADER, bind_xsrf, renew_xsrf, tell_xsrf

SECRET = b"of all labs"
NEWER = b"of all labs, since today"


def handler(cookie: str = "", sent: str = "") -> RequestHandler:
    headers = HTTPHeaders({"Host": "h", "Cookie": f"_xsrf={cookie}", "X-XSRFToken": sent})
    start = RequestStartLine("POST", "/", "HTTP/1.1")
    request = HTTPServerRequest(start_line=start, headers=headers, connection=Mock())
    made = RequestHandler(Application(), request)
    made.current_user = "ada"
    return made


def token_of(session_id: str, secret: bytes = SECRET) -> str:
    made = handler()
    assert not bind_xsrf(made, [secret], session_id)
    return made.xsrf_token.decode()


def test_the_token_of_a_login_is_accepted_at_every_lab() -> None:
    token = token_of("a")
    asked = handler(token, token)
    assert bind_xsrf(asked, [SECRET], "a"), "the browser has it"
    asked.check_xsrf_cookie()


def test_what_an_answer_tells_is_accepted_whatever_is_in_the_cookie() -> None:
    answered = handler("another fleet's")
    tell_xsrf(answered, [SECRET], "a")
    told = answered._headers[HEADER]
    for cookie in ("another fleet's", token_of("b"), ""):
        # Also by a lab that has a newer secret meanwhile.
        for secrets in ([SECRET], [NEWER, SECRET]):
            asked = handler(cookie, told)
            assert not bind_xsrf(asked, secrets, "a")
            asked.check_xsrf_cookie()


@pytest.mark.parametrize(
    "token", [token_of("b"), token_of("a", b"another fleet's"), "2|11111111|" + "1" * 32 + "|1"]
)
def test_another_token_is_refused_although_the_cookie_is_the_same(token: str) -> None:
    asked = handler(token, token)
    asked.check_xsrf_cookie()
    asked = handler(token, token)
    assert not bind_xsrf(asked, [SECRET], "a")
    with pytest.raises(HTTPError):
        asked.check_xsrf_cookie()


def test_a_browser_that_has_another_token_is_given_its_own() -> None:
    asked = handler(token_of("b"))
    bind_xsrf(asked, [SECRET], "a")
    renew_xsrf(asked, [SECRET], "a")
    given = asked.xsrf_token.decode()
    assert asked._new_cookie["_xsrf"].value == given
    again = handler(given, given)
    assert bind_xsrf(again, [SECRET], "a")
    again.check_xsrf_cookie()


def test_a_page_with_the_token_of_an_older_secret_goes_on_and_gets_the_newest() -> None:
    token = token_of("a")
    asked = handler(token, token)
    assert not bind_xsrf(asked, [NEWER, SECRET], "a")
    renew_xsrf(asked, [NEWER, SECRET], "a")
    asked.check_xsrf_cookie()
    given = asked._new_cookie["_xsrf"].value
    again = handler(given, given)
    assert bind_xsrf(again, [NEWER, SECRET], "a")
    again.check_xsrf_cookie()


def test_a_secret_that_was_dropped_protects_nothing() -> None:
    token = token_of("a")
    asked = handler(token, token)
    assert not bind_xsrf(asked, [NEWER], "a")
    with pytest.raises(HTTPError):
        asked.check_xsrf_cookie()
