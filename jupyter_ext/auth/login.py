"""The login page: `/login?token=…` for links, and a form to paste a token into."""

from __future__ import annotations

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.escape import xhtml_escape

from jupyter_ext.auth.login_page import CONFIRM, DONE, FORM, page
from jupyter_ext.auth.request_origin import Origin, foreign, linked_from_elsewhere
from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.tokens import Identity, TokenError


def home_of(identity: Identity) -> str:
    """The page to which a login leads by default.

    Nothing can be created outside the projects, so a user with only one project starts inside it.
    """
    projects = list(identity.projects)
    return f"lab/tree/{projects[0]}" if len(projects) == 1 else "lab"


class FleetLoginHandler(LoginFormHandler):
    """Turns a token into a login and redirects to the requested page."""

    @allow_unauthenticated
    async def get(self) -> None:
        """Log in with `?token=`, or show the form.

        With `?again`, users who are already logged in get the form, too. `?done` is shown at the
        end in the tab in which the user of an open page signs in again.
        """
        token = self.get_query_argument("token", "")
        again = self.get_query_argument("again", None) is not None
        done = self.get_query_argument("done", None) is not None
        if token and linked_from_elsewhere(self.request.headers, self._own_origin):
            self._confirm(token)
        elif token:
            await self._log_in(token)
        elif self.current_user and done:
            name = xhtml_escape(self.current_user.display_name or "")
            self._answer("signed in", DONE.format(name=name))
        elif self.current_user and not again:
            self._go_on(self.current_user)
        else:
            self._show(getattr(self, "login_problem", ""))

    @allow_unauthenticated
    async def post(self) -> None:
        """Log in with the token of the form."""
        reason = foreign("POST", self.request.headers, self._own_origin)
        if reason:
            raise web.HTTPError(403, reason)
        await self._log_in(self.get_body_argument("token", ""))

    @property
    def _own_origin(self) -> Origin | None:
        return self.identity_provider.own_origin(self)  # type: ignore[attr-defined]

    def _verified(self, token: str) -> Identity | None:
        """Who it is; without an answer the form says why it is nobody."""
        verifier = self.identity_provider.verifier  # type: ignore[attr-defined]
        try:
            return verifier.verify(token.strip())
        except TokenError as error:
            self.set_status(401)
            self._show(str(error))
            return None

    def _confirm(self, token: str) -> None:
        """Ask whose link it is: another page may sign its reader in as somebody who wants to see
        what they do."""
        identity = self._verified(token)
        if identity is None:
            return
        form = CONFIRM.format(
            name=xhtml_escape(identity.display_name),
            action=xhtml_escape(url_path_join(self.base_url, "login")),
            xsrf=self.xsrf_form_html(),
            next=xhtml_escape(self.get_argument("next", "")),
            token=xhtml_escape(token.strip()),
        )
        self._answer("sign in", form)

    async def _log_in(self, token: str) -> None:
        identity = self._verified(token)
        if identity is None:
            return
        provider = self.identity_provider
        await provider.sign_in(self, identity)  # type: ignore[attr-defined]
        user = FleetUser.of(identity)
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
        self._answer(
            "sign in",
            FORM.format(
                problem=xhtml_escape(problem),
                action=xhtml_escape(url_path_join(self.base_url, "login")),
                xsrf=self.xsrf_form_html(),
                next=xhtml_escape(self.get_argument("next", "")),
            ),
        )

    def _answer(self, title: str, body: str) -> None:
        self.set_header("Cache-Control", "no-store")
        self.finish(page(title, body))
