"""What the page knows of its user: name and roles, never the token; and whose page it is."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.websocket import WebSocketHandler

from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.tokens import Identity

# The user who opened the page: somebody else may sign in with the same browser meanwhile. Pages
# cannot set headers of websockets, so those use a query argument.
_USER_HEADER = "X-Fleet-User"
_USER_ARGUMENT = "fleet_user"


def page_user(identity: Identity) -> dict[str, Any]:
    """`{"username", "display_name", "projects": {name: role}}`, projects by name."""
    return {
        "username": identity.user,
        "display_name": identity.display_name,
        "projects": {name: str(identity.projects[name]) for name in sorted(identity.projects)},
    }


def with_page_user(handler: JupyterHandler, page_config: dict[str, Any]) -> dict[str, Any]:
    """A page's configuration with `fleetUser`.

    Returns a copy: JupyterLab's own dictionary is shared by the pages of all users.
    """
    user = handler.current_user
    if not isinstance(user, FleetUser):
        return page_config
    return {**page_config, "fleetUser": page_user(user.identity)}


def check_page_user(handler: JupyterHandler, identity: Identity) -> None:
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
