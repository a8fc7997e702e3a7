"""The token against forged requests belongs to the login.

Stock Tornado compares what a page sends with the cookie `_xsrf`. Any port of the host can set that
cookie, and could so choose what both are. With a login it is derived from the login's ID.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence

from tornado.web import RequestHandler

HEADER = "X-Fleet-XSRF"
"""In answers to calls with a login: the token that the next call must carry."""
_PURPOSE = b"jupyter-fleet xsrf"
_VERSION = 2


def bind_xsrf(handler: RequestHandler, secrets: Sequence[bytes], session_id: str) -> bool:
    """Let `handler` accept this login's token alone, of any secret, whatever is in the cookie;
    whether the browser has the newest one, of the first secret, there. `renew_xsrf` gives it that
    one."""
    tokens = [_token(secret, session_id) for secret in secrets]
    version, kept, _ = handler._get_raw_xsrf_token()
    in_cookie = [one for one in tokens if version is not None and hmac.compare_digest(kept, one)]
    known = [one for one in tokens if hmac.compare_digest(_sent(handler), one)] or in_cookie
    # Tornado sets the cookie of a token without a version.
    _expect(handler, _VERSION if known else None, (known or tokens)[0])
    return in_cookie[:1] == tokens[:1]


def renew_xsrf(handler: RequestHandler, secrets: Sequence[bytes], session_id: str) -> None:
    """Put the newest token into the browser's cookie. This request, which may have been sent with
    an earlier one, is checked with that."""
    version, sent, _ = handler._get_raw_xsrf_token()
    _expect(handler, None, _token(secrets[0], session_id))
    _ = handler.xsrf_token
    if version is not None:
        _expect(handler, version, sent)


def _expect(handler: RequestHandler, version: int | None, token: bytes) -> None:
    handler._raw_xsrf_token = (version, token, time.time())
    handler.__dict__.pop("_xsrf_token", None)


def tell_xsrf(handler: RequestHandler, secrets: Sequence[bytes], session_id: str) -> None:
    """Say in the answer which token its page needs: another server at the same host name, such as a
    second fleet, may have replaced the cookie."""
    handler.set_header(HEADER, _token(secrets[0], session_id).hex())


def _token(secret: bytes, session_id: str) -> bytes:
    key = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(key, session_id.encode(), "sha256")[:16]


def _sent(handler: RequestHandler) -> bytes:
    """The token with which a page has sent a request; empty without one."""
    _, token, _ = handler._decode_xsrf_token(handler.request.headers.get("X-XSRFToken", ""))
    return token or b""
