"""Encryption of secrets at rest: keys of agents, environments of users, tokens.

Every value carries the ID of the key that encrypted it, so that keys can be rotated: add the new
key at the end of every server's key file, later move it to the front, and remove the old key when
no value needs it any more.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.reloaded_file import ReloadedFile


class EncryptionKeysError(Exception):
    """The key file cannot be used; the text names the file and how to fix it."""


class DecryptionError(Exception):
    """A value cannot be decrypted: its key is not in the key file, or the value was changed."""


_TAGS = b"jupyter-fleet tags"


@dataclass(frozen=True)
class _Key:
    fernet: Fernet
    tags: bytes
    """Makes tags; nothing is encrypted with it."""

    def tag(self, data: bytes) -> bytes:
        return hmac.digest(self.tags, data, "sha256")[:16]


class SecretBox:
    """Encrypts with the first key of ``keys_file`` and decrypts with each of them.

    The file is ``{"keys": [{"id": "…", "key": "<Fernet key>"}, …]}``, read again when it changes.
    Raises `EncryptionKeysError` if it is missing or holds no key.
    """

    def __init__(self, keys_file: Path) -> None:
        try:
            self._keys = ReloadedFile(Path(keys_file), parse_encryption_keys)
        except (OSError, ValueError) as error:
            raise EncryptionKeysError(
                f"{keys_file}: no encryption keys can be read from it ({error})"
            ) from error

    def encrypt(self, plain: bytes) -> str:
        """Return ``<key id>:<Fernet token>``."""
        key_id, key = next(iter(self._keys.current().items()))
        return f"{key_id}:{key.fernet.encrypt(plain).decode()}"

    def key_ids(self) -> list[str]:
        """The IDs of all keys; the first one encrypts."""
        return list(self._keys.current())

    def renewed(self, value: str) -> str | None:
        """The value, encrypted with the first key; None if it cannot be decrypted."""
        try:
            return self.encrypt(self.decrypt(value))
        except DecryptionError:
            return None

    def decrypt(self, value: str) -> bytes:
        """Return what was encrypted, or raise `DecryptionError`."""
        key_id, _, token = value.partition(":")
        key = self._keys.current().get(key_id)
        if key is None:
            raise DecryptionError(
                f"the encryption key {key_id!r} is not in the key file: add it again at the end"
            )
        try:
            return key.fernet.decrypt(token)
        except InvalidToken as error:
            raise DecryptionError(f"a value of key {key_id!r} was changed or cut off") from error

    def tag(self, data: bytes) -> bytes:
        """16 bytes that only who has the first key can make for ``data``."""
        return next(iter(self._keys.current().values())).tag(data)

    def is_tagged(self, data: bytes, tag: bytes) -> bool:
        """Whether one of the keys has made this tag for ``data``."""
        made = [hmac.compare_digest(key.tag(data), tag) for key in self._keys.current().values()]
        return any(made)


def create_keys_file(path: Path) -> None:
    """Write a key file with one new key, readable by its owner only."""
    write_private(Path(path), json.dumps({"keys": [new_key()]}, indent=2))


def new_key() -> dict[str, str]:
    """An entry of a key file."""
    return {"id": secrets.token_hex(4), "key": Fernet.generate_key().decode()}


def parse_encryption_keys(data: bytes) -> dict[str, _Key]:
    """The keys of a file, by ID; raises ValueError."""
    try:
        entries = json.loads(data)["keys"]
        keys = {str(entry["id"]): _key(entry["key"]) for entry in entries}
    except (KeyError, TypeError) as error:
        raise ValueError('it must be {"keys": [{"id": …, "key": …}]}') from error
    if not keys:
        raise ValueError("it holds no key")
    if any(not key_id or ":" in key_id for key_id in keys):
        raise ValueError("a key's id must not be empty or contain ':'")
    return keys


def _key(text: str) -> _Key:
    fernet = Fernet(text)
    return _Key(fernet, hmac.digest(base64.urlsafe_b64decode(text), _TAGS, "sha256"))
