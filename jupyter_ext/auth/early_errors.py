"""Error pages for requests that fail before it is known who sent them.

Tornado refuses a malformed form before a handler looks up the user. The error page then asks
whether somebody is logged in, and jupyter_server raises instead of answering: the client gets an
empty page and the log a traceback, which strangers can repeat as often as they like.
"""

from __future__ import annotations

from jupyter_server.base.handlers import JupyterHandler

_known_user = JupyterHandler.get_current_user


def install() -> None:
    """Let error pages know that nobody is logged in yet; for every handler of this process."""
    JupyterHandler.get_current_user = _user_or_nobody  # type: ignore[method-assign,assignment]


def _user_or_nobody(handler: JupyterHandler) -> str | None:
    return _known_user(handler) if hasattr(handler, "_jupyter_current_user") else None
