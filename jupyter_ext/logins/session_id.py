"""The random ID that a browser has in its cookie, and its hash, under which the login is kept.

Half of an ID is a tag that only labs can make: an ID that somebody has made up costs no look-up,
however many are sent.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from jupyter_ext.platform.encryption import SecretBox

_RANDOM_BYTES = 16
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def new_session_id(box: SecretBox) -> str:
    """An ID that nobody can guess; 43 letters."""
    random = secrets.token_bytes(_RANDOM_BYTES)
    return base64.urlsafe_b64encode(random + box.tag(random)).rstrip(b"=").decode()


def is_session_id(box: SecretBox, text: str) -> bool:
    """Whether a lab has made this ID. The login may have ended."""
    if _ID.fullmatch(text) is None:
        return False
    both = base64.urlsafe_b64decode(text + "=")
    # Several texts stand for the same bytes; a browser was given this one.
    same = base64.urlsafe_b64encode(both).rstrip(b"=").decode() == text
    return same and box.is_tagged(both[:_RANDOM_BYTES], both[_RANDOM_BYTES:])


def digest_of(session_id: str) -> str:
    """What the database knows of an ID: who reads the table cannot sign in with it."""
    return hashlib.sha256(session_id.encode()).hexdigest()
