"""The cookie of the version before, with the signed token of the login in it.

Labs of this version accept it, so that an upgrade signs nobody out, and set it as long as labs of
the version before, which know no other, are alive.

Those labs sign out by removing it from the browser, and nothing else. So a browser that was given
both cookies has a mark, and one with the mark alone has been signed out there. Any port of the host
can set the mark: it means nothing unless such labs are alive.
"""

from __future__ import annotations

import time
from typing import Any

from tornado.web import RequestHandler, decode_signed_value

from jupyter_ext.auth.login_cookies import LONGEST, PAST
from jupyter_ext.logins.logins import Logins
from jupyter_ext.platform.tokens import Identity, TokenError, TokenVerifier

NAME = "jupyter-fleet-login"
MARK = f"{NAME}-too"
_DAY = 86400
_FOR_EVER_DAYS = 36500
ENDED = "this login has ended: sign in again"
_FOREIGN = "the login does not belong to this fleet: sign in again"


async def find(
    handler: RequestHandler, verifier: TokenVerifier, logins: Logins
) -> tuple[Identity | None, str]:
    """Who is signed in by this cookie, or why nobody is; empty without a cookie."""
    identity, problem = _read(handler, verifier)
    if identity is not None and await logins.token_has_ended(identity):
        return None, ENDED
    return identity, problem


async def end(handler: RequestHandler, verifier: TokenVerifier, logins: Logins) -> None:
    """Have no lab of this version accept the cookie any more; raises LoginsAway. Labs of the
    version before do so until its token expires, if somebody has kept it."""
    identity, _ = _read(handler, verifier)
    if identity is not None:
        await logins.end_token(identity)


def _read(handler: RequestHandler, verifier: TokenVerifier) -> tuple[Identity | None, str]:
    # The token decides how long a login is valid.
    cookie = handler.get_secure_cookie(NAME, max_age_days=_FOR_EVER_DAYS)
    if not cookie:
        return None, _FOREIGN if handler.get_cookie(NAME) else ""
    try:
        return verifier.verify(cookie.decode()), ""
    except TokenError as error:
        return None, str(error)


def is_signed(secret: str | bytes, value: str) -> bool:
    """Whether a lab has made this cookie. Its token may have expired."""
    return decode_signed_value(secret, NAME, value, max_age_days=_FOR_EVER_DAYS) is not None


def set_cookie(handler: RequestHandler, identity: Identity, attributes: dict[str, Any]) -> bool:
    """Keep the token in the browser; whether it fits there."""
    value = handler.create_signed_value(NAME, identity.token)
    if len(value) + len(NAME) > LONGEST:
        return False
    seconds = int(identity.expires - time.time()) + _DAY
    handler.set_cookie(NAME, value.decode(), max_age=seconds, **attributes)
    handler.set_cookie(MARK, "1", max_age=seconds, **attributes)
    return True


def was_removed(handler: RequestHandler) -> bool:
    """Whether a lab of the version before, if one is alive, has signed this browser out."""
    return handler.get_cookie(MARK) is not None and handler.get_cookie(NAME) is None


def clear(handler: RequestHandler, attributes: dict[str, Any]) -> None:
    """Remove it from the browser, if it is there."""
    for name in (NAME, MARK):
        if handler.get_cookie(name) is not None:
            handler.set_cookie(name, "", expires=PAST, **attributes)
