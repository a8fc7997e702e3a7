"""Which requests have a lab look a login up, and so ask the database."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from jupyter_server.base.handlers import APIVersionHandler, FileFindHandler, JupyterHandler
from jupyter_server.services.api.handlers import IdentityHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError

from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.login import FleetLoginHandler
from jupyter_ext.logins.logins import LoginEnded, Logins
from jupyter_ext.logins.renewals import Renewals
from jupyter_ext.output_frame.frame_handler import OutputFrameHandler
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.tokens import TokenVerifier, create_keys


class CountedLogins(Logins):
    """Without a database: counts what is asked of it."""

    def __init__(self, folder: Path) -> None:
        create_keys(folder / "private.pem", folder / "jwks.json")
        create_keys_file(folder / "keys.json")
        self.verifier = TokenVerifier(folder / "jwks.json")
        box = SecretBox(folder / "keys.json")
        super().__init__(MagicMock(), box, self.verifier)
        self.renewals = Renewals(MagicMock(), box, self.verifier, self)
        self.asked = 0

    async def find(self, session_id: str, copy: str | None) -> Any:
        self.asked += 1
        raise LoginEnded("ended")


async def ask(logins: CountedLogins, handler: type[JupyterHandler], path: str) -> None:
    provider = FleetIdentityProvider(
        logins=logins, renewals=logins.renewals, verifier=logins.verifier
    )
    headers = HTTPHeaders(
        {"Host": "h", "Cookie": f"{provider.cookie_name}={secrets.token_urlsafe(32)}"}
    )
    connection = MagicMock()
    connection.context.protocol = "http"
    line = RequestStartLine("GET", path, "HTTP/1.1")
    request = HTTPServerRequest(headers=headers, connection=connection, start_line=line)
    parts: dict[str, Any] = {FileFindHandler: {"path": "/"}, OutputFrameHandler: {"web": True}}
    app = Application(base_url="/", cookie_secret="s" * 32, identity_provider=provider)
    await provider.get_user(handler(app, request, **parts.get(handler, {})))


@pytest.mark.parametrize(
    ("handler", "path", "asked"),
    [
        (APIVersionHandler, "/api", 0),
        (FileFindHandler, "/static/favicons/favicon.ico", 0),
        (OutputFrameHandler, "/fleet/frame", 0),
        # They say who is signed in.
        (FleetLoginHandler, "/login", 1),
        (IdentityHandler, "/api/me", 1),
    ],
)
async def test_what_is_the_same_for_everybody_costs_no_look_up(
    tmp_path: Path, handler: type[JupyterHandler], path: str, asked: int
) -> None:
    logins = CountedLogins(tmp_path)
    if handler is IdentityHandler:
        with pytest.raises(HTTPError, match="ended"):
            await ask(logins, handler, path)
    else:
        await ask(logins, handler, path)
    assert logins.asked == asked
