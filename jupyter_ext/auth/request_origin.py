"""Whether a request that carries a login's cookie was made by the fleet's own page.

Browsers send cookies to every port of a host, and with requests that other pages make. So a cookie
alone proves nothing: who has made the request must be told by the browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from jupyter_ext.platform.route_table import READ

_OWN = frozenset({"same-origin", "none"})
DEFAULT_PORTS = {"http": 80, "https": 443}

Origin = tuple[str, str, int | None]


def origin_of(url: str) -> Origin | None:
    """Scheme, host and port of a URL; None if it has none of these (as `null`)."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or DEFAULT_PORTS[parts.scheme]
    except ValueError:
        return None


def foreign(
    method: str, headers: Mapping[str, str], own: Origin | None, *, websocket: bool = False
) -> str:
    """Why a request with a cookie is not the fleet's own page's; empty if it is.

    `own` is where browsers reach the fleet. Opening a page changes nothing, so a link on another
    site may lead to it.
    """
    site, origin = headers.get("Sec-Fetch-Site"), headers.get("Origin")
    if websocket:
        # Browsers send it with each websocket.
        origin = origin or headers.get("Sec-Websocket-Origin")
        return _not_own(origin or "", own)
    if site is not None:
        if site in _OWN or (method in READ and _opens_page(headers)):
            return ""
        return f"a page of another site or port has sent this request ({site})"
    if origin is not None:
        return _not_own(origin, own)
    if method not in READ:
        return "this request does not say which page has sent it (Origin)"
    # Browsers send neither to a host without TLS, but from where the page is.
    referer = headers.get("Referer")
    return "" if referer is None else _not_own(referer, own)


def led_by_a_page(headers: Mapping[str, str]) -> bool:
    """Whether a page may have led here. None has, where a person has typed an address, or clicked
    one outside of the browser.

    The fleet's own page counts as any other: it shows links in notebooks that others have written.
    Without TLS, browsers say nothing of this.
    """
    return headers.get("Sec-Fetch-Site") != "none"


def _opens_page(headers: Mapping[str, str]) -> bool:
    """Whether the answer becomes a page of its own, which its opener cannot read."""
    return (
        headers.get("Sec-Fetch-Mode") == "navigate"
        and headers.get("Sec-Fetch-Dest", "document") == "document"
    )


def _not_own(url: str, own: Origin | None) -> str:
    if own is not None and origin_of(url) == own:
        return ""
    return "a page of another origin has sent this request"
