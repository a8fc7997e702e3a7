"""The cookie of the version before, with the signed token of the login in it.

Labs of this version accept it, so that an upgrade signs nobody out, and set it as long as labs of
the version before, which know no other, are alive.
"""

from __future__ import annotations

import time
from typing import Any

from tornado.web import RequestHandler

from jupyter_ext.auth.login_cookies import LONGEST, PAST
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

NAME = "jupyter-fleet-login"
_DAY = 86400
_FOREIGN = "the login does not belong to this fleet: sign in again"


def read(handler: RequestHandler, verifier: TokenVerifier) -> tuple[Identity | None, str]:
    """Who is signed in by this cookie, or why nobody is; empty without a cookie."""
    # The token decides how long a login is valid.
    cookie = handler.get_secure_cookie(NAME, max_age_days=36500)
    if not cookie:
        return None, _FOREIGN if handler.get_cookie(NAME) else ""
    try:
        return verifier.verify(cookie.decode()), ""
    except TokenError as error:
        return None, str(error)


def set_cookie(handler: RequestHandler, identity: Identity, attributes: dict[str, Any]) -> bool:
    """Keep the token in the browser; whether it fits there."""
    value = handler.create_signed_value(NAME, identity.token)
    if len(value) + len(NAME) > LONGEST:
        return False
    seconds = int(identity.expires - time.time()) + _DAY
    handler.set_cookie(NAME, value.decode(), max_age=seconds, **attributes)
    return True


def clear(handler: RequestHandler, attributes: dict[str, Any]) -> None:
    """Remove it from the browser, if it is there."""
    if handler.get_cookie(NAME) is not None:
        handler.set_cookie(NAME, "", expires=PAST, **attributes)
