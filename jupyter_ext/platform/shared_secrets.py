"""Secrets that all labs of a fleet share: they sign tickets of kernels and protect forms.

The first one signs, all are accepted, so that they can be replaced while labs run.
"""

from __future__ import annotations

import json
from pathlib import Path

from jupyter_ext.platform.reloaded_file import ReloadedFile

COOKIE_SECRET = "cookie_secret"  # noqa: S105 (a name)
"""The ID of the server's own secret, which is in no file of these: a fleet begins with it."""


class SharedSecretsError(Exception):
    """The file cannot be used; the text names it and how to fix it."""


class SharedSecrets:
    """`{"keys": [{"id": "…", "key": "<64 hexadecimal digits>"}, …, {"id": "cookie_secret"}]}`, read
    again when it changes. Without a file there is the server's own secret alone.

    Raises SharedSecretsError if the file is missing or holds no key.
    """

    def __init__(self, file: Path | None = None) -> None:
        try:
            self._file = None if file is None else ReloadedFile(file, parse_secrets)
        except (OSError, ValueError) as error:
            raise SharedSecretsError(f"{file}: no secrets can be read from it ({error})") from error

    def all(self, cookie_secret: bytes) -> tuple[bytes, ...]:
        """The newest one first."""
        found = (None,) if self._file is None else self._file.current()
        return tuple(cookie_secret if one is None else one for one in found)


def parse_secrets(data: bytes) -> tuple[bytes | None, ...]:
    """The secrets of a file, None for the server's own; raises ValueError."""
    try:
        entries = json.loads(data)["keys"]
        found = tuple(
            None if entry["id"] == COOKIE_SECRET else bytes.fromhex(entry["key"])
            for entry in entries
        )
    except (KeyError, TypeError) as error:
        raise ValueError('it must be {"keys": [{"id": …, "key": …}]}') from error
    if not found:
        raise ValueError("it holds no key")
    if any(one is not None and len(one) < 32 for one in found):
        raise ValueError("a key must have 64 hexadecimal digits or more")
    return found
