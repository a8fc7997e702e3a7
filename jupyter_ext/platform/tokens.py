"""Tokens of the platform: JWTs that say who a caller is and their role in each project.

The claims are described in ``docs/protocols.md``. Servers hold public keys only (a JWKS file).
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import threading
import time
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from jupyter_ext.platform.jwks import AUDIENCE, Issuer, KeyFile, parse_key_file
from jupyter_ext.platform.private_file import write_private
from jupyter_ext.platform.projects import ProjectNameError, check_project_name
from jupyter_ext.platform.published_keys import PublishedKeys
from jupyter_ext.platform.reloaded_file import ReloadedFile
from jupyter_ext.platform.revocations import (
    LATEST_EXPIRY,
    LONGEST_TOKEN_SECONDS,
    Revocation,
    RevocationError,
    Revocations,
    Revoked,
    revocation_from,
)
from jupyter_ext.platform.roles import Role

REVOCATION_AUDIENCE = "jupyter-fleet-revocations"
CLOCKS_DIFFER_SECONDS = 60.0
FIRST_ANSWER_SECONDS = 5.0
"""How long a server that starts waits for the keys of all issuers."""
SERVICES = ("lab", "gateway")
LONGEST_USER_NAME = 255
_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, halves of surrogate pairs, separators of lines and paragraphs."""


class TokenError(Exception):
    """The token is not accepted; the text says why and contains nothing secret."""


class TokenKeysError(Exception):
    """A key file cannot be used; the text names the file."""


@dataclass(frozen=True)
class Identity:
    """A caller, as a verified token describes them."""

    user: str
    display_name: str
    projects: Mapping[str, Role] = field(hash=False)
    service: str | None
    """``"lab"`` or ``"gateway"`` if the caller is one of our own servers, else None."""
    expires: float
    """When the token, and every login made with it, expires; seconds since 1970."""
    token: str = field(repr=False)
    """The token itself, to be passed on to a gateway; never to be logged."""
    issued: float = 0.0
    """When the token was issued; seconds since 1970."""
    reduced: bool = False
    """Whether roles that the token names were taken back since it was issued."""
    issuer: Issuer | None = None
    """The platform with a URL that has issued it. If that is asked for roles (`Rights`), a token
    alone gives none."""

    def role(self, project: str) -> Role | None:
        """The role in ``project``, None without one. Our own servers are owners everywhere."""
        return Role.OWNER if self.service else self.projects.get(project)

    def may(self, project: str, role: Role) -> bool:
        """Whether the caller may do in ``project`` what ``role`` allows."""
        held = self.role(project)
        return held is not None and held.includes(role)


