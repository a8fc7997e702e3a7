"""Replaces the keys of a fleet while it runs.

Each step leaves files with which every server goes on, and the next `rotate` continues where one
was killed. Servers read the files again when they change, and accept the older key until it is
dropped: when its time is over and nothing is encrypted with it any more.
"""

from __future__ import annotations

import json
import math
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.key_file import (
    Document,
    Older,
    current_of,
    due,
    id_of,
    older_of,
    replaced,
    with_new,
    without,
)
from jupyter_ext.fleet.key_formats import (
    ENCRYPTION_KEYS,
    PUBLIC_KEYS,
    SHARED_SECRETS,
    KeyFormat,
    NoKeyError,
    checked,
)
from jupyter_ext.fleet.platform_key import refuse_unknown_signer
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.platform.encryption import new_key
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.tokens import TokenSigner, create_private_key
from jupyter_ext.wire.routes import ENCRYPTION_ROUTE

HOUR = 3600.0
MOST_NAMED = 3
IN_USE_SECONDS = 60.0
"""For so long after its replacement a server may still store what it has encrypted with a key."""


@dataclass(frozen=True)
class Key:
    """One key of a fleet, which can be replaced."""

    name: str
    use: str
    form: KeyFormat
    keep_seconds: float
    """How long the older one is accepted, unless somebody says otherwise."""
    encrypts_at: Literal["lab", "gateway"] | None = None
    """Which servers have values in their database that it encrypts."""


KEYS = {
    one.name: one
    for one in (
        Key("platform", "signs tokens of the demo platform and of servers", PUBLIC_KEYS, 12 * HOUR),
        Key(
            "encryption",
            "encrypts keys of agents and environments of kernels",
            ENCRYPTION_KEYS,
            HOUR,
            "gateway",
        ),
        # Browsers have IDs that it has marked: a login ends with its key.
        Key(
            "logins",
            "encrypts tokens of logins, marks their IDs",
            ENCRYPTION_KEYS,
            12 * HOUR,
            "lab",
        ),
        Key("labs", "signs tickets of kernels, protects forms", SHARED_SECRETS, HOUR),
    )
}


@dataclass(frozen=True)
class KeyState:
    """Where one key stands."""

    key: Key
    current: str
    older: list[Older]
    unfinished: bool
    """Whether a rotation was interrupted before the new key was used."""
    values: dict[str, int] | None
    """How many values each key encrypts; None if no server says, or it encrypts none."""


