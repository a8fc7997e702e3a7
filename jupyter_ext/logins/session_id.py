"""The random ID that a browser has in its cookie, and its hash, under which the login is kept.
Codes that sign a browser in are made in the same way.

Half of an ID is a tag that only labs can make, not the same for logins and codes: an ID that
somebody has made up, and a code in its place, cost no look-up, however many are sent.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from jupyter_ext.platform.encryption import SecretBox

_RANDOM_BYTES = 16
# What is before the random bytes when they are tagged.
_LOGIN, _CODE = b"", b"code"
_ID = re.compile(r"[A-Za-z0-9_-]{43}")


def new_session_id(box: SecretBox) -> str:
    """An ID that nobody can guess; 43 letters."""
    return _new(box, _LOGIN)


def is_session_id(box: SecretBox, text: str) -> bool:
    """Whether a lab has made this ID. The login may have ended."""
    return _is_made(box, _LOGIN, text)


def new_code(box: SecretBox) -> str:
    """A code that nobody can guess; it looks like an ID and is none."""
    return _new(box, _CODE)


def is_code(box: SecretBox, text: str) -> bool:
    """Whether a lab has made this code, which may no longer be valid."""
    return _is_made(box, _CODE, text)


def _new(box: SecretBox, purpose: bytes) -> str:
    random = secrets.token_bytes(_RANDOM_BYTES)
    tag = box.tag(purpose + random)
    return base64.urlsafe_b64encode(random + tag).rstrip(b"=").decode()


def _is_made(box: SecretBox, purpose: bytes, text: str) -> bool:
    if _ID.fullmatch(text) is None:
        return False
    both = base64.urlsafe_b64decode(text + "=")
    # Several texts stand for the same bytes; a browser was given this one.
    same = base64.urlsafe_b64encode(both).rstrip(b"=").decode() == text
    return same and box.is_tagged(purpose + both[:_RANDOM_BYTES], both[_RANDOM_BYTES:])


def digest_of(session_id: str) -> str:
    """What the database knows of an ID: who reads the table cannot sign in with it."""
    return hashlib.sha256(session_id.encode()).hexdigest()
