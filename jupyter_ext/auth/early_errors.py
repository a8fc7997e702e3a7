"""Error pages for requests that fail before their user is known.

Tornado rejects a malformed form before a handler looks up the user. The error page then asks
whether somebody is logged in, and jupyter_server raises an exception: the client gets an empty page
and the log a traceback, and anybody can cause that without a login.
"""

from __future__ import annotations

from jupyter_server.base.handlers import JupyterHandler

_known_user = JupyterHandler.get_current_user


def install() -> None:
    """Let error pages know that nobody is logged in yet; for every handler of this process."""
    JupyterHandler.get_current_user = _user_or_nobody  # type: ignore[method-assign,assignment]


def _user_or_nobody(handler: JupyterHandler) -> str | None:
    return _known_user(handler) if hasattr(handler, "_jupyter_current_user") else None
