"""`/logout`: ends the login of this browser and shows the login page."""

from __future__ import annotations

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.logout import LogoutHandler
from jupyter_server.utils import url_path_join
from tornado.escape import xhtml_escape

from jupyter_ext.auth.login_page import SIGN_OUT, page


class FleetLogoutHandler(LogoutHandler):
    """Ends the login in the database, so that its cookie is worth nothing any more."""

    @allow_unauthenticated
    def get(self) -> None:
        """Ask: a link, which any page may contain, signs nobody out."""
        user = self.current_user
        if user is None:
            self.redirect(url_path_join(self.base_url, "login"))
            return
        form = SIGN_OUT.format(
            action=xhtml_escape(url_path_join(self.base_url, "logout")),
            xsrf=self.xsrf_form_html(),
            name=xhtml_escape(user.display_name or user.username),
        )
        self.finish(page("sign out", form))

    @allow_unauthenticated
    async def post(self) -> None:
        """Sign out; 503 while the database is away: the login goes on then."""
        user = self.current_user
        await self.identity_provider.sign_out(self)  # type: ignore[attr-defined]
        if user is not None:
            self.log.info("User %s logged out.", user.username)
        self.redirect(url_path_join(self.base_url, "login"), status=303)
