"""Whoever says nothing of themselves sends short bodies."""

import pytest
from tornado.httputil import HTTPHeaders

from jupyter_ext.auth.strangers_bodies import says_who


@pytest.mark.parametrize(
    ("path", "headers", "said"),
    [
        ("/login", {}, False),
        ("/login?next=token%3D", {}, False),
        ("/token=/x", {}, False),
        ("/api/contents/demo/a", {"Content-Length": "60000000"}, False),
        ("/api/contents/demo/a", {"Authorization": "Bearer x"}, True),
        ("/api/contents/demo/a", {"cookie": "jupyter-fleet-session=x"}, True),
        ("/api/contents/demo/a?token=x", {}, True),
    ],
)
def test_who_says_who_they_are(path: str, headers: dict[str, str], said: bool) -> None:
    assert says_who(path, HTTPHeaders(headers)) is said
