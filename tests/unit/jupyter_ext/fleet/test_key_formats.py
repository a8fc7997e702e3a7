"""What is a key for servers, in each of the files that a rotation changes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.fleet.key_formats import (
    ENCRYPTION_KEYS,
    PUBLIC_KEYS,
    SHARED_SECRETS,
    KeyFormat,
    NoKeyError,
    checked,
)
from jupyter_ext.platform.encryption import new_key
from jupyter_ext.platform.tokens import TokenSigner, create_private_key

FERNET = "A" * 43 + "="
RSA = {"kty": "RSA", "n": "sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1Wl", "e": "AQAB"}


@pytest.fixture
def public(tmp_path: Path) -> dict[str, str]:
    create_private_key(tmp_path / "key.pem")
    return TokenSigner(tmp_path / "key.pem").public_key


def file(*entries: Any, **more: Any) -> bytes:
    return json.dumps({"keys": entries, **more}).encode()


@pytest.mark.parametrize(
    ("form", "entries"),
    [
        (ENCRYPTION_KEYS, [new_key(), {**new_key(), "replaced": 0.0, "drop_after": 5}]),
        (SHARED_SECRETS, [{"id": "a", "key": "0f" * 32}, {"id": "cookie_secret"}]),
    ],
)
def test_keys_are_accepted_as_they_are(form: KeyFormat, entries: list[Any]) -> None:
    assert checked(form, file(*entries, more=1)) == {"keys": entries, "more": 1}


@pytest.mark.parametrize(
    "entry",
    [
        {"kty": "EC", "crv": "P-384", "kid": "x"},
        {"kty": "OKP", "crv": "X25519", "kid": "x"},
        {**RSA, "alg": "RSA-OAEP", "use": "enc", "kid": "x"},
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "x"},
        {"kty": "AKP", "kid": "x"},
    ],
)
def test_public_keys_of_types_that_servers_leave_aside_may_stay(
    public: dict[str, str], entry: dict[str, str]
) -> None:
    assert checked(PUBLIC_KEYS, file(public, entry))["keys"] == [public, entry]


@pytest.mark.parametrize(
    ("form", "entry", "named"),
    [
        *(
            (form, entry, named)
            for form in (PUBLIC_KEYS, ENCRYPTION_KEYS, SHARED_SECRETS)
            for entry, named in (
                ("x", "entry 2 is no key"),
                ([], "entry 2 is no key"),
                ({}, "entry 2 is no key"),
                ({form.id_member: ""}, "entry 2 is no key"),
                ({form.id_member: ["x"]}, "entry 2 is no key"),
                ({form.id_member: "x" * 65}, "entry 2 is no key"),
                ({form.id_member: "x"}, r"entry 2 \('x'\) is no key"),
                ({"id": "x", "key": "AAAA"}, "entry 2"),
            )
        ),
        *(
            (PUBLIC_KEYS, {"kid": "x", **entry}, r"entry 2 \('x'\) is no key")
            for entry in (
                {"kty": "RSA"},
                {"kty": "oct", "k": "AAAA"},
                {"kty": "oct", "k": "AAAA", "alg": "HS256"},
                {"kty": "OKP", "crv": "Ed25519", "x": "AA"},
                {"kty": "OKP", "crv": "X25519", "x": "AA", "d": "AA"},
                {"kty": "OKP"},
                {"kty": "EC", "crv": ["P-384"]},
                {"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "alg": ["ES384"]},
                {"kty": ["RSA"]},
                {"kty": ""},
            )
        ),
        (ENCRYPTION_KEYS, {"id": "x", "key": 5}, "no key"),
        (ENCRYPTION_KEYS, {"id": "a:b", "key": FERNET}, "must not be empty or contain"),
        (ENCRYPTION_KEYS, {"id": 5, "key": FERNET}, "it has no id"),
        (ENCRYPTION_KEYS, {"id": "x", "key": FERNET, "kty": "oct", "kid": "y"}, "another file"),
        (SHARED_SECRETS, {"id": "x", "key": "0f" * 31}, "64 hexadecimal digits"),
        (SHARED_SECRETS, {"id": "x", "key": FERNET}, "hexadecimal"),
        *(
            (SHARED_SECRETS, {"id": "x", "key": "0f" * 32, name: time}, f"{name} must be a number")
            for name in ("replaced", "drop_after")
            for time in ("soon", None, True, -1, float("nan"), 1e300)
        ),
    ],
)
def test_what_is_no_key_is_named_and_what_to_do(
    public: dict[str, str], form: KeyFormat, entry: Any, named: str
) -> None:
    good = {PUBLIC_KEYS: public, ENCRYPTION_KEYS: new_key()}.get(
        form, {"id": "a", "key": "0f" * 32}
    )
    with pytest.raises(NoKeyError, match=rf"{named}.*: remove it, or restore"):
        checked(form, file(good, entry))
    assert checked(form, file(good))["keys"] == [good]


def test_no_two_keys_have_one_id(public: dict[str, str]) -> None:
    for form, key in ((PUBLIC_KEYS, public), (ENCRYPTION_KEYS, new_key())):
        with pytest.raises(NoKeyError, match=r"entry 2 \('.*'\) has the ID of entry 1: remove one"):
            checked(form, file(key, key))


@pytest.mark.parametrize(
    "data", [b"", b"[]", b"null", b"{}", b'{"keys": {}}', b'{"keys": []}', b'{"keys": null}']
)
@pytest.mark.parametrize("form", [PUBLIC_KEYS, ENCRYPTION_KEYS, SHARED_SECRETS])
def test_a_file_without_keys_is_refused(form: KeyFormat, data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no key|Expecting value"):
        checked(form, data)


def test_a_file_that_servers_do_not_take_as_a_whole_is_refused(public: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="jwks_url"):
        checked(PUBLIC_KEYS, file(public, issuers=[{"issuer": "x"}]))
    with pytest.raises(ValueError, match="no public key"):
        checked(PUBLIC_KEYS, file({"kty": "EC", "crv": "P-384", "kid": "x"}))
