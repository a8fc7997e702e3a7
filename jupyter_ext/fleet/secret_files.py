"""Keys, credentials and service tokens of a fleet on one machine, each in a file of mode 0600."""

from __future__ import annotations

import configparser
import fcntl
import io
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jupyter_ext.fleet.store_security import create_store_security
from jupyter_ext.platform.encryption import create_keys_file
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.shared_secrets import COOKIE_SECRET
from jupyter_ext.platform.tokens import TokenSigner, create_keys

SERVICE_TOKEN_SECONDS = 3600
"""Servers read their token at each call; `up` signs the first ones, the supervisor those that
follow."""
RENEW_SECONDS = 600
"""How often the supervisor signs new ones: a token is valid for the 50 min that it may be late."""
LOOK_SECONDS = 5.0
"""How often it looks whether that is due: timers stand still while the machine is suspended."""


def renewal_is_due(renewed: float | None, now: float) -> bool:
    """Whether service tokens that were signed at `renewed` are old; both by the system clock,
    which may also be set back."""
    return renewed is None or not renewed <= now < renewed + RENEW_SECONDS


@dataclass(frozen=True)
class SecretFiles:
    """Paths of the secrets in ``folder``."""

    folder: Path

    @property
    def platform_key(self) -> Path:
        """The demo platform's private key; only the command line and the supervisor read it."""
        return self.folder / "platform.pem"

    @property
    def next_platform_key(self) -> Path:
        """The one that a rotation is about to use."""
        return self.folder / "platform.next.pem"

    @property
    def token_keys(self) -> Path:
        """The platform's public keys (JWKS)."""
        return self.folder / "jwks.json"

    def service_token(self, service: str) -> Path:
        """The file with the token of ``"lab"`` or ``"gateway"``, for these servers."""
        return self.folder / f"{service}.token"

    def sign_service_token(self, service: str) -> str:
        """A new token of ``"lab"`` or ``"gateway"``, for calls of the command line as well: those
        in the files expire while there is no supervisor."""
        return self.signer().sign(service, {}, SERVICE_TOKEN_SECONDS, service=service)

    def renew_service_tokens(self) -> None:
        """Put new tokens into the servers' files. One process at a time: none replaces tokens of a
        new key with those of the key before, which it has read earlier."""
        with self._renewing():
            for service in ("lab", "gateway"):
                write_private(self.service_token(service), self.sign_service_token(service))

    @contextmanager
    def _renewing(self) -> Iterator[None]:
        descriptor = os.open(self.folder / "service_tokens.lock", os.O_RDWR | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @property
    def cookie_secret(self) -> Path:
        """Signs cookies of labs of earlier versions; the same for all labs. Until the first
        rotation of `shared_secrets` it is that as well."""
        return self.folder / "cookie_secret"

    @property
    def shared_secrets(self) -> Path:
        """Sign tickets of kernels and what protects pages; the same for all labs."""
        return self.folder / "lab_secrets.json"

    @property
    def notary_secret(self) -> Path:
        """Signs trusted notebooks; the same for all labs."""
        return self.folder / "notary_secret"

    @property
    def encryption_keys(self) -> Path:
        """Encrypts what gateways keep in SQL about kernels."""
        return self.folder / "encryption_keys.json"

    @property
    def login_keys(self) -> Path:
        """Encrypts the tokens of logins, which labs keep in SQL; the same for all labs."""
        return self.folder / "login_keys.json"

    @property
    def front_certificate(self) -> Path:
        """The certificate that `up` has made for the front, with its key."""
        return self.folder / "front.pem"

    @property
    def store_identities(self) -> Path:
        """The embedded store's accounts."""
        return self.folder / "s3.json"

    @property
    def store_security(self) -> Path:
        """The certificate and keys that protect the embedded store's other ports."""
        return self.folder / "store"

    @property
    def store_credentials(self) -> Path:
        """The labs' account at the embedded store, as a shared credentials file of boto3."""
        return self.folder / "store-credentials"

    @property
    def bucket_credentials(self) -> Path:
        """The account at an external bucket, if `up` was given one in its environment."""
        return self.folder / "bucket-credentials"

    def signer(self) -> TokenSigner:
        """The demo platform's signer."""
        return TokenSigner(self.platform_key)

    def create(self) -> None:
        """Make what is missing and sign new service tokens; what exists stays as it is."""
        if not (self.platform_key.exists() and self.token_keys.exists()):
            create_keys(self.platform_key, self.token_keys)
        for file in (self.cookie_secret, self.notary_secret):
            if not file.exists():
                write_private(file, secrets.token_hex(32))
        for keys in (self.encryption_keys, self.login_keys):
            if not keys.exists():
                create_keys_file(keys)
        if not self.shared_secrets.exists():
            # Labs of the version before know no other.
            first = {"keys": [{"id": COOKIE_SECRET}]}
            write_private(self.shared_secrets, json.dumps(first, indent=2))
        if not (self.store_identities.exists() and self.store_credentials.exists()):
            access_key, secret_key = secrets.token_hex(10), secrets.token_urlsafe(32)
            write_private(self.store_identities, store_identities(access_key, secret_key))
            write_private(self.store_credentials, aws_credentials(access_key, secret_key))
        create_store_security(self.store_security)
        self.renew_service_tokens()

    def keep_bucket_credentials(self, environment: Mapping[str, str]) -> None:
        """Put credentials from the environment into a file, so that no program inherits them."""
        access_key = environment.get("AWS_ACCESS_KEY_ID")
        secret_key = environment.get("AWS_SECRET_ACCESS_KEY")
        if access_key and secret_key:
            session = environment.get("AWS_SESSION_TOKEN")
            write_private(self.bucket_credentials, aws_credentials(access_key, secret_key, session))


def aws_credentials(access_key: str, secret_key: str, session_token: str | None = None) -> str:
    """A shared credentials file with one default account."""
    # No interpolation: a secret may contain "%".
    parser = configparser.RawConfigParser()
    parser["default"] = {
        "aws_access_key_id": access_key,
        "aws_secret_access_key": secret_key,
        **({"aws_session_token": session_token} if session_token else {}),
    }
    text = io.StringIO()
    parser.write(text)
    return text.getvalue()


def store_identities(access_key: str, secret_key: str) -> str:
    """SeaweedFS's ``-s3.config``: one account that may do everything."""
    identity = {
        "name": "labs",
        "credentials": [{"accessKey": access_key, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    return json.dumps({"identities": [identity]}, indent=2)
