"""Finds the user of a request by its token, and applies the route policy."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.base.handlers import APIHandler, JupyterHandler, Template404
from tornado import web
from tornado.websocket import WebSocketHandler
from traitlets import Instance, Unicode, default, validate

from jupyter_ext.auth.body_limits import check_body
from jupyter_ext.auth.login import FleetLoginHandler
from jupyter_ext.auth.logout import FleetLogoutHandler
from jupyter_ext.auth.open_requests import OpenRequests
from jupyter_ext.auth.page_user import page_user
from jupyter_ext.auth.route_policy import Answer, decide
from jupyter_ext.auth.user import FleetUser, KernelSide
from jupyter_ext.platform.json_bodies import JsonRefused
from jupyter_ext.platform.kernel_tickets import (
    KernelTicket,
    KernelTickets,
    TicketError,
    is_ticket,
)
from jupyter_ext.platform.route_table import Call, handler_name
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

# Browsers silently drop cookies above 4096 bytes.
LONGEST_COOKIE = 4000
_SECONDS_PER_DAY = 86400
# The user who opened the page: somebody else may sign in with the same browser meanwhile. Pages
# cannot set headers of websockets, so those use a query argument.
_USER_HEADER = "X-Fleet-User"
_USER_ARGUMENT = "fleet_user"
# The cookie outlives the token: without it the lab could not tell that the login has expired.
_COOKIE_DAYS_AFTER_TOKEN = 1.0
# Checking a body takes 3 ns a byte; larger ones are checked on a thread.
_BIG_BODY = 64 * 1024


class FleetIdentityProvider(IdentityProvider):
    """Knows users by the platform's tokens: in a header, or in the cookie of a login.

    The cookie carries the token itself, so every lab that has the same keys and the same cookie
    secret knows the user, and the login ends with the token.
    """

    token_keys_file = Unicode(
        config=True,
        help="JWKS file with the public keys of the platform that issues tokens.",
    )
    verifier = Instance(TokenVerifier)

    open_requests = Instance(OpenRequests, args=())

    @default("verifier")
    def _default_verifier(self) -> TokenVerifier:
        return TokenVerifier(Path(self.token_keys_file))

    @default("token")
    def _default_token(self) -> str:
        # The server itself has no token; this also keeps one out of the page.
        return ""

    @validate("token")
    def _no_token(self, proposal: Any) -> str:
        return ""

    @default("cookie_name")
    def _default_cookie_name(self) -> str:
        return "jupyter-fleet-login"

    @default("login_handler_class")
    def _default_login_handler_class(self) -> type[web.RequestHandler]:
        return FleetLoginHandler

    @default("logout_handler_class")
    def _default_logout_handler_class(self) -> type[web.RequestHandler]:
        return FleetLogoutHandler

    async def get_user(self, handler: web.RequestHandler) -> User | None:
        """The user of a request; None if nobody is logged in and the route needs nobody.

        Raises 401 for a token that is not accepted, 403 for a route that is not allowed, 413 or 400
        for a body that the route does not accept, each with the reason. `handler.login_problem`
        tells the login page about a cookie whose token has expired.
        """
        known = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return cast(User, known)
        page = cast(JupyterHandler, handler)
        self.open_requests.add(page)
        # Error pages ask for the user as well, and come before the answer.
        page.current_user = page._jupyter_current_user = None
        caller = self._caller(page)
        if isinstance(page, Template404) and caller is not None:
            return _user_of(caller)
        path = page.request.path
        base_url = page.base_url.rstrip("/")
        if isinstance(caller, Identity):
            _check_user(page, caller)
        method, path = page.request.method or "GET", path.removeprefix(base_url)
        socket = isinstance(page, WebSocketHandler)
        decision = decide(Call(method, path, handler_name(type(page)), socket), caller)
        if decision.answer is Answer.REFUSE:
            raise web.HTTPError(decision.status, decision.reason)
        problem: str = page.login_problem  # type: ignore[attr-defined]
        is_call = isinstance(page, APIHandler | WebSocketHandler)
        if decision.answer is Answer.LOG_IN and problem and is_call:
            raise web.HTTPError(401, problem)
        if decision.answer is Answer.ALLOW:
            await self._check_body(method, path, page.request.body)
        return _user_of(caller)

    async def _check_body(self, method: str, path: str, body: bytes) -> None:
        try:
            if len(body) > _BIG_BODY:
                await asyncio.to_thread(check_body, method, path, body)
            else:
                check_body(method, path, body)
        except JsonRefused as error:
            raise web.HTTPError(error.status, str(error)) from error

    def _caller(self, handler: JupyterHandler) -> Identity | KernelTicket | None:
        handler.login_problem = ""  # type: ignore[attr-defined]
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        if match:
            token = match[2].strip()
            try:
                caller: Identity | KernelTicket = (
                    tickets_of(handler).verify(token)
                    if is_ticket(token)
                    else self.verifier.verify(token)
                )
            except (TokenError, TicketError) as error:
                raise web.HTTPError(401, str(error)) from error
            # Only an explicit token exempts a request from the XSRF check; a cookie never does.
            handler._token_authenticated = True  # type: ignore[attr-defined]
            return caller
        # The token decides how long a login is valid.
        cookie = handler.get_secure_cookie(self.cookie_name, max_age_days=36500)
        if not cookie:
            problem = "the login does not belong to this fleet: sign in again"
            sent = handler.get_cookie(self.cookie_name)
            handler.login_problem = problem if sent else ""  # type: ignore[attr-defined]
            return None
        try:
            return self.verifier.verify(cookie.decode())
        except TokenError as error:
            handler.login_problem = str(error)  # type: ignore[attr-defined]
            return None

    def set_login_cookie(self, handler: web.RequestHandler, user: User) -> None:
        """Keep the user's token in an HttpOnly, signed cookie, which is worthless when the token
        has expired.

        Raises 413 if the token does not fit into a cookie.
        """
        identity = cast(FleetUser, user).identity
        value = handler.create_signed_value(self.cookie_name, identity.token)
        if len(value) + len(self.cookie_name) > LONGEST_COOKIE:
            raise web.HTTPError(
                413,
                "the token is too long for a browser's cookie: ask for one with fewer projects",
            )
        options: dict[str, Any] = {"httponly": True, "samesite": "Lax", **self.cookie_options}
        secure = self.secure_cookie
        if secure is None:
            secure = handler.request.protocol == "https"
        if secure:
            options["secure"] = True
        options.setdefault("path", cast(JupyterHandler, handler).base_url)
        handler.set_cookie(
            self.cookie_name,
            value.decode(),
            expires_days=(identity.expires - time.time()) / _SECONDS_PER_DAY
            + _COOKIE_DAYS_AFTER_TOKEN,
            **options,
        )

    def identity_model(self, user: User) -> dict[str, Any]:
        """What `/api/me` shows of the user, including the roles, which a new login may change."""
        return {**cast(FleetUser, user).model(), **page_user(cast(FleetUser, user).identity)}


def tickets_of(handler: web.RequestHandler) -> KernelTickets:
    """Issues and checks tickets of kernels, with the secret that all labs share."""
    secret = handler.settings["cookie_secret"]
    return KernelTickets(secret.encode() if isinstance(secret, str) else secret)


def _user_of(caller: Identity | KernelTicket | None) -> User | None:
    if isinstance(caller, KernelTicket):
        return KernelSide.of(caller)
    return None if caller is None else FleetUser.of(caller)


def _check_user(handler: JupyterHandler, identity: Identity) -> None:
    """Raise 401 if the page was opened for another user than the one who is now signed in.

    Otherwise, after somebody else has signed in with the same browser, the page would silently save
    and run code as that person.
    """
    sent = handler.request.headers.get(_USER_HEADER)
    if sent is None and isinstance(handler, WebSocketHandler):
        sent = handler.get_query_argument(_USER_ARGUMENT, None)
        sent = None if sent is None else quote(sent, safe="")
    if sent is not None and sent != quote(identity.user, safe=""):
        raise web.HTTPError(
            401, f"you are signed in as {identity.user}, but this page was opened for another user"
        )