class TokenVerifier:
    """Checks tokens against the public keys of a JWKS file, which is read again when it changes.

    Raises `TokenKeysError` at once if the file is missing or has no usable key. Blocks for up to
    `FIRST_ANSWER_SECONDS`, only while it is made: each server makes one, before it serves, which
    reads keys at URLs in threads of their own.
    """

    def __init__(self, keys_file: Path, revocations: Revocations | None = None) -> None:
        """`revocations` may grow while this verifier is in use."""
        self.revocations = revocations or Revocations()
        try:
            self._file = ReloadedFile(Path(keys_file), parse_key_file)
        except (OSError, ValueError) as error:
            raise TokenKeysError(
                f"{keys_file}: no public keys for tokens can be read from it ({error});"
                " put the platform's JWKS document there"
            ) from error
        self._published: dict[Issuer, PublishedKeys] = {}
        self._lock = threading.Lock()
        self._watch_issuers(self._file.current())
        deadline = time.monotonic() + FIRST_ANSWER_SECONDS
        for known in self._published.values():
            known.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        """Read no keys any more."""
        for known in self._published.values():
            known.stop()

    def basis(self) -> object:
        """What answers depend on: unequal as soon as there are other keys or revocations, so that a
        caller knows when what was verified must be verified again."""
        own = self._file.current()
        self._watch_issuers(own)
        published = tuple(known.current() for known in self._published.values())
        return own, published, self.revocations.version

    def _watch_issuers(self, file: KeyFile) -> None:
        """Read the keys of those that the file names, and of no others."""
        if self._published.keys() == set(file.issuers):
            return
        with self._lock:
            kept = {one: self._published.get(one) for one in file.issuers}
            for issuer, known in self._published.items():
                if issuer not in kept:
                    known.stop()
            published = {}
            for issuer, before in kept.items():
                known = before or PublishedKeys(issuer.url)
                if before is None:
                    known.start()
                published[issuer] = known
            self._published = published

    def verify(self, token: str) -> Identity:
        """Return the caller that ``token`` identifies, or raise `TokenError`."""
        claims, issuer = self._claims(token, AUDIENCE)
        if issuer is not None:
            if claims.get("service") is not None:
                raise TokenError("only the fleet's own keys make tokens of services")
            claims["exp"] = _expiry(claims["exp"]) + issuer.leeway
            if issuer.rights_url:
                claims["projects"] = {}
        identity = replace(identity_from_claims(claims, token), issuer=issuer)
        return identity if identity.service else self._of_person(identity)

    def verify_revocation(self, token: str) -> Revocation:
        """Return what the platform revokes with ``token``.

        It holds for tokens that were issued up to the second in which it was signed. Raises
        `TokenError` if the platform has not signed it, `RevocationError` if it has, and it says
        nothing that can be revoked.
        """
        claims, _ = self._claims(token, REVOCATION_AUDIENCE)
        revocation = revocation_from(claims, claims["iat"])
        if revocation.until > time.time() + CLOCKS_DIFFER_SECONDS:
            raise RevocationError("the revocation was issued in the future (claim iat)")
        return revocation

    def has_signature(self, token: str) -> bool:
        """Whether a known key has signed this, which may have expired since."""
        try:
            key, _ = self._key_of(token)
            jwt.PyJWS().decode(token, key, algorithms=[key.algorithm_name])
        except (TokenError, jwt.PyJWTError, UnicodeError):
            return False
        return True

    def _of_person(self, identity: Identity) -> Identity:
        """Without what was revoked, and for no longer than revocations are kept."""
        when, holds = identity.issued, self.revocations.holds
        last = when + LONGEST_TOKEN_SECONDS
        if time.time() >= last:
            raise TokenError("the token was issued too long ago: sign in again")
        identity = replace(identity, expires=min(identity.expires, last))
        if holds(Revoked.USER, identity.user, when):
            raise TokenError("your access was withdrawn: sign in again")
        if not any(holds(Revoked.PROJECT, project, when) for project in identity.projects):
            return identity
        left = {
            project: role
            for project, role in identity.projects.items()
            if not holds(Revoked.PROJECT, project, when)
        }
        return replace(identity, projects=MappingProxyType(left), reduced=True)

    def _key_of(self, token: str) -> tuple[jwt.PyJWK, Issuer | None]:
        """The key that has signed a token, and who has published it; None for the fleet's own."""
        if not token.isascii():
            raise TokenError("this is not a token (a signed JWT is expected)")
        file = self._file.current()
        try:
            key_id = jwt.get_unverified_header(token).get("kid", "")
            own = file.keys.get(key_id)
            if own is not None:
                return own, None
            named = jwt.decode(token, options={"verify_signature": False}).get("iss")
        except jwt.PyJWTError as error:
            raise TokenError("this is not a token (a signed JWT is expected)") from error
        self._watch_issuers(file)
        for issuer, known in self._published.items():
            if issuer.issuer != named:
                continue
            key = known.current().get(key_id)
            if key is not None and key.algorithm_name in issuer.algorithms:
                return key, issuer
            known.look_again()
        raise TokenError("the token is signed by a key that this fleet does not know")

    def _claims(self, token: str, audience: str) -> tuple[dict[str, Any], Issuer | None]:
        """Verified claims of a token, and who has issued it if that is a platform with a URL."""
        key, issuer = self._key_of(token)
        if issuer is not None and audience == AUDIENCE:
            audience = issuer.audience
        subject = () if audience == REVOCATION_AUDIENCE else ("sub",)
        required = ["exp", "iat", *subject, "aud"]
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[key.algorithm_name],
                audience=audience,
                issuer=None if issuer is None else issuer.issuer,
                leeway=0 if issuer is None else issuer.leeway,
                # "Issued in the future" only says that two clocks differ.
                options={"require": required, "verify_iat": False},
            )
        except jwt.ExpiredSignatureError as error:
            raise TokenError("the token has expired: sign in again") from error
        except jwt.InvalidAudienceError as error:
            raise TokenError(f"the token is not meant for {audience} (claim aud)") from error
        except jwt.MissingRequiredClaimError as error:
            raise TokenError(f"the token lacks the claim {error.claim}") from error
        except jwt.InvalidSignatureError as error:
            raise TokenError("the token's signature is wrong") from error
        except jwt.PyJWTError as error:
            raise TokenError(f"the token is not valid: {error}") from error
        return claims, issuer


