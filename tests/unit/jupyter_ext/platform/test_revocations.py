"""Tokens that the platform takes back."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest

from jupyter_ext.platform.revocations import (
    LONGEST_TOKEN_SECONDS,
    Revocation,
    RevocationError,
    Revocations,
    Revoked,
    revocation_from,
)
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import (
    REVOCATION_AUDIENCE,
    TokenError,
    TokenSigner,
    TokenVerifier,
    create_keys,
)


@pytest.fixture
def signer(tmp_path: Path) -> TokenSigner:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    return TokenSigner(tmp_path / "private.pem")


@pytest.fixture
def verifier(signer: TokenSigner, tmp_path: Path) -> TokenVerifier:
    return TokenVerifier(tmp_path / "jwks.json", Revocations())


def test_a_users_tokens_are_not_accepted_any_more_and_new_ones_are(
    signer: TokenSigner, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada, bob = signer.sign("ada", {}, 3600), signer.sign("bob", {}, 3600)
    basis = verifier.basis()
    revocation = verifier.verify_revocation(signer.sign_revocation(Revoked.USER, "ada"))
    verifier.revocations.add([revocation])
    assert verifier.basis() != basis
    with pytest.raises(TokenError, match="withdrawn"):
        verifier.verify(ada)
    assert verifier.verify(bob).user == "bob"
    later = time.time() + 2
    monkeypatch.setattr(time, "time", lambda: later)
    assert verifier.verify(signer.sign("ada", {}, 3600)).user == "ada"


def test_a_project_takes_its_role_from_tokens_and_leaves_the_others(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    token = signer.sign("ada", {"demo": "owner", "other": "viewer"}, 3600)
    verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time())])
    identity = verifier.verify(token)
    assert dict(identity.projects) == {"other": Role.VIEWER}
    assert identity.role("demo") is None
    assert identity.token == token


def test_the_fleets_own_servers_are_nobodys_namesake(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    verifier.revocations.add([Revocation(Revoked.USER, "lab", time.time())])
    assert verifier.verify(signer.sign("lab", {}, 60, service="lab")).service == "lab"


def test_of_two_for_one_name_the_later_holds() -> None:
    known, now = Revocations(), time.time()
    known.add([Revocation(Revoked.USER, "ada", now), Revocation(Revoked.USER, "ada", now - 5)])
    version = known.version
    assert known.holds(Revoked.USER, "ada", now)
    assert not known.holds(Revoked.USER, "ada", now + 0.1)
    assert not known.holds(Revoked.PROJECT, "ada", 1)
    known.add([Revocation(Revoked.USER, "ada", now)])
    assert known.version == version, "nothing must be looked at again"


def test_listeners_hear_of_those_that_are_new() -> None:
    known, now = Revocations(), time.time()
    heard: list[object] = []
    known.listeners.add(heard.append)
    ada, demo = Revocation(Revoked.USER, "ada", now), Revocation(Revoked.PROJECT, "demo", now)
    known.add([ada])
    known.add([ada])
    known.add([ada, demo])
    assert heard == [[ada], [demo]]


def test_what_concerns_no_token_any_more_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    known, now = Revocations(), time.time()
    old = Revocation(Revoked.USER, "ada", now)
    known.add([old])
    monkeypatch.setattr(time, "time", lambda: now + LONGEST_TOKEN_SECONDS + 1)
    known.add([Revocation(Revoked.USER, "bob", time.time())])
    assert [name for _, name in known._until] == ["bob"]
    version = known.version
    # A lab of the version before may still have it in the table.
    known.add([old])
    assert known.version == version


def test_a_token_of_a_user_revokes_nothing_and_a_revocation_signs_nobody_in(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    with pytest.raises(TokenError, match=REVOCATION_AUDIENCE):
        verifier.verify_revocation(signer.sign("ada", {}, 3600))
    with pytest.raises(TokenError, match="claim sub"):
        verifier.verify(signer.sign_revocation(Revoked.USER, "ada"))


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({}, "either a user or a project"),
        ({"user": "a", "project": "b"}, "either a user or a project"),
        ({"user": ""}, "1 to 255"),
        ({"user": 5}, "1 to 255"),
        ({"user": "a" * 256}, "1 to 255"),
        ({"user": "a", "iat": 4e9}, "in the future"),
        ({"user": "a", "iat": "now"}, "needs the time"),
        ({"user": "a", "iat": float("nan")}, "seconds since 1970"),
        ({"user": "a", "iat": float("inf")}, "seconds since 1970"),
        ({"user": "a", "iat": int("9" * 400)}, "seconds since 1970"),
        ({"user": "a", "iat": -1e18}, "seconds since 1970"),
        ({"user": "a\ud800"}, "control characters"),
        ({"project": "a\n"}, "control characters"),
    ],
)
def test_what_is_no_revocation_is_refused_with_the_reason(
    signer: TokenSigner, verifier: TokenVerifier, claims: dict[str, object], words: str
) -> None:
    with pytest.raises(RevocationError, match=words):
        verifier.verify_revocation(signed(signer, claims))


@pytest.mark.parametrize(("claims", "words"), [({"exp": 5}, "expired"), ({"exp": None}, "exp")])
def test_a_revocation_is_taken_for_a_while_after_it_was_signed(
    signer: TokenSigner, verifier: TokenVerifier, claims: dict[str, object], words: str
) -> None:
    with pytest.raises(TokenError, match=words):
        verifier.verify_revocation(signed(signer, {"user": "a", **claims}))


def signed(signer: TokenSigner, claims: dict[str, object]) -> str:
    now = int(time.time())
    document = {"aud": REVOCATION_AUDIENCE, "iat": now, "exp": now + 60, **claims}
    given = {name: value for name, value in document.items() if value is not None}
    return jwt.encode(given, signer._key, algorithm="EdDSA", headers={"kid": signer._key_id})


def test_it_is_read_as_it_is_written() -> None:
    one = Revocation(Revoked.PROJECT, "demo", 5.5)
    document = one.as_json()
    assert document == {"project": "demo", "until": 5.5}
    assert revocation_from(document, document["until"]) == one
