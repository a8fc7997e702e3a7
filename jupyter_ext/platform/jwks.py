"""JWKS documents: public keys, and in a fleet's own file also where others are published."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt

ALGORITHMS = ("EdDSA", "ES256", "RS256")
AUDIENCE = "jupyter-fleet"
MOST_LEEWAY_SECONDS = 300


@dataclass(frozen=True)
class Issuer:
    """A platform that publishes its keys at a URL, and what its tokens must say."""

    url: str
    issuer: str
    """The claim `iss`."""
    audience: str = AUDIENCE
    algorithms: tuple[str, ...] = ALGORITHMS
    leeway: float = 0.0
    """How many seconds its clock and ours may differ."""
    rights_url: str = ""
    """Where roles are asked; empty if its tokens name them."""
    renew_url: str = ""
    """Where a login's token is renewed; empty if people sign in again."""
    secret_file: str = ""
    """What the fleet shows of itself at both."""


@dataclass(frozen=True)
class KeyFile:
    """What a fleet's own JWKS file says."""

    keys: Mapping[str, jwt.PyJWK]
    """By key ID."""
    issuers: tuple[Issuer, ...]


def parse_key_file(data: bytes) -> KeyFile:
    """Raises ValueError with the reason if it names neither keys nor issuers."""
    document = json.loads(data)
    keys = parse_keys(document)
    issuers = tuple(_issuer(one) for one in document.get("issuers") or ())
    if not keys and not issuers:
        raise ValueError(f"it holds no public key with a kid for {', '.join(ALGORITHMS)}")
    return KeyFile(keys, issuers)


def parse_keys(document: Any) -> dict[str, jwt.PyJWK]:
    """The public keys of a JWKS document, by key ID; raises ValueError if it is none."""
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError('it is not a JWKS document ({"keys": [...]})')
    keys = {}
    for entry in entries:
        try:
            key = jwt.PyJWK(entry)
        except (jwt.PyJWTError, AttributeError, TypeError):
            # A platform may also publish keys of types that we do not support.
            continue
        # A symmetric key in a public document would let every reader sign.
        if key.key_id and key.algorithm_name in ALGORITHMS and not entry.get("d"):
            keys[key.key_id] = key
    return keys


def is_of_another_type(entry: Mapping[str, Any]) -> bool:
    """Whether it is a public key of a type that we do not support, as platforms may publish."""
    kty, crv, algorithm = entry.get("kty"), entry.get("crv"), entry.get("alg")
    if not isinstance(kty, str) or not kty or kty == "oct" or entry.get("d"):
        return False
    if isinstance(algorithm, str):
        return algorithm not in ALGORITHMS
    if kty in ("EC", "OKP"):
        return isinstance(crv, str) and crv not in ("P-256", "Ed25519")
    return kty != "RSA"


_MEMBERS = frozenset(
    {
        *("jwks_url", "issuer", "audience", "algorithms", "leeway"),
        *("rights_url", "renew_url", "secret_file"),
    }
)


def _issuer(said: Any) -> Issuer:
    if not isinstance(said, dict):
        raise ValueError("each of its issuers must be an object")
    unknown = said.keys() - _MEMBERS
    if unknown:
        raise ValueError(f"its issuers have no {', '.join(sorted(unknown))}")
    url, issuer = said.get("jwks_url"), said.get("issuer")
    audience, leeway = said.get("audience", AUDIENCE), said.get("leeway", 0)
    algorithms = said.get("algorithms", list(ALGORITHMS))
    if not isinstance(url, str) or not is_safe_url(url):
        raise ValueError("an issuer's jwks_url must begin with https://")
    for name, value in (("issuer", issuer), ("audience", audience)):
        if not isinstance(value, str) or not value:
            raise ValueError(f"an issuer's {name} must be a text")
    if not isinstance(algorithms, list) or not algorithms or set(algorithms) - set(ALGORITHMS):
        raise ValueError(f"an issuer's algorithms are some of {', '.join(ALGORITHMS)}")
    if isinstance(leeway, bool) or not isinstance(leeway, int | float):
        raise ValueError("an issuer's leeway is a number of seconds")
    if not 0 <= leeway <= MOST_LEEWAY_SECONDS:
        raise ValueError(f"an issuer's leeway is 0 to {MOST_LEEWAY_SECONDS} seconds")
    issuer, audience = str(issuer), str(audience)
    return Issuer(url, issuer, audience, tuple(algorithms), float(leeway), *_services(said))


def _services(said: dict[str, Any]) -> tuple[str, str, str]:
    """Where roles are asked and tokens renewed, and the file with what is shown there."""
    rights_url, renew_url = said.get("rights_url", ""), said.get("renew_url", "")
    secret_file = said.get("secret_file", "")
    for name, url in (("rights_url", rights_url), ("renew_url", renew_url)):
        if not isinstance(url, str) or (url and not is_safe_url(url)):
            raise ValueError(f"an issuer's {name} must begin with https://")
    if not isinstance(secret_file, str) or bool(secret_file) != bool(rights_url or renew_url):
        raise ValueError(
            "an issuer's secret_file names the file with what the fleet shows at rights_url and"
            " renew_url: it is needed with them, and only with them"
        )
    return rights_url, renew_url, secret_file


def is_safe_url(url: str) -> bool:
    """Whether nobody on the way can replace what is read there."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https":
            return bool(host)
        return parts.scheme == "http" and ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
