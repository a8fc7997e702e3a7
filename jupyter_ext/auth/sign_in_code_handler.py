"""`/api/fleet/sign-in-codes`: the platform's server lets its user's browser in."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.auth.user import current_identity
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.logins.sign_in_codes import CODE_SECONDS, MOST_SECONDS, SignInCodes
from jupyter_ext.wire.routes import SIGN_IN_CODES_ROUTE, pattern_of


def wanted_seconds(body: object) -> int:
    """How long a code is to be valid; raises 400."""
    wanted = CODE_SECONDS
    if body is not None:
        wanted = body.get("seconds", CODE_SECONDS) if isinstance(body, dict) else 0
    if type(wanted) is not int or not 1 <= wanted <= MOST_SECONDS:
        raise web.HTTPError(400, f'say {{"seconds": N}} with 1 to {MOST_SECONDS}, or send no body')
    return wanted


class SignInCodeHandler(ErrorBody, APIHandler):
    """Gives a code for the token of the call."""

    @web.authenticated
    async def post(self) -> None:
        """`201` and `{"code", "seconds"}`. The body may say `{"seconds"}`."""
        identity = current_identity()
        if identity is None or identity.service or not self.token_authenticated:
            raise web.HTTPError(403, "a code is given to the platform, for a user's token")
        seconds = wanted_seconds(self.get_json_body())
        codes: SignInCodes = self.identity_provider.codes  # type: ignore[attr-defined]
        try:
            code = await codes.make(identity, seconds)
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        self.set_status(201)
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"code": code, "seconds": seconds}))


handlers: list[tuple[Any, ...]] = [(pattern_of(SIGN_IN_CODES_ROUTE), SignInCodeHandler)]
