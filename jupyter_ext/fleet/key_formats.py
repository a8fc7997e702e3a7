"""What must stand in the files of a fleet's keys: entries that servers take for keys.

Servers ignore what is no key, or keep the keys that they read before. If a rotation put its new key
beside such an entry, the key in use could be lost.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_ext.fleet.key_file import DROP_AFTER, REPLACED, id_of
from jupyter_ext.platform.encryption import parse_encryption_keys
from jupyter_ext.platform.jwks import is_of_another_type, parse_key_file
from jupyter_ext.platform.revocations import LATEST_EXPIRY
from jupyter_ext.platform.shared_secrets import parse_secrets

_LONGEST_SHOWN = 64


@dataclass(frozen=True)
class KeyFormat:
    """How servers read one of the files."""

    id_member: str
    parse: Callable[[bytes], object]
    """The servers' own parser of the whole file; raises ValueError."""
    ignores: Callable[[Mapping[str, Any]], bool] = lambda entry: False
    """Which entries servers leave aside although nothing is wrong with them."""


PUBLIC_KEYS = KeyFormat("kid", parse_key_file, is_of_another_type)
ENCRYPTION_KEYS = KeyFormat("id", parse_encryption_keys)
SHARED_SECRETS = KeyFormat("id", parse_secrets)


class NoKeyError(ValueError):
    """An entry is no key; the text names it and says why, and what is to be done."""


def checked(form: KeyFormat, data: bytes) -> dict[str, Any]:
    """The document of a file, whose entries are all keys with IDs of their own. Raises NoKeyError,
    and ValueError for what is wrong with the file as a whole."""
    document = json.loads(data)
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list) or not entries:
        raise ValueError("there is no key in it")
    seen: dict[str, int] = {}
    for number, entry in enumerate(entries, 1):
        problem = _problem(form, entry)
        if problem is not None:
            raise NoKeyError(
                f"{_name(form, number, entry)} is no key that servers can use ({problem}): remove "
                "it, or restore the file from a backup if it was one"
            )
        first = seen.setdefault(id_of(entry), number)
        if first != number:
            raise NoKeyError(
                f"{_name(form, number, entry)} has the ID of entry {first}: remove one of them"
            )
    form.parse(data)
    return dict(document)


def _name(form: KeyFormat, number: int, entry: Any) -> str:
    key_id = entry.get(form.id_member) if isinstance(entry, dict) else None
    named = isinstance(key_id, str) and 0 < len(key_id) <= _LONGEST_SHOWN
    return f"entry {number} ({key_id!r})" if named else f"entry {number}"


def _problem(form: KeyFormat, entry: Any) -> str | None:
    """Why servers do not take an entry for a key; None if they do."""
    if not isinstance(entry, dict):
        return "it is not an object"
    key_id = entry.get(form.id_member)
    if not isinstance(key_id, str) or not key_id:
        return f"it has no {form.id_member}"
    try:
        form.parse(json.dumps({"keys": [entry]}).encode())
    except ValueError as error:
        if not form.ignores(entry):
            return str(error)
    if ("kty" in entry) != (form.id_member == "kid"):
        return "it is a key of another file"
    for name in (REPLACED, DROP_AFTER):
        if name in entry and not _is_time(entry[name]):
            return f"{name} must be a number of seconds since 1970"
    return None


def _is_time(value: object) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and 0 <= value < LATEST_EXPIRY  # type: ignore[operator]
