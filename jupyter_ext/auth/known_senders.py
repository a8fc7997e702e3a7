"""Whether a request comes from somebody whom the fleet or its platform has once let in, told by its
headers alone, before anything of its body is read.

Only who made a token, cookie or ticket is checked, which needs no database. Whether it has expired,
ended or was revoked is checked where the request is answered.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs

from tornado.httputil import HTTPHeaders, parse_cookie

from jupyter_ext.auth import earlier_cookie
from jupyter_ext.auth.identity_provider import FleetIdentityProvider
from jupyter_ext.auth.lab_secrets import secrets_in
from jupyter_ext.auth.login_cookies import names_in_browsers
from jupyter_ext.platform.kernel_tickets import KernelTickets


class KnownSenders:
    """Of one lab."""

    def __init__(self, settings: dict[str, Any]) -> None:
        """`settings` are those of the lab's application."""
        self._provider: FleetIdentityProvider = settings["identity_provider"]
        self._settings = settings

    def __call__(self, path: str, headers: HTTPHeaders) -> bool:
        """Whether the sender is known; `path` as it stands in the request, with its query."""
        return any(map(self._has_signed, tokens_in(path, headers))) or self._has_login(headers)

    def _has_signed(self, token: str) -> bool:
        tickets = KernelTickets(*secrets_in(self._settings))
        return self._provider.verifier.has_signature(token) or tickets.has_signature(token)

    def _has_login(self, headers: HTTPHeaders) -> bool:
        cookies = parse_cookie(headers.get("Cookie", ""))
        names = names_in_browsers(self._provider.cookie_name)
        if any(self._provider.logins.has_made(cookies[name]) for name in names if name in cookies):
            return True
        secret = self._settings["cookie_secret"]
        return earlier_cookie.is_signed(secret, cookies.get(earlier_cookie.NAME, ""))


def tokens_in(path: str, headers: HTTPHeaders) -> list[str]:
    """What stands in a request where a token may."""
    found = re.match(r"(?:token|bearer)\s+(\S+)", headers.get("Authorization", ""), re.IGNORECASE)
    query = parse_qs(path.partition("?")[2])
    return [*([found[1]] if found else []), *query.get("token", [])[:1]]