def identity_from_claims(claims: Mapping[str, Any], token: str) -> Identity:
    """Turn verified claims into an `Identity`; raises `TokenError` for invalid ones."""
    user = claims["sub"]
    if not isinstance(user, str) or not user.strip() or len(user) > LONGEST_USER_NAME:
        raise TokenError(
            f"the token's user name (sub) must have 1 to {LONGEST_USER_NAME} characters"
        )
    if not user.isprintable():
        raise TokenError("the token's user name (sub) contains control characters")
    name = claims.get("name") or user
    if not isinstance(name, str):
        raise TokenError("the token's display name (name) must be a string")
    if any(unicodedata.category(character) in _NOT_IN_NAMES for character in name):
        raise TokenError("the token's display name (name) contains control characters")
    service = claims.get("service")
    if service is not None and service not in SERVICES:
        raise TokenError(f"the token names an unknown service {service!r}")
    roles = claims.get("projects") or {}
    if not isinstance(roles, Mapping):
        raise TokenError('the token\'s projects are not an object such as {"demo": "owner"}')
    return Identity(
        user=user,
        display_name=name,
        projects=MappingProxyType({check_grant(p, r): Role(r) for p, r in roles.items()}),
        service=service,
        expires=_expiry(claims["exp"]),
        token=token,
        issued=_issued(claims.get("iat")),
    )


def _issued(claimed: object) -> float:
    # Without a time, it counts as old.
    if isinstance(claimed, bool) or not isinstance(claimed, int | float):
        return 0.0
    return float(claimed) if 0 <= claimed < LATEST_EXPIRY else 0.0


def _expiry(claimed: object) -> float:
    if isinstance(claimed, bool) or not isinstance(claimed, int | float):
        raise TokenError("the token's expiry (exp) must be a number of seconds since 1970")
    # Compared first: an integer may be too large for a float.
    if not claimed < LATEST_EXPIRY:
        raise TokenError("the token's expiry (exp) must be before the year 3000")
    return float(claimed)


def check_grant(project: str, role: object) -> str:
    """Return ``project`` if its name and the role are valid, else raise `TokenError`."""
    if role not in [known.value for known in Role]:
        raise TokenError(f"{role!r} is not a role (in project {project!r}): use {', '.join(Role)}")
    try:
        return check_project_name(project)
    except ProjectNameError as error:
        raise TokenError(str(error)) from error


class TokenSigner:
    """Signs tokens with a private key: the platform's part, played by ``jupyter fleet token``.

    Raises `TokenKeysError` if the file holds no Ed25519 private key in PEM.
    """

    def __init__(self, private_key_file: Path) -> None:
        try:
            key = serialization.load_pem_private_key(Path(private_key_file).read_bytes(), None)
        except (OSError, ValueError, TypeError) as error:
            raise TokenKeysError(
                f"{private_key_file}: no private key can be read ({error})"
            ) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise TokenKeysError(f"{private_key_file}: an Ed25519 private key is expected")
        self._key = key
        self.public_key = _public_jwk(key.public_key())
        """As an entry of a JWKS document."""
        self._key_id = self.public_key["kid"]

    @property
    def key_id(self) -> str:
        """The ID of its key."""
        return self._key_id

    def sign(
        self,
        user: str,
        projects: Mapping[str, Role | str],
        expires_in: float,
        service: str | None = None,
        display_name: str | None = None,
    ) -> str:
        """Return a token for ``user`` that ends ``expires_in`` seconds from now.

        Raises `TokenError` for claims that no verifier would accept (roles, project names,
        services).
        """
        now = time.time()
        claims: dict[str, Any] = {
            "sub": user,
            "aud": AUDIENCE,
            "iat": int(now),
            "exp": math.ceil(now + expires_in),
            "projects": {project: str(role) for project, role in projects.items()},
        }
        if display_name:
            claims["name"] = display_name
        if service:
            claims["service"] = service
        identity_from_claims(claims, "")
        return self._signed(claims)

    def sign_revocation(self, kind: Revoked, name: str) -> str:
        """Return what revokes, sent within ten minutes, all tokens of a user, or all roles in a
        project, that were given until now."""
        now = int(time.time())
        claims = {"aud": REVOCATION_AUDIENCE, "iat": now, "exp": now + 600, str(kind): name}
        return self._signed(claims)

    def _signed(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._key_id})


def create_keys(private_file: Path, jwks_file: Path) -> None:
    """Make a new Ed25519 key pair: the private key in PEM, the public one as a JWKS document."""
    create_private_key(private_file)
    public = TokenSigner(private_file).public_key
    write_private(Path(jwks_file), json.dumps({"keys": [public]}, indent=2))


def create_private_key(file: Path) -> None:
    """Make a new Ed25519 private key in PEM."""
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    write_private(Path(file), pem)


def _public_jwk(key: Ed25519PublicKey) -> dict[str, str]:
    raw = key.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    members = {"crv": "Ed25519", "kty": "OKP", "x": _base64url(raw)}
    # The key id is the thumbprint of RFC 7638, so that a private key alone knows its own id.
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":")).encode()
    thumbprint = _base64url(hashlib.sha256(canonical).digest())
    return {**members, "kid": thumbprint, "use": "sig", "alg": "EdDSA"}


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
