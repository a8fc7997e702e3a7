"""Whoever is signed in with a browser is asked before a link signs in somebody else there."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application

from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.login import FleetLoginHandler
from jupyter_ext.auth.sign_in_question import question
from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys

TYPED, LED = "none", "cross-site"


@pytest.mark.parametrize("led", [False, True])
def test_the_question_names_who_is_signed_in_and_who_would_be(led: bool) -> None:
    asked = question("Bob", "Ann", led=led)
    assert "This browser is signed in as Ann" in asked
    assert "Bob can see what you do" in asked
    assert ("A link has led you here." in asked) is led


def test_nobody_is_asked_who_opens_a_link_in_a_browser_of_nobody_else() -> None:
    assert question("Bob", "", led=False) == ""
    assert question("Bob", "", led=True).startswith("A link has led you here. If you did not")


class Codes:
    """Every code has this token."""

    def __init__(self, token: str) -> None:
        self.token = token

    async def look(self, code: str) -> str:
        return self.token


async def answer(
    folder: Path, kind: str, *, now: str | None, site: str, monkeypatch: pytest.MonkeyPatch
) -> tuple[str, bool]:
    """What a browser gets that opens a link of bob's while `now` is signed in there: the page, and
    whether bob is signed in at once."""
    create_keys(folder / "private.pem", folder / "jwks.json")
    token = TokenSigner(folder / "private.pem").sign("bob", {"demo": "editor"}, 600)
    signed_in: list[Identity] = []

    async def sign_in(_: object, __: object, identity: Identity) -> None:
        signed_in.append(identity)

    monkeypatch.setattr(FleetIdentityProvider, "sign_in", sign_in)
    provider = FleetIdentityProvider(verifier=TokenVerifier(folder / "jwks.json"))
    monkeypatch.setattr(FleetIdentityProvider, "codes", Codes(token))
    connection = MagicMock()
    connection.context.protocol = "http"
    headers = HTTPHeaders({"Host": "h", "Sec-Fetch-Site": site})
    value = token if kind == "token" else "c"
    line = RequestStartLine("GET", f"/login?{kind}={value}", "HTTP/1.1")
    request = HTTPServerRequest(headers=headers, connection=connection, start_line=line)
    app = Application(base_url="/", cookie_secret="s" * 32, identity_provider=provider)
    handler: Any = FleetLoginHandler(app, request)
    said: list[str] = []
    monkeypatch.setattr(handler, "finish", lambda chunk=None: said.append(chunk or ""))
    handler.current_user = None
    if now is not None:
        identity = Identity(now, now.title(), {}, None, time.time() + 60, "t")
        handler.current_user = FleetUser.of(identity)
    await handler.get()
    return "".join(said), bool(signed_in)


@pytest.mark.parametrize("kind", ["token", "code"])
@pytest.mark.parametrize("site", [TYPED, LED])
async def test_a_link_asks_in_a_browser_of_somebody_else(
    tmp_path: Path, kind: str, site: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, at_once = await answer(tmp_path, kind, now="ann", site=site, monkeypatch=monkeypatch)
    assert not at_once
    assert "Sign in as bob?" in page
    assert "This browser is signed in as Ann" in page
    assert "submit()" not in page


@pytest.mark.parametrize("now", [None, "bob"])
async def test_a_typed_link_asks_nobody_else(
    tmp_path: Path, now: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, at_once = await answer(tmp_path, "token", now=now, site=TYPED, monkeypatch=monkeypatch)
    assert at_once


@pytest.mark.parametrize("now", [None, "bob"])
async def test_a_typed_code_asks_nobody_else(
    tmp_path: Path, now: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, _ = await answer(tmp_path, "code", now=now, site=TYPED, monkeypatch=monkeypatch)
    assert "submit()" in page
