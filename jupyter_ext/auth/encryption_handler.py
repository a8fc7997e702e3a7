"""`/api/fleet/encryption`: with which keys the tokens of logins are encrypted."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.error_body import ErrorBody
from jupyter_ext.logins.login_tokens import LoginTokens
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.wire.routes import ENCRYPTION_ROUTE, pattern_of


class EncryptionHandler(ErrorBody, APIHandler):
    """For services: `jupyter fleet secrets`."""

    def initialize(self, tokens: LoginTokens) -> None:
        self._tokens = tokens

    @web.authenticated
    async def get(self) -> None:
        """`{"values": {KEY ID: how many}}`."""
        try:
            found = await self._tokens.count()
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        self.finish(json.dumps({"values": found}))

    @web.authenticated
    async def post(self) -> None:
        """The same, after all were encrypted with the newest key."""
        try:
            found = await self._tokens.renew()
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        self.finish(json.dumps({"values": found}))


def handlers(tokens: LoginTokens) -> list[tuple[Any, ...]]:
    """The route of encrypted tokens."""
    return [(pattern_of(ENCRYPTION_ROUTE), EncryptionHandler, {"tokens": tokens})]
