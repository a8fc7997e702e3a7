"""The login page: `/login?code=…` and `/login?token=…` for links, and a form to paste a token
into."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Awaitable
from typing import Any, cast

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.escape import xhtml_escape
from tornado.httputil import url_concat

from jupyter_ext.audit.audit_event import Kind
from jupyter_ext.audit.notes import note
from jupyter_ext.auth.login_page import (
    AT_PLATFORM,
    CAME_BACK,
    CONFIRM,
    DONE,
    GO_ON,
    START,
    page,
    token_form,
    used_link,
)
from jupyter_ext.auth.request_origin import Origin, foreign, led_by_a_page
from jupyter_ext.auth.sign_in_question import question
from jupyter_ext.auth.user import FleetUser
from jupyter_ext.logins.logins import LoginsAway
from jupyter_ext.platform.tokens import Identity, TokenError

STATE_SECONDS = 600
"""How long a sign-in at the platform may take."""


def home_of(identity: Identity) -> str:
    """The page to which a login leads by default.

    Nothing can be created outside the projects, so a user with only one project starts inside it.
    """
    projects = list(identity.projects)
    return f"lab/tree/{projects[0]}" if len(projects) == 1 else "lab"


class FleetLoginHandler(LoginFormHandler):
    """Turns a token into a login and redirects to the requested page."""

    def check_xsrf_cookie(self) -> None:
        """The browser says which page has sent a form (`post`). A token for people who are not
        signed in would be in a cookie, which every port of the host can read."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Log in with `?token=` that a person has typed, unless somebody else is signed in; or show
        a form.

        `?start` begins at the platform, which leads back with `?code=` and `&state=`. With
        `?again`, users who are already logged in get the form, too. `?done` is shown at the
        end in the tab in which the user of an open page signs in again.
        """
        token = self.get_query_argument("token", "")
        code = self.get_query_argument("code", "")
        start = self.get_query_argument("start", None) is not None
        again = self.get_query_argument("again", None) is not None
        done = self.get_query_argument("done", None) is not None
        if start and self._provider.sign_in_url:
            self._start()
        elif code:
            await self._ask_with_code(code)
        elif token:
            await self._ask_with_token(token)
        elif self.current_user and done:
            name = xhtml_escape(self.current_user.display_name or "")
            self._answer("signed in", DONE.format(name=name))
        elif self.current_user and not again:
            self._go_on(self.current_user)
        else:
            self._show(getattr(self, "login_problem", ""))

    @allow_unauthenticated
    async def post(self) -> None:
        """Log in with the token or the code of the form."""
        reason = foreign("POST", self.request.headers, self._own_origin)
        if reason:
            raise web.HTTPError(403, reason)
        code = self.get_body_argument("code", "")
        if not code:
            await self._log_in(self.get_body_argument("token", ""))
            return
        token = await self._of_code(self._provider.codes.take(code))
        if token is not None:
            self._provider.state_cookie(self).clear(self)
            await self._log_in(token)

    @property
    def _provider(self) -> Any:
        return self.identity_provider

    @property
    def _own_origin(self) -> Origin | None:
        return cast(Origin | None, self._provider.own_origin(self))

    def _start(self) -> None:
        """Lead to the platform; the answer must bring the state back into the same tab."""
        state = secrets.token_urlsafe(32)
        self._provider.state_cookie(self).set(self, state, STATE_SECONDS)
        scheme, host = self.request.protocol, self.request.host
        base = self._provider.public_url.rstrip("/") or f"{scheme}://{host}"
        back = base + url_path_join(self.base_url, "login")
        wanted = self.get_query_argument("next", "")
        if wanted:
            back = url_concat(back, {"next": wanted})
        address = url_concat(self._provider.sign_in_url, {"state": state, "return_to": back})
        self._answer("sign in", START.format(address=xhtml_escape(address), state=state))

    async def _ask_with_code(self, code: str) -> None:
        """A form that uses the code up. It sends itself, unless another page has begun this."""
        token = await self._of_code(self._provider.codes.look(code))
        if token is None:
            return
        state = self.get_query_argument("state", "")
        kept, _ = self._provider.state_cookie(self).read(self)
        if state and not (kept and hmac.compare_digest(kept.encode(), state.encode())):
            note(self, action="login", refused="the state is of another browser, or too old")
            self.set_status(403)
            self._show("this sign-in was not begun in this browser, or long ago: begin again here")
            return
        identity = self._verified(token)
        if identity is None:
            return
        other = self._other_than(identity)
        led = bool(state) or led_by_a_page(self.request.headers)
        why = question(identity.display_name, other, led=led)
        if state and not other:
            text = CAME_BACK
        elif why:
            text = CONFIRM
        else:
            text = GO_ON
        self._ask(text, identity, why, "code", code)

    async def _ask_with_token(self, token: str) -> None:
        identity = self._verified(token)
        if identity is None:
            return
        led = led_by_a_page(self.request.headers)
        why = question(identity.display_name, self._other_than(identity), led=led)
        if why:
            self._ask(CONFIRM, identity, why, "token", token.strip())
        else:
            await self._log_in(token)

    def _other_than(self, identity: Identity) -> str:
        """Who else is signed in with this browser; empty for nobody."""
        user = self.current_user
        if user is None or user.username == identity.user:
            return ""
        return str(user.display_name or user.username)

    async def _of_code(self, found: Awaitable[str | None]) -> str | None:
        """The token of a code; without one the form says why there is none."""
        try:
            token = await found
        except LoginsAway as error:
            raise web.HTTPError(503, str(error)) from error
        if token is None:
            note(self, action="login", refused="the sign-in code was used, is too old or never was")
            self.set_status(401)
            self._show(used_link(at_platform=bool(self._provider.sign_in_url)))
        return token

    def _verified(self, token: str) -> Identity | None:
        """Who it is; without an answer the form says why it is nobody."""
        try:
            return cast(Identity, self._provider.verifier.verify(token.strip()))
        except TokenError as error:
            note(self, action="login", refused=str(error))
            self.set_status(401)
            self._show(str(error))
            return None

    def _ask(self, text: str, identity: Identity, why: str, kind: str, value: str) -> None:
        """Show whose link it is."""
        form = text.format(
            name=xhtml_escape(identity.display_name),
            why=xhtml_escape(why),
            action=xhtml_escape(url_path_join(self.base_url, "login")),
            next=xhtml_escape(self.get_argument("next", "")),
            kind=kind,
            value=xhtml_escape(value),
        )
        self._answer("sign in", form)

    async def _log_in(self, token: str) -> None:
        identity = self._verified(token)
        if identity is None:
            return
        note(self, action="login", kind=Kind.CHANGE)
        await self._provider.sign_in(self, identity)
        user = FleetUser.of(await self._provider.with_roles(identity, for_everybody=True))
        self.log.info("User %s logged in.", user.username)
        self._go_on(user)

    def _go_on(self, user: FleetUser) -> None:
        home = url_path_join(self.base_url, home_of(user.identity))
        try:
            self._redirect_safe(self.get_argument("next", "") or home, home)
        except ValueError:
            # It is not a URL, or contains characters that a header must not have.
            self.redirect(home)

    def _show(self, problem: str) -> None:
        start = ""
        if self._provider.sign_in_url:
            query = {"start": "", "next": self.get_argument("next", "")}
            address = url_concat(url_path_join(self.base_url, "login"), query)
            start = AT_PLATFORM.format(start=xhtml_escape(address))
        self._answer(
            "sign in",
            start
            + token_form(
                problem, url_path_join(self.base_url, "login"), self.get_argument("next", "")
            ),
        )

    def _answer(self, title: str, body: str) -> None:
        self.finish(page(title, body))
