"""The cookies of a login: its ID, and a copy that serves while the database is away.

Under TLS their names have a prefix with which no page without TLS can set or replace them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tornado.web import RequestHandler

LONGEST = 4000
"""Browsers silently drop cookies above 4096 bytes, name and value together."""
PAST = 1.0
"""When a cookie that is cleared has expired, in seconds since 1970."""
_COPY = "-copy"
_HOST, _SECURE = "__Host-", "__Secure-"


def names_in_browsers(name: str) -> tuple[str, ...]:
    """What a cookie with this name is called in browsers, with TLS and without."""
    return name, _HOST + name, _SECURE + name


@dataclass(frozen=True)
class LoginCookies:
    """Names and attributes of the cookies in answers to one request."""

    name: str
    copy_name: str
    attributes: Mapping[str, Any]

    @classmethod
    def of(cls, name: str, base_url: str, *, secure: bool, more: Mapping[str, Any]) -> LoginCookies:
        """`more` are attributes that an operator has chosen."""
        attributes = {"httponly": True, "samesite": "Lax", "path": base_url, **_lower(more)}
        if not secure:
            return cls(name, name + _COPY, attributes)
        attributes["secure"] = True
        # Browsers refuse __Host- with another path, or with a domain.
        whole = attributes["path"] == "/" and not attributes.get("domain")
        prefix = _HOST if whole else _SECURE
        return cls(prefix + name, prefix + name + _COPY, attributes)

    def read(self, handler: RequestHandler) -> tuple[str | None, str | None]:
        """The login's ID and the copy that a browser has sent."""
        return handler.get_cookie(self.name), handler.get_cookie(self.copy_name)

    def set(self, handler: RequestHandler, session_id: str, seconds: float) -> None:
        """Keep the login's ID in the browser."""
        handler.set_cookie(self.name, session_id, max_age=int(seconds), **self.attributes)

    def set_copy(self, handler: RequestHandler, copy: str, seconds: float) -> bool:
        """Keep a copy in the browser; whether it fits there."""
        if len(self.copy_name) + len(copy) > LONGEST:
            return False
        handler.set_cookie(self.copy_name, copy, max_age=int(seconds), **self.attributes)
        return True

    def clear(self, handler: RequestHandler) -> None:
        """Remove both from the browser."""
        # Without the same attributes, a browser keeps what has a prefix.
        for name in (self.name, self.copy_name):
            handler.set_cookie(name, "", expires=PAST, **self.attributes)


def _lower(options: Mapping[str, Any]) -> dict[str, Any]:
    """Tornado takes attributes in either case, such as `SameSite` and `samesite`."""
    return {name.lower(): value for name, value in options.items()}