class SecretRotation:
    """Rotates the keys of one data directory."""

    def __init__(
        self, data_dir: DataDir, settings: Settings, now: Callable[[], float] = time.time
    ) -> None:
        self._files = SecretFiles(data_dir.secrets)
        self._settings = settings
        self._now = now

    def check(self, key: Key) -> None:
        """Raise FleetError if a key's file lacks the one in use, or holds what is no key; asks a
        server for what it encrypts."""
        document = self._document(key)
        self._used(key, document)
        self._refuse_lost_keys(key, document, self._values(key, "GET"))

    def state(self, key: Key) -> KeyState:
        """Where a key stands; asks a server for what it encrypts."""
        document = self._document(key)
        used, older, values = self._used(key, document), self._older(key), self._values(key, "GET")
        self._refuse_lost_keys(key, document, values)
        return KeyState(key, used, older, self._unfinished(key), values)

    def rotate(self, key: Key, keep_seconds: float) -> str:
        """Use a new key, and accept the older one for so long; what was done. If an older one is
        still accepted, finishes that rotation instead of beginning another. Raises FleetError, and
        changes nothing, if the file lacks the key in use or holds what is no key."""
        self.check(key)
        now = self._now()
        drop_after = now + max(keep_seconds, IN_USE_SECONDS if key.encrypts_at else 0.0)
        older = self._older(key)
        if older and not self._unfinished(key):
            self._renew_service_tokens(key)
            self._renew_values(key)
            return (
                f"{key.name}: {', '.join(one.id for one in older)} is still accepted after the "
                f"last rotation; `jupyter fleet secrets drop {key.name}` ends that"
            )
        if key.name == "platform":
            self._rotate_platform(now, drop_after)
        else:
            entry = _new_secret() if key.name == "labs" else new_key()
            document = self._document(key)
            used = self._used(key, document)
            self._write(key, with_new(document, entry, used, now, drop_after))
        self._renew_values(key)
        used = self._used(key, self._document(key))
        return f"{key.name}: {used} is used from now on"

    def drop(self, key: Key, *, at_once: bool) -> list[str]:
        """Forget older keys whose time is over, or all of them; what was forgotten. Raises
        FleetError while something needs one of them."""
        ids = self.droppable(key, at_once=at_once)
        if not ids:
            return []
        # A rotation may have been killed before it signed the servers' tokens with the new key.
        self._renew_service_tokens(key)
        document = self._document(key)
        self._write(key, without(document, ids, self._used(key, document)))
        # A supervisor of an earlier version may have written tokens of the older key meanwhile.
        self._renew_service_tokens(key)
        return sorted(ids)

    def droppable(self, key: Key, *, at_once: bool) -> set[str]:
        """The IDs of older keys that `drop` would forget; raises as it does, and forgets none."""
        older = self._older(key)
        ids = {one.id for one in older} if at_once else due(older, self._now())
        if not ids or key.encrypts_at is None:
            return ids
        self._refuse_in_use(key, [one for one in older if one.id in ids])
        values = self._values(key, "POST")
        if values is None:
            raise FleetError(
                f"{key.name}: no {key.encrypts_at} answers, which has values that the older key "
                "may encrypt: try again when the fleet runs"
            )
        self._refuse_lost_keys(key, self._document(key), values)
        needed = sorted(one for one in ids if values.get(one))
        if needed:
            raise FleetError(f"{key.name}: values are still encrypted with {needed[0]}")
        return ids

    def _refuse_lost_keys(
        self, key: Key, document: Document, values: Mapping[str, int] | None
    ) -> None:
        """Raise FleetError if there are values, and the file holds none of their keys."""
        with_values = {one for one, count in (values or {}).items() if count}
        if with_values and with_values.isdisjoint(id_of(one) for one in document["keys"]):
            ids = ", ".join(sorted(with_values)[:MOST_NAMED])
            then = "a kernel was started" if key.encrypts_at == "gateway" else "somebody signed in"
            raise FleetError(
                f"{self._file(key)} holds none of the keys with which {key.encrypts_at}s have "
                f"encrypted what they keep ({ids}): restore it from a backup, or put such a key "
                f"behind the others in it. If they are lost for good, try again when {then}"
            )

    def _refuse_in_use(self, key: Key, older: list[Older]) -> None:
        left = max(one.replaced for one in older) + IN_USE_SECONDS - self._now()
        if left > 0:
            raise FleetError(
                f"{key.name}: a server may still be encrypting with the older key: try again in "
                f"{math.ceil(left)} s"
            )

    def has_due(self, key: Key) -> bool:
        """Whether the time of an older key is over."""
        return bool(due(self._older(key), self._now()))

    def _rotate_platform(self, now: float, drop_after: float) -> None:
        key, files = KEYS["platform"], self._files
        if not files.next_platform_key.exists():
            create_private_key(files.next_platform_key)
        public = TokenSigner(files.next_platform_key).public_key
        document = self._document(key)
        used = self._used(key, document)
        # Servers know the new key before anything is signed with it.
        if public["kid"] in [id_of(one) for one in document["keys"]]:
            # By a rotation that was killed: the older key has signed ever since.
            document = replaced(document, used, now, drop_after)
        else:
            document = with_new(document, public, used, now, drop_after)
        self._write(key, document)
        os.replace(files.next_platform_key, files.platform_key)
        self._renew_service_tokens(key)

    def _used(self, key: Key, document: Document) -> str:
        """The ID of the key that is used: what signs tokens need not be first in its file."""
        if key.name != "platform":
            return current_of(document)
        refuse_unknown_signer(self._files)
        return self._files.signer().key_id

    def _older(self, key: Key) -> list[Older]:
        document = self._document(key)
        return older_of(document, self._used(key, document))

    def _unfinished(self, key: Key) -> bool:
        return key.name == "platform" and self._files.next_platform_key.exists()

    def _renew_service_tokens(self, key: Key) -> None:
        if key.name == "platform":
            self._files.renew_service_tokens()

    def _renew_values(self, key: Key) -> None:
        """Have values encrypted with the new key. If no server answers, that is done before the
        older one is dropped."""
        self._values(key, "POST")

    def _values(self, key: Key, method: str) -> dict[str, int] | None:
        if key.encrypts_at is None:
            return None
        gateways = key.encrypts_at == "gateway"
        names = self._settings.gateway_names if gateways else self._settings.lab_names
        token = self._files.sign_service_token(key.encrypts_at)
        for name in names:
            try:
                answer = call(method, self._settings.url(name) + ENCRYPTION_ROUTE, token)
                return dict(answer["values"])
            except CallFailed:
                # It may also be one of the version before.
                continue
        return None

    def _file(self, key: Key) -> Path:
        return {
            "platform": self._files.token_keys,
            "encryption": self._files.encryption_keys,
            "logins": self._files.login_keys,
            "labs": self._files.shared_secrets,
        }[key.name]

    def _document(self, key: Key) -> dict[str, Any]:
        file = self._file(key)
        try:
            return checked(key.form, file.read_bytes())
        except NoKeyError as error:
            raise FleetError(f"{file}: {error}") from error
        except (OSError, ValueError, RecursionError) as error:
            raise FleetError(
                f"{file} cannot be read ({error}): restore it from a backup, or run "
                "`jupyter fleet up` if it is missing"
            ) from error

    def _write(self, key: Key, document: dict[str, Any]) -> None:
        write_private(self._file(key), json.dumps(document, indent=2))


def _new_secret() -> dict[str, str]:
    return {"id": secrets.token_hex(4), "key": secrets.token_hex(32)}
