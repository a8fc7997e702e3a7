"""Tokens of logins, encrypted: in the database, and in a copy that the browser keeps.

Each names the login that it belongs to, so that none stands for another.
"""

from __future__ import annotations

import json

from jupyter_ext.platform.encryption import DecryptionError, SecretBox

COPY_SECONDS = 600.0
"""How long a copy serves while the database is away."""
_CLOCKS_DIFFER_SECONDS = 60.0


class SealError(Exception):
    """What is sealed cannot be used; the text says why and contains nothing secret."""


def seal_token(box: SecretBox, digest: str, token: str) -> str:
    """A token for the database."""
    return box.encrypt(json.dumps({"login": digest, "token": token}).encode())


def open_token(box: SecretBox, digest: str, sealed: str) -> str:
    """The token of this login; raises SealError."""
    document = _opened(box, digest, sealed)
    if "at" in document:
        raise SealError("a browser's copy is not what the database keeps")
    return str(document["token"])


def seal_copy(box: SecretBox, digest: str, token: str, now: float) -> str:
    """A copy for the browser, made at `now` (seconds since 1970)."""
    document = {"login": digest, "token": token, "at": now}
    return box.encrypt(json.dumps(document).encode())


def open_copy(box: SecretBox, digest: str, copy: str, now: float) -> tuple[str, float]:
    """The token in a browser's copy, and until when it serves (seconds since 1970); raises
    SealError for one that is another login's, too old or no copy."""
    document = _opened(box, digest, copy)
    made = document.get("at")
    if not isinstance(made, float | int) or made > now + _CLOCKS_DIFFER_SECONDS:
        raise SealError("this is not a browser's copy")
    if now >= made + COPY_SECONDS:
        raise SealError("the browser's copy is too old")
    return str(document["token"]), made + COPY_SECONDS


def _opened(box: SecretBox, digest: str, sealed: str) -> dict[str, object]:
    try:
        document: dict[str, object] = json.loads(box.decrypt(sealed))
    except DecryptionError as error:
        raise SealError(str(error)) from error
    if document.get("login") != digest:
        raise SealError("it belongs to another login")
    return document
