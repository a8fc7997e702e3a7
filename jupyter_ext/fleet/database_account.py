"""Whether two database URLs differ only in who signs in."""

from __future__ import annotations

from urllib.parse import urlsplit


def same_but_account(one: str | None, other: str | None) -> bool:
    """Whether both are the same database, with another user or password."""
    if one is None or other is None:
        return False
    return _without_account(one) == _without_account(other)


def _without_account(url: str) -> tuple[str, ...]:
    parts = urlsplit(url)
    return (parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query)
