"""Tokens that nobody may accept, by name."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from jupyter_ext.platform.kernel_tickets import KernelTicket, KernelTickets
from jupyter_ext.platform.roles import Role

_HASHES = {"HS256": hashlib.sha256, "HS384": hashlib.sha384, "HS512": hashlib.sha512}
DEEP = "[" * 20_000 + "]" * 20_000


def _part(data: bytes | str | dict[str, Any]) -> str:
    if isinstance(data, dict):
        data = json.dumps(data)
    raw = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


class Attacker:
    """Knows the public keys, one token of its own, and everything about the formats."""

    def __init__(self, folder: Path) -> None:
        """`folder` has the platform's `private.pem` and `jwks.json`."""
        key = load_pem_private_key((folder / "private.pem").read_bytes(), None)
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        self._key = key
        (self._jwk,) = json.loads((folder / "jwks.json").read_text())["keys"]
        self._header = {"alg": "EdDSA", "typ": "JWT", "kid": self._jwk["kid"]}
        now = int(time.time())
        self._claims: dict[str, Any] = {
            "sub": "mallory",
            "aud": "jupyter-fleet",
            "iat": now,
            "exp": now + 3600,
            "projects": {"demo": "viewer"},
        }
        self.own = self._signed(self._claims)

    def _signed(
        self, claims: dict[str, Any] | str | bytes, header: dict[str, Any] | str | None = None
    ) -> str:
        """By the platform: what its own faults could make."""
        begin = f"{_part(self._header if header is None else header)}.{_part(claims)}"
        return f"{begin}.{_part(self._key.sign(begin.encode()))}"

    def all(self) -> Iterator[tuple[str, str]]:
        """Names and tokens."""
        yield from self._algorithms()
        yield from self._other_keys()
        yield from self._headers()
        yield from self._signatures()
        yield from self._changed_claims()
        yield from self._broken_claims()
        yield from self._shapes()

    def _algorithms(self) -> Iterator[tuple[str, str]]:
        for name in ("none", "None", "NONE", "nOnE", "", "null"):
            begin = f"{_part({**self._header, 'alg': name})}.{_part(self._claims)}"
            yield f"alg {name!r} without signature", f"{begin}."
            yield f"alg {name!r} with a signature", f"{begin}.{self.own.rpartition('.')[2]}"
        public = self._key.public_key()
        secrets = {
            "pem": public.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "der": public.public_bytes(
                serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
            ),
            "raw": public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw),
            "jwk": json.dumps(self._jwk).encode(),
            "x": self._jwk["x"].encode(),
            "kid": self._jwk["kid"].encode(),
            "nothing": b"",
        }
        for algorithm, digest in _HASHES.items():
            for name, secret in secrets.items():
                begin = f"{_part({**self._header, 'alg': algorithm})}.{_part(self._claims)}"
                signature = hmac.new(secret, begin.encode(), digest).digest()
                yield f"{algorithm} with the public key as {name}", f"{begin}.{_part(signature)}"

    def _other_keys(self) -> Iterator[tuple[str, str]]:
        keys: dict[str, Any] = {
            "EdDSA": ed25519.Ed25519PrivateKey.generate(),
            "ES256": ec.generate_private_key(ec.SECP256R1()),
            "RS256": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        }
        for algorithm, key in keys.items():
            raw = key.public_key()
            embedded = jwt.get_algorithm_by_name(algorithm).to_jwk(raw, as_dict=True)
            for name, header in {
                "the platform's kid": {"kid": self._jwk["kid"]},
                "no kid": {},
                "an empty kid": {"kid": ""},
                "a path as kid": {"kid": "../../../dev/null"},
                "SQL as kid": {"kid": "' OR 1=1 --"},
                "its own key inside": {"kid": self._jwk["kid"], "jwk": embedded},
                "its own key elsewhere": {"kid": "mine", "jku": "http://127.0.0.1:1/jwks.json"},
                "a certificate elsewhere": {"kid": "mine", "x5u": "http://127.0.0.1:1/x.pem"},
                "a certificate inside": {"kid": "mine", "x5c": ["MIIB"]},
            }.items():
                token = jwt.encode(self._claims, key, algorithm=algorithm, headers=header)
                yield f"{algorithm} with another key and {name}", token

    def _headers(self) -> Iterator[tuple[str, str]]:
        kid = self._jwk["kid"]
        for header in (
            {"alg": "EdDSA", "kid": kid, "crit": ["exp"]},
            {"alg": "EdDSA", "kid": kid, "crit": ["b64"], "b64": False},
            {"alg": "EdDSA", "kid": [kid]},
            {"alg": "EdDSA", "kid": {"a": kid}},
            {"alg": "EdDSA", "kid": None},
            {"alg": "EdDSA", "kid": 1},
            {"alg": ["EdDSA"], "kid": kid},
            {"alg": {}, "kid": kid},
            {"alg": None, "kid": kid},
            {"alg": "ES256", "kid": kid},
            {"alg": "RS256", "kid": kid},
            {"alg": "PS256", "kid": kid},
            {"alg": "ES256K", "kid": kid},
            {"kid": kid},
            {},
        ):
            yield f"header {header}", self._signed(self._claims, header)
        for text in ("[]", "1", "null", "", "{", '"x"', "{\x00}", DEEP, "9" * 5000):
            yield f"header {text[:10]!r}", self._signed(self._claims, text)

    def _signatures(self) -> Iterator[tuple[str, str]]:
        begin, _, signature = self.own.rpartition(".")
        for number in range(0, len(signature) - 1, 5):
            letter = "B" if signature[number] == "A" else "A"
            changed = signature[:number] + letter + signature[number + 1 :]
            yield f"signature changed at {number}", f"{begin}.{changed}"
        for cut in (0, 1, 10, 43, 85):
            yield f"signature cut at {cut}", f"{begin}.{signature[:cut]}"
        for name, other in {
            "twice": signature * 2,
            "of zeros": _part(bytes(64)),
            "of ones": _part(b"\xff" * 64),
            "in a list": _part(f"[{signature}]"),
            "with more": signature + "AAAA",
        }.items():
            yield f"signature {name}", f"{begin}.{other}"

    def _changed_claims(self) -> Iterator[tuple[str, str]]:
        header, _, signature = self.own.split(".")
        for name, value in (
            ("sub", "root"),
            ("sub", "ada"),
            ("projects", {"demo": "owner"}),
            ("projects", {"other": "viewer"}),
            ("service", "lab"),
            ("service", "gateway"),
            ("exp", self._claims["exp"] + 1),
            ("name", "Somebody Else"),
        ):
            payload = _part({**self._claims, name: value})
            yield f"{name} {value} with the old signature", f"{header}.{payload}.{signature}"

    def _broken_claims(self) -> Iterator[tuple[str, str]]:
        past = int(time.time()) - 10
        for name, values in {
            "exp": (past, -1, 0, True, None, "x", "4000000000", [], {}, 10**400, 1e300, -(10**400)),
            "nbf": (self._claims["exp"], "x", [], 10**400),
            "aud": ("other", "", None, [], {}, ["other"], 1, "jupyter-fleet-kernel"),
            "sub": ("", " ", None, 1, [], {}, "x" * 256, "a\nb", "\ud800", "a\x00b"),
            "name": (1, ["x"], {"a": 1}, "a\nb", "\ud800"),
            "projects": (
                1,
                "demo",
                [["demo", "owner"]],
                {"demo": "root"},
                {"demo": None},
                {"demo": []},
                {"../x": "owner"},
                {"": "owner"},
                {"\ud800": "owner"},
            ),
            "service": ("root", "", 1, [], {}, ["lab"], True),
        }.items():
            for value in values:
                token = self._signed({**self._claims, name: value})
                yield f"{name} {str(value)[:20]!r}", token
        for name in ("exp", "iat", "sub", "aud"):
            claims = {key: value for key, value in self._claims.items() if key != name}
            yield f"no {name}", self._signed(claims)
        for number in ("Infinity", "NaN", "-Infinity", "9" * 5000):
            text = json.dumps(self._claims).replace(str(self._claims["exp"]), number)
            yield f"exp {number[:10]}", self._signed(text)
        for text in ("[]", "null", "1", '"x"', "", "{", DEEP, b"\xff\xfe"):
            yield f"claims {text[:10]!r}", self._signed(text)

    def _shapes(self) -> Iterator[tuple[str, str]]:
        header, payload, signature = self.own.split(".")
        ticket = KernelTicket("k", "demo", Role.OWNER, "mallory", "", "python", 1)
        yield "a kernel's ticket", KernelTickets(b"guessed").issue(ticket, 60)
        yield from {
            "nothing": "",
            "dots": "..",
            "two parts": f"{header}.{payload}",
            "four parts": f"{self.own}.{signature}",
            "five parts": f"{self.own}.{signature}.{signature}",
            "a space inside": f"{header}. {payload}.{signature}",
            "NUL at the end": f"{self.own}\0",
            "a line break inside": f"{header}\n.{payload}.{signature}",
            "not ASCII": f"{header}\u00e9.{payload}.{signature}",
            "a surrogate": f"\ud800.{payload}.{signature}",
            "as JSON": json.dumps(
                {"protected": header, "payload": payload, "signature": signature}
            ),
            "its parts turned around": f"{signature}.{payload}.{header}",
            "long": "A" * 1_000_000,
            "upper case": self.own.upper(),
            "escaped": self.own.replace(".", "%2E"),
        }.items()


def sendable(attacks: Iterator[tuple[str, str]]) -> dict[str, str]:
    """Those that a client can put into a header."""
    return {
        name: token
        for name, token in attacks
        if token.strip() and token.isascii() and token.isprintable() and len(token) < 30_000
    }
