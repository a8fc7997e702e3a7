"""The login page: `/login?token=…` for links, and a form to paste a token into."""

from __future__ import annotations

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.utils import url_path_join
from tornado.escape import xhtml_escape

from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.tokens import Identity, TokenError

_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width">
  <title>Jupyter Fleet: {title}</title>
  <style>
    :root {{ color-scheme: light dark; }}
    body {{ font: 16px system-ui, sans-serif; max-width: 34rem; margin: 12vh auto; }}
    input {{ width: 100%; box-sizing: border-box; font: inherit; padding: .4rem; }}
    button {{ font: inherit; padding: .4rem 1.2rem; margin-top: .6rem; }}
    .problem {{ color: light-dark(#b00020, #ff8a80); }}
  </style>
</head>
<body>
{body}
</body>
</html>
"""

_FORM = """
  <h1>Sign in</h1>
  <p class="problem" role="alert">{problem}</p>
  <form method="post" action="{action}">
    {xsrf}
    <input type="hidden" name="next" value="{next}">
    <label for="token">Paste the token that your platform gave you.</label>
    <input id="token" name="token" type="password" autocomplete="off" required autofocus>
    <button type="submit">Sign in</button>
  </form>
"""

# The page that asked to sign in again listens for this message: labextension/src/user/signIn.ts.
_DONE = """
  <h1>You are signed in as {name}</h1>
  <p>Your notebooks continue in the tab that you came from. You can close this one.</p>
  <script>new BroadcastChannel('jupyter-fleet-login').postMessage('signed in');</script>
"""


def home_of(identity: Identity) -> str:
    """The page to which a login leads by default.

    Nothing can be created outside the projects, so a user with only one project starts inside it.
    """
    projects = list(identity.projects)
    return f"lab/tree/{projects[0]}" if len(projects) == 1 else "lab"


class FleetLoginHandler(LoginFormHandler):
    """Turns a token into a login and redirects to the requested page."""

    @allow_unauthenticated
    def get(self) -> None:
        """Log in with `?token=`, or show the form.

        With `?again`, users who are already logged in get the form, too. `?done` is shown at the
        end in the tab in which the user of an open page signs in again.
        """
        token = self.get_query_argument("token", "")
        again = self.get_query_argument("again", None) is not None
        done = self.get_query_argument("done", None) is not None
        if token:
            self._log_in(token)
        elif self.current_user and done:
            name = xhtml_escape(self.current_user.display_name or "")
            self._answer("signed in", _DONE.format(name=name))
        elif self.current_user and not again:
            self._go_on(self.current_user)
        else:
            self._show(getattr(self, "login_problem", ""))

    @allow_unauthenticated
    def post(self) -> None:
        """Log in with the token of the form."""
        self._log_in(self.get_body_argument("token", ""))

    def _log_in(self, token: str) -> None:
        provider = self.identity_provider
        try:
            identity = provider.verifier.verify(token.strip())  # type: ignore[attr-defined]
        except TokenError as error:
            self.set_status(401)
            self._show(str(error))
            return
        user = FleetUser.of(identity)
        provider.set_login_cookie(self, user)
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
            _FORM.format(
                problem=xhtml_escape(problem),
                action=xhtml_escape(url_path_join(self.base_url, "login")),
                xsrf=self.xsrf_form_html(),
                next=xhtml_escape(self.get_argument("next", "")),
            ),
        )

    def _answer(self, title: str, body: str) -> None:
        self.finish(_PAGE.format(title=title, body=body.strip("\n")))
