"""What the page knows of its user: name and roles, never the token."""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import JupyterHandler

from jupyter_ext.auth.user import FleetUser
from jupyter_ext.platform.tokens import Identity


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
