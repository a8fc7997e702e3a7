"""`/logout`: ends the login of this browser and shows the login page."""

from __future__ import annotations

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.logout import LogoutHandler
from jupyter_server.utils import url_path_join


class FleetLogoutHandler(LogoutHandler):
    """Clears the login's cookie; the stock page that follows only links to the login page."""

    @allow_unauthenticated
    def get(self) -> None:
        """Sign out."""
        user = self.current_user
        if user is not None:
            self.log.info("User %s logged out.", user.username)
        self.identity_provider.clear_login_cookie(self)
        self.redirect(url_path_join(self.base_url, "login"))
