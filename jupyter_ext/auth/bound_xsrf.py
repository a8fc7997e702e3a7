"""The token against forged requests belongs to the login.

Stock Tornado compares what a page sends with the cookie `_xsrf`. Any port of the host can set that
cookie, and could so choose what both are. With a login it is derived from the login's ID.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Sequence

from tornado.web import RequestHandler

_PURPOSE = b"jupyter-fleet xsrf"
_VERSION = 2


def bind_xsrf(handler: RequestHandler, secrets: Sequence[bytes], session_id: str) -> bool:
    """Let `handler` accept this login's token alone; whether the browser has the newest one, of the
    first secret, in its cookie. `renew_xsrf` gives it that one."""
    tokens = [_token(secret, session_id) for secret in secrets]
    version, sent, _ = handler._get_raw_xsrf_token()
    known = [one for one in tokens if version is not None and hmac.compare_digest(sent, one)]
    # Tornado sets the cookie of a token without a version.
    _expect(handler, _VERSION if known else None, (known or tokens)[0])
    return known[:1] == tokens[:1]


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


def _token(secret: bytes, session_id: str) -> bytes:
    key = hmac.digest(secret, _PURPOSE, "sha256")
    return hmac.digest(key, session_id.encode(), "sha256")[:16]
