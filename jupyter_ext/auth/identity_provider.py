"""Finds the user of a request by its token, and applies the route policy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, cast

from jupyter_server.auth import IdentityProvider, User
from jupyter_server.base.handlers import APIHandler, JupyterHandler, Template404
from tornado import web
from tornado.websocket import WebSocketHandler
from traitlets import Instance, default, validate

from jupyter_ext.audit.audit import record
from jupyter_ext.audit.audit_event import Outcome
from jupyter_ext.audit.notes import note
from jupyter_ext.auth import earlier_cookie
from jupyter_ext.auth.body_limits import check_body
from jupyter_ext.auth.bound_xsrf import bind_xsrf, renew_xsrf, tell_xsrf
from jupyter_ext.auth.identity_options import IdentityOptions
from jupyter_ext.auth.lab_secrets import secrets_of, tickets_of
from jupyter_ext.auth.login import FleetLoginHandler
from jupyter_ext.auth.login_cookies import LoginCookies
from jupyter_ext.auth.logout import FleetLogoutHandler
from jupyter_ext.auth.open_requests import OpenRequests
from jupyter_ext.auth.page_user import check_page_user, page_user
from jupyter_ext.auth.request_origin import Origin, foreign, origin_of
from jupyter_ext.auth.route_policy import READ, Answer, decide
from jupyter_ext.auth.user import FleetUser, KernelSide
from jupyter_ext.logins.logins import LoginEnded, LoginsAway
from jupyter_ext.logins.sealing import COPY_SECONDS
from jupyter_ext.logins.session_id import digest_of
from jupyter_ext.platform.json_bodies import JsonRefused
from jupyter_ext.platform.kernel_tickets import (
    KernelTicket,
    TicketError,
    is_ticket,
)
from jupyter_ext.platform.rights import RightsAway
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.route_table import Call, handler_name
from jupyter_ext.platform.socket_login import SocketEnd, SocketLogin
from jupyter_ext.platform.tokens import Identity, TokenError

# The cookie outlives the token, which may be renewed; without it the lab could not tell that the
# login has expired.
_COOKIE_SECONDS_AFTER_TOKEN = 30 * 86400.0
# Checking a body takes 3 ns a byte; larger ones are checked on a thread.
_BIG_BODY = 64 * 1024


class FleetIdentityProvider(IdentityOptions, IdentityProvider):
    """Knows users by the platform's tokens in a header, and by the ID of a login in a cookie.

    The login's token is in the labs' database, so every lab knows the user, and the login ends with
    the token or when its user signs out. While the database is away a browser's encrypted copy of
    the token serves for ten minutes.
    """

    open_requests = Instance(OpenRequests, args=())

    @default("token")
    def _default_token(self) -> str:
        # The server itself has no token; this also keeps one out of the page.
        return ""

    @validate("token")
    def _no_token(self, proposal: Any) -> str:
        return ""

    @default("cookie_name")
    def _default_cookie_name(self) -> str:
        return "jupyter-fleet-session"

    @default("login_handler_class")
    def _default_login_handler_class(self) -> type[web.RequestHandler]:
        return FleetLoginHandler

    @default("logout_handler_class")
    def _default_logout_handler_class(self) -> type[web.RequestHandler]:
        return FleetLogoutHandler

    async def get_user(self, handler: web.RequestHandler) -> User | None:
        """The user of a request; None if nobody is logged in and the route needs nobody.

        Raises 401 for a token that is not accepted, 403 for a route that is not allowed and for a
        request of a foreign page, 413 or 400 for a body that the route does not accept, 503 while
        nobody can tell whose login it is, each with the reason. `handler.login_problem` tells the
        login page about a login that has ended.
        """
        known = getattr(handler, "_jupyter_current_user", None)
        if known is not None:
            return cast(User, known)
        page = cast(JupyterHandler, handler)
        self.open_requests.add(page)
        # Error pages ask for the user as well, and come before the answer.
        page.current_user = page._jupyter_current_user = None
        page.login_problem = ""  # type: ignore[attr-defined]
        path = page.request.path
        base_url = page.base_url.rstrip("/")
        method, path = page.request.method or "GET", path.removeprefix(base_url)
        call = Call(method, path, handler_name(type(page)), isinstance(page, WebSocketHandler))
        for_everybody = decide(call, None).answer is Answer.ALLOW
        caller = self._caller_by_token(page)
        signs = isinstance(page, FleetLoginHandler | FleetLogoutHandler)
        if caller is None and (signs or not for_everybody):
            # What is the same for everybody costs no look-up.
            caller = await self._caller_by_cookie(page, for_everybody)
        note(page, caller=caller)
        if isinstance(page, Template404) and caller is not None:
            return _user_of(caller)
        if isinstance(caller, Identity):
            check_page_user(page, caller)
            caller = await self.with_roles(caller, for_everybody)
        decision = decide(call, caller)
        if decision.answer is not Answer.ALLOW:
            note(page, refused=decision.reason or page.login_problem or "nobody is signed in")  # type: ignore[attr-defined]
        if decision.answer is Answer.REFUSE:
            raise web.HTTPError(decision.status, decision.reason)
        problem: str = page.login_problem  # type: ignore[attr-defined]
        is_call = isinstance(page, APIHandler | WebSocketHandler)
        if decision.answer is Answer.LOG_IN and problem and is_call:
            raise web.HTTPError(401, problem)
        if decision.answer is Answer.ALLOW:
            await self._check_body(method, path, page.request.body)
        return _user_of(caller)

    async def with_roles(self, identity: Identity, for_everybody: bool) -> Identity:
        """The caller with the roles that their platform names; raises 503 if it cannot be asked,
        except on routes where roles do not matter."""
        try:
            return await self.rights.of(identity)
        except RightsAway as error:
            if for_everybody:
                return identity
            raise web.HTTPError(503, str(error)) from error

    async def _check_body(self, method: str, path: str, body: bytes) -> None:
        try:
            if len(body) > _BIG_BODY:
                await asyncio.to_thread(check_body, method, path, body)
            else:
                check_body(method, path, body)
        except JsonRefused as error:
            raise web.HTTPError(error.status, str(error)) from error

    def _caller_by_token(self, handler: JupyterHandler) -> Identity | KernelTicket | None:
        """Who has sent a token with this request; None without one."""
        match = self.auth_header_pat.match(handler.request.headers.get("Authorization", ""))
        if match:
            token = match[2].strip()
        elif self.allow_token_in_url and not isinstance(handler, FleetLoginHandler):
            token = handler.get_query_argument("token", "")
        else:
            token = ""
        if not token:
            return None
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

    async def _caller_by_cookie(
        self, handler: JupyterHandler, for_everybody: bool
    ) -> Identity | None:
        """Who is signed in with this browser; None for nobody."""
        session_id, copy = self._cookies(handler).read(handler)
        identity = None
        if session_id:
            try:
                found = await self.renewals.find(session_id, copy)
                self._refuse_foreign(handler, for_everybody)
                if earlier_cookie.was_removed(handler) and await self.earlier_labs():
                    await self.logins.end(session_id)
                    raise LoginEnded(earlier_cookie.ENDED)
                identity = found
            except LoginEnded as error:
                handler.login_problem = str(error)  # type: ignore[attr-defined]
            except LoginsAway as error:
                if for_everybody:
                    return None
                raise web.HTTPError(503, str(error)) from error
        if session_id and identity is not None:
            handler.fleet_session_id = session_id  # type: ignore[attr-defined]
            note(handler, login=digest_of(session_id))
            self._renew(handler, session_id)
            return identity
        identity, problem = await earlier_cookie.find(handler, self.verifier, self.logins)
        if identity is None:
            handler.login_problem = handler.login_problem or problem  # type: ignore[attr-defined]
            return None
        self._refuse_foreign(handler, for_everybody)
        if _opens_page(handler) and not for_everybody:
            await self.sign_in(handler, identity)
        return identity

    def _refuse_foreign(self, handler: JupyterHandler, for_everybody: bool) -> None:
        """Raise 403 if another page than the fleet's own has sent a request with a login."""
        request = handler.request
        if for_everybody and request.method in READ:
            return
        if "Sec-Fetch-Site" not in request.headers and _opens_page(handler):
            # A browser that does not say which page has led here: opening one changes nothing.
            return
        reason = foreign(
            request.method or "GET",
            request.headers,
            self.own_origin(handler),
            websocket=isinstance(handler, WebSocketHandler),
        )
        if reason:
            raise web.HTTPError(403, reason)

    def own_origin(self, handler: web.RequestHandler) -> Origin | None:
        """Where the browser of a request reaches the fleet."""
        request = handler.request
        return origin_of(self.public_url or f"{request.protocol}://{request.host}")

    def _renew(self, handler: JupyterHandler, session_id: str) -> None:
        """Bind what protects against forged requests to the login, and give the browser what it
        lacks."""
        present = bind_xsrf(handler, secrets_of(handler), session_id)
        # Not with files, which caches may keep.
        if not isinstance(handler, APIHandler) or isinstance(handler, WebSocketHandler):
            return
        tell_xsrf(handler, secrets_of(handler), session_id)
        if not present:
            # Code that is not the fleet's reads it from the cookie.
            renew_xsrf(handler, secrets_of(handler), session_id)
        copy = self.logins.new_copy(session_id)
        if copy is not None:
            self._cookies(handler).set_copy(handler, copy, COPY_SECONDS)

    async def sign_in(self, handler: web.RequestHandler, identity: Identity) -> None:
        """Begin a login in the browser of a request, in place of the one that it has.

        Raises 503 while the database is away.
        """
        cookies = self._cookies(handler)
        former, _ = cookies.read(handler)
        try:
            session_id = await self.logins.begin(identity)
            if former:
                await self.logins.end(former)
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        note(handler, caller=identity, login=digest_of(session_id))
        left = identity.expires - time.time()
        cookies.set(handler, session_id, left + _COOKIE_SECONDS_AFTER_TOKEN)
        copy = self.logins.new_copy(session_id)
        if copy is not None and not cookies.set_copy(handler, copy, COPY_SECONDS):
            self.log.info(
                "User %s has so many projects that they are signed out while the database is away",
                identity.user,
            )
        if await self.earlier_labs():
            earlier_cookie.set_cookie(handler, identity, dict(cookies.attributes))
        else:
            earlier_cookie.clear(handler, dict(cookies.attributes))
        bind_xsrf(handler, secrets_of(handler), session_id)
        renew_xsrf(handler, secrets_of(handler), session_id)

    async def sign_out(self, handler: web.RequestHandler) -> None:
        """End the login of this browser; raises 503 while the database is away."""
        cookies = self._cookies(handler)
        session_id, _ = cookies.read(handler)
        try:
            if session_id:
                await self.logins.end(session_id)
            await earlier_cookie.end(handler, self.verifier, self.logins)
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        self.clear_login_cookie(handler)

    def watch(
        self,
        handler: web.RequestHandler,
        identity: Identity,
        on_end: Callable[[SocketEnd], None],
        needs: tuple[str, Role] | None = None,
        on_renewed: Callable[[Identity], None] | None = None,
    ) -> SocketLogin:
        """Watch the login with which a websocket was opened: its token, its `needs`, and for a
        browser whether it was signed out. `on_renewed` hears of a newer token."""
        session_id = getattr(handler, "fleet_session_id", None)

        def ended(end: SocketEnd) -> None:
            record(handler, "websocket.end", Outcome.DENIED, end.reason)
            on_end(end)

        return SocketLogin(
            identity,
            self.verifier,
            ended,
            rights=self.rights,
            needs=needs,
            ask=self.renewals.asked(session_id) if session_id else None,
            on_renewed=on_renewed,
        )

    def clear_login_cookie(self, handler: web.RequestHandler) -> None:
        """Remove the login's cookies from the browser; the login itself goes on."""
        cookies = self._cookies(handler)
        cookies.clear(handler)
        earlier_cookie.clear(handler, dict(cookies.attributes))

    def get_cookie_name(self, handler: web.RequestHandler) -> str:
        """The name of the cookie with the login's ID in this browser."""
        return self._cookies(handler).name

    def state_cookie(self, handler: web.RequestHandler) -> LoginCookies:
        """What a browser that was sent to the platform brings back."""
        return self._cookies(handler, f"{self.cookie_name}-state")

    def _cookies(self, handler: web.RequestHandler, name: str = "") -> LoginCookies:
        secure = self.secure_cookie
        if secure is None:
            own = self.own_origin(handler)
            secure = own is not None and own[0] == "https"
        base_url = cast(JupyterHandler, handler).base_url
        return LoginCookies.of(
            name or self.cookie_name, base_url, secure=secure, more=self.cookie_options
        )

    def identity_model(self, user: User) -> dict[str, Any]:
        """What `/api/me` shows of the user, including the roles, which a new login may change."""
        return {**cast(FleetUser, user).model(), **page_user(cast(FleetUser, user).identity)}


def _opens_page(handler: JupyterHandler) -> bool:
    """Whether the answer is a page of its own, not a file or a call of one."""
    return (
        handler.request.method == "GET"
        and not isinstance(handler, APIHandler | WebSocketHandler)
        and "text/html" in handler.request.headers.get("Accept", "")
    )


def _user_of(caller: Identity | KernelTicket | None) -> User | None:
    if isinstance(caller, KernelTicket):
        return KernelSide.of(caller)
    return None if caller is None else FleetUser.of(caller)
