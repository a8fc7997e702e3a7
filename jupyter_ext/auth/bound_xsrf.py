"""The token against forged requests belongs to the login.

Stock Tornado compares what a page sends with the cookie `_xsrf`. Any port of the host can set that
cookie, and could so choose what both are. With a login it is derived from the login's ID.
"""

from __future__ import annotations

import hmac
import time

from tornado.web import RequestHandler

_PURPOSE = b"jupyter-fleet xsrf"
_VERSION = 2


def bind_xsrf(handler: RequestHandler, secret: bytes, session_id: str) -> bool:
    """Let `handler` accept this login's token alone; whether the browser has it in its cookie.

    If it has another one, `handler.xsrf_token` sets the cookie.
    """
    key = hmac.digest(secret, _PURPOSE, "sha256")
    expected = hmac.digest(key, session_id.encode(), "sha256")[:16]
    version, token, _ = handler._get_raw_xsrf_token()
    present = version is not None and hmac.compare_digest(token, expected)
    # Tornado sets the cookie of a token without a version.
    handler._raw_xsrf_token = (_VERSION if present else None, expected, time.time())
    handler.__dict__.pop("_xsrf_token", None)
    return present
