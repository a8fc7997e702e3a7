"""What a browser says that labs of the version before have signed out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, cast
from unittest.mock import MagicMock

import pytest
from jupyter_server.services.api.handlers import IdentityHandler
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import Application, HTTPError

from jupyter_ext.auth import earlier_cookie, lab_secrets
from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.logins.logins import Logins
from jupyter_ext.logins.renewals import Renewals
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.tokens import Identity, TokenVerifier, create_keys

ADA = Identity("ada", "Ada", {}, None, time.time() + 3600, "t")


class OneLogin(Logins):
    """Without a database: there is a login under each ID until it is ended."""

    def __init__(self, folder: Path) -> None:
        create_keys(folder / "private.pem", folder / "jwks.json")
        create_keys_file(folder / "keys.json")
        self.verifier = TokenVerifier(folder / "jwks.json")
        self.box = SecretBox(folder / "keys.json")
        super().__init__(MagicMock(), self.box, self.verifier)
        self.ends = 0

    async def find(self, session_id: str, copy: str | None) -> Identity:
        return ADA

    async def end(self, session_id: str) -> None:
        self.ends += 1


async def call(logins: OneLogin, cookies: str, *, earlier: bool, site: str) -> Any:
    """Of `/api/me`, with a login."""

    async def earlier_labs() -> bool:
        return earlier

    provider = FleetIdentityProvider(
        logins=logins,
        renewals=Renewals(MagicMock(), logins.box, logins.verifier, logins),
        verifier=logins.verifier,
        earlier_labs=earlier_labs,
    )
    own = f"{provider.cookie_name}=id; {cookies}"
    headers = HTTPHeaders({"Host": "h", "Cookie": own, "Sec-Fetch-Site": site})
    connection = MagicMock()
    connection.context.protocol = "http"
    line = RequestStartLine("GET", "/api/me", "HTTP/1.1")
    request = HTTPServerRequest(headers=headers, connection=connection, start_line=line)
    settings: dict[str, Any] = {lab_secrets.SETTING: MagicMock(all=lambda own: (own,))}
    app = Application(base_url="/", cookie_secret="s" * 32, identity_provider=provider, **settings)
    return await provider.get_user(cast(Any, IdentityHandler)(app, request))


MARK = f"{earlier_cookie.MARK}=1"


@pytest.mark.parametrize(
    ("cookies", "earlier", "site", "refused"),
    [
        (MARK, True, "same-origin", 401),
        # A call that another port makes ends nothing.
        (MARK, True, "same-site", 403),
        (MARK, False, "same-origin", None),
        (MARK, False, "same-site", 403),
        (f"{MARK}; {earlier_cookie.NAME}=x", True, "same-origin", None),
    ],
)
async def test_a_mark_ends_a_login_only_while_earlier_labs_live_and_for_the_own_page(
    tmp_path: Path, cookies: str, earlier: bool, site: str, refused: int | None
) -> None:
    logins = OneLogin(tmp_path)
    if refused:
        with pytest.raises(HTTPError) as error:
            await call(logins, cookies, earlier=earlier, site=site)
        assert error.value.status_code == refused
    else:
        assert (await call(logins, cookies, earlier=earlier, site=site)).username == "ada"
    assert logins.ends == (refused == 401)
