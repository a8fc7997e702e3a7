"""How large a request body each route accepts.

Checked for every request before a handler parses the body. A route that is not listed here accepts
a small JSON document; one that reads the body itself, as that of journals, limits it itself.
"""

from __future__ import annotations

import re
from dataclasses import replace

from jupyter_ext.platform.json_bodies import DOCUMENT, SMALL, JsonLimits, check, check_texts

SETTINGS = replace(SMALL, bytes=256 * 1024, containers=10_000)
"""Checking settings against their schema takes far longer than parsing them."""

LIMITS: tuple[tuple[str, re.Pattern[str], JsonLimits], ...] = (
    # A file's content is in the body: only the server's own limit of bytes holds for it.
    ("PUT", re.compile(r"/api/contents/.+"), DOCUMENT),
    ("PUT", re.compile(r"/lab/api/settings(?:/.*)?"), SETTINGS),
)


def limits_of(method: str, path: str) -> JsonLimits:
    """The limits for a body of `method` to `path` (below the base URL)."""
    for name, pattern, limits in LIMITS:
        if name == method and pattern.fullmatch(path):
            return limits
    return SMALL


def check_body(method: str, path: str, body: bytes) -> None:
    """Raises JsonRefused for a body that the route does not accept. Blocks for some ns per byte."""
    limits = limits_of(method, path)
    check(body, limits)
    if limits.bytes is not None:
        check_texts(body)
