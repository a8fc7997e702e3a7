"""The random ID that a browser has in its cookie, and its hash, under which the login is kept."""

from __future__ import annotations

import hashlib
import re
import secrets

_BYTES = 32
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def new_session_id() -> str:
    """An ID that nobody can guess; 43 letters."""
    return secrets.token_urlsafe(_BYTES)


def is_session_id(text: str) -> bool:
    """Whether the text could be an ID: others cost no look-up."""
    return _ID.fullmatch(text) is not None


def digest_of(session_id: str) -> str:
    """What the database knows of an ID: who reads the table cannot sign in with it."""
    return hashlib.sha256(session_id.encode()).hexdigest()
