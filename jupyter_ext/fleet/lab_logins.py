"""The parts of a lab's configuration that say how browsers reach it and sign in."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from jupyter_ext.fleet.settings import Settings


def login_config(settings: Settings) -> dict[str, Any]:
    """Of the lab's identity provider."""
    return {
        # Browsers have the same cookies for all ports of a host, and so for another fleet.
        "cookie_name": f"jupyter-fleet-session-{settings.port}",
        "allow_token_in_url": settings.token_in_url,
        **({"public_url": settings.public_url} if settings.public_url else {}),
    }


def host_config(settings: Settings) -> dict[str, Any]:
    """Of the server: under which names of this machine browsers may ask a lab."""
    if settings.listen is not None:
        # There may be many names. Pages of other names that lead here have no cookie.
        return {"allow_remote_access": True}
    if settings.public_url is not None:
        return {"local_hostnames": ["localhost", urlsplit(settings.public_url).hostname]}
    return {}
