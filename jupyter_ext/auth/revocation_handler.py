"""`/api/fleet/revocations`: the platform takes tokens back."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import APIHandler
from tornado import web

from jupyter_ext.audit.notes import note
from jupyter_ext.error_body import ErrorBody
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.logins.revocation_watch import RevocationWatch
from jupyter_ext.platform.revocations import RevocationError
from jupyter_ext.platform.tokens import TokenError
from jupyter_ext.wire.routes import REVOCATIONS_ROUTE, pattern_of


class RevocationHandler(ErrorBody, APIHandler):
    """Takes what the platform's key has signed, from anybody; gateways ask for all."""

    def initialize(self, watch: RevocationWatch) -> None:
        self._watch = watch

    def check_xsrf_cookie(self) -> None:
        """What is sent is signed, and says itself what it is for."""

    @allow_unauthenticated
    async def post(self) -> None:
        """`201` and what was revoked for `{"revocation": JWT}`."""
        body = self.get_json_body()
        sent = body.get("revocation") if isinstance(body, dict) else None
        if not isinstance(sent, str):
            raise web.HTTPError(400, 'send {"revocation": "…"}, signed by the platform')
        try:
            revocation = self.identity_provider.verifier.verify_revocation(sent)  # type: ignore[attr-defined]
            await self._watch.add(revocation)
        except TokenError as error:
            raise web.HTTPError(401, str(error)) from error
        except RevocationError as error:
            raise web.HTTPError(400, str(error)) from error
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        note(self, actor="platform", name=f"{revocation.kind} {revocation.name}")
        self.log.info("The %s %r was revoked.", revocation.kind, revocation.name)
        self.set_status(201)
        self.finish(json.dumps(revocation.as_json()))

    @web.authenticated
    async def get(self) -> None:
        """`{"revocations": [{"user" or "project", "until"}, …]}`."""
        try:
            found = await self._watch.all()
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        self.set_header("Cache-Control", "no-store")
        self.finish(json.dumps({"revocations": [one.as_json() for one in found]}))


def handlers(watch: RevocationWatch) -> list[tuple[Any, ...]]:
    """The route of revocations."""
    return [(pattern_of(REVOCATIONS_ROUTE), RevocationHandler, {"watch": watch})]
