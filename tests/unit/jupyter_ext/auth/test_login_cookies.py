"""Names and attributes of a login's cookies."""

import time
from typing import Any

import pytest

from jupyter_ext.auth.login_cookies import LONGEST, LoginCookies


class Answer:
    """The part of a request handler that cookies need."""

    def __init__(self, **sent: str) -> None:
        self.sent = sent
        self.set: dict[str, tuple[str, dict[str, Any]]] = {}

    def get_cookie(self, name: str) -> str | None:
        return self.sent.get(name)

    def set_cookie(self, name: str, value: str, **attributes: Any) -> None:
        self.set[name] = (value, attributes)


@pytest.mark.parametrize(
    ("base_url", "secure", "more", "name"),
    [
        ("/", False, {}, "fleet"),
        ("/", True, {}, "__Host-fleet"),
        ("/sub/", True, {}, "__Secure-fleet"),
        ("/", True, {"domain": "example.com"}, "__Secure-fleet"),
        ("/", True, {"Path": "/a"}, "__Secure-fleet"),
        ("/", True, {"SameSite": "None"}, "__Host-fleet"),
    ],
)
def test_under_tls_their_names_have_a_prefix(
    base_url: str, secure: bool, more: dict[str, str], name: str
) -> None:
    cookies = LoginCookies.of("fleet", base_url, secure=secure, more=more)
    assert (cookies.name, cookies.copy_name) == (name, f"{name}-copy")
    answer: Any = Answer()
    cookies.set(answer, "id", 60)
    attributes = answer.set[name][1]
    assert attributes["httponly"] is True
    assert attributes.get("secure", False) is secure
    assert attributes["samesite"] == more.get("SameSite", "Lax")


def test_under_tls_a_cookie_that_any_port_may_set_is_not_read() -> None:
    answer: Any = Answer(fleet="tossed")
    assert LoginCookies.of("fleet", "/", secure=True, more={}).read(answer) == (None, None)


def test_a_cookie_is_cleared_with_the_attributes_that_it_was_set_with() -> None:
    cookies = LoginCookies.of("fleet", "/", secure=True, more={})
    answer, cleared = Answer(), Answer()
    cookies.set(answer, "id", 60)  # type: ignore[arg-type]
    cookies.set_copy(answer, "copy", 60)  # type: ignore[arg-type]
    cookies.clear(cleared)  # type: ignore[arg-type]
    assert cleared.set.keys() == answer.set.keys()
    for name, (value, attributes) in cleared.set.items():
        assert value == ""
        assert attributes.pop("expires") < time.time()
        assert attributes.items() <= answer.set[name][1].items()
        assert answer.set[name][1].keys() - attributes.keys() == {"max_age"}


def test_a_copy_that_browsers_would_drop_is_not_set() -> None:
    cookies = LoginCookies.of("fleet", "/", secure=False, more={})
    answer: Any = Answer()
    assert not cookies.set_copy(answer, "x" * LONGEST, 60)
    assert answer.set == {}
    assert cookies.set_copy(answer, "x" * 3000, 60)
