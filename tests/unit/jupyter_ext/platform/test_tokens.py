import json
import os
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from jupyter_ext.platform.revocations import LONGEST_TOKEN_SECONDS
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import (
    TokenError,
    TokenKeysError,
    TokenSigner,
    TokenVerifier,
    create_keys,
)


@pytest.fixture
def keys(tmp_path):
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    return tmp_path


@pytest.fixture
def signer(keys):
    return TokenSigner(keys / "private.pem")


@pytest.fixture
def verifier(keys):
    return TokenVerifier(keys / "jwks.json")


def test_a_signed_token_names_the_caller(signer, verifier):
    before = time.time()
    token = signer.sign("ada", {"demo": "owner", "other": Role.VIEWER}, 60, display_name="Ada L.")
    identity = verifier.verify(token)
    assert (identity.user, identity.display_name, identity.service) == ("ada", "Ada L.", None)
    assert dict(identity.projects) == {"demo": Role.OWNER, "other": Role.VIEWER}
    assert before + 60 <= identity.expires <= time.time() + 61
    assert identity.token == token


def test_roles_are_asked_for_by_project(signer, verifier):
    identity = verifier.verify(signer.sign("ada", {"demo": "editor"}, 60))
    assert identity.may("demo", Role.VIEWER)
    assert identity.may("demo", Role.EDITOR)
    assert not identity.may("demo", Role.OWNER)
    assert not identity.may("other", Role.VIEWER)
    assert identity.role("other") is None


def test_a_service_owns_every_project(signer, verifier):
    identity = verifier.verify(signer.sign("lab", {}, 60, service="lab"))
    assert identity.service == "lab"
    assert identity.may("anything", Role.OWNER)


def test_the_token_is_not_in_the_repr(signer, verifier):
    token = signer.sign("ada", {"demo": "owner"}, 60)
    assert token not in repr(verifier.verify(token))


def test_an_expired_token_is_refused(signer, verifier):
    with pytest.raises(TokenError, match="the token has expired"):
        verifier.verify(signer.sign("ada", {"demo": "owner"}, -5))


def test_a_token_of_another_key_is_refused(tmp_path, verifier):
    create_keys(tmp_path / "p2.pem", tmp_path / "j2.json")
    token = TokenSigner(tmp_path / "p2.pem").sign("ada", {"demo": "owner"}, 60)
    with pytest.raises(TokenError, match="does not know"):
        verifier.verify(token)


def test_a_forged_signature_is_refused(tmp_path, keys, verifier):
    key_id = json.loads((keys / "jwks.json").read_text())["keys"][0]["kid"]
    create_keys(tmp_path / "p2.pem", tmp_path / "j2.json")
    claims = {"sub": "eve", "aud": "jupyter-fleet", "iat": time.time(), "exp": time.time() + 60}
    token = jwt.encode(
        claims, (tmp_path / "p2.pem").read_text(), algorithm="EdDSA", headers={"kid": key_id}
    )
    with pytest.raises(TokenError, match="signature is wrong"):
        verifier.verify(token)


@pytest.mark.parametrize("algorithm", ["none", "HS256"])
def test_another_algorithm_is_refused(keys, verifier, algorithm):
    public = json.loads((keys / "jwks.json").read_text())["keys"][0]
    claims = {"sub": "eve", "aud": "jupyter-fleet", "iat": time.time(), "exp": time.time() + 60}
    secret = None if algorithm == "none" else public["x"]
    token = jwt.encode(claims, secret, algorithm=algorithm, headers={"kid": public["kid"]})
    with pytest.raises(TokenError):
        verifier.verify(token)


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "x" * 5000])
def test_what_is_no_token_is_refused(verifier, token):
    with pytest.raises(TokenError, match="not a token"):
        verifier.verify(token)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aud": "other"}, "not meant for"),
        ({"sub": ""}, "user name"),
        ({"sub": "a\nb"}, "control characters"),
        ({"sub": "x" * 256}, "user name"),
        ({"projects": {"demo": "admin"}}, "not a role"),
        ({"projects": {"De.mo": "owner"}}, "not a project name"),
        ({"projects": ["demo"]}, "not an object"),
        ({"service": "root"}, "unknown service"),
        ({"exp": None}, "exp|Expiration"),
        ({"iat": None}, "iat"),
    ],
)
def test_claims_that_make_no_sense_are_refused(keys, verifier, changes, message):
    key_id = json.loads((keys / "jwks.json").read_text())["keys"][0]["kid"]
    claims = {
        "sub": "ada",
        "aud": "jupyter-fleet",
        "iat": int(time.time()),
        "exp": int(time.time()) + 60,
        "projects": {"demo": "owner"},
        **changes,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    token = jwt.encode(
        claims, (keys / "private.pem").read_text(), algorithm="EdDSA", headers={"kid": key_id}
    )
    with pytest.raises(TokenError, match=message):
        verifier.verify(token)


def test_a_signer_refuses_what_no_verifier_would_accept(signer):
    with pytest.raises(TokenError, match="not a role"):
        signer.sign("ada", {"demo": "king"}, 60)


@pytest.mark.parametrize("algorithm", ["ES256", "RS256"])
def test_the_platform_may_use_other_public_key_algorithms(tmp_path, algorithm):
    if algorithm == "ES256":
        key = ec.generate_private_key(ec.SECP256R1())
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(key.public_key()))
    else:
        key = rsa.generate_private_key(65537, 2048)
        jwk = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key()))
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [{**jwk, "kid": "k1", "alg": algorithm}]}))
    claims = {"sub": "ada", "aud": "jupyter-fleet", "iat": time.time(), "exp": time.time() + 60}
    token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "k1"})
    assert TokenVerifier(file).verify(token).user == "ada"


def test_no_token_is_accepted_for_longer_than_revocations_are_kept(
    keys, signer, verifier, monkeypatch
):
    issued, ten_years = int(time.time()), 3650 * 86400
    token = signer.sign("ada", {"demo": "owner"}, ten_years)
    service = signer.sign("lab", {}, ten_years, service="lab")
    assert verifier.verify(token).expires == issued + LONGEST_TOKEN_SECONDS
    monkeypatch.setattr(time, "time", lambda: issued + LONGEST_TOKEN_SECONDS)
    with pytest.raises(TokenError, match="too long ago"):
        verifier.verify(token)
    assert verifier.verify(service).expires > time.time()


def test_keys_are_read_again_when_the_file_changes(tmp_path, keys, verifier):
    create_keys(tmp_path / "p2.pem", tmp_path / "j2.json")
    token = TokenSigner(tmp_path / "p2.pem").sign("ada", {"demo": "owner"}, 60)
    os.replace(tmp_path / "j2.json", keys / "jwks.json")
    assert verifier.verify(token).user == "ada"


def test_a_broken_key_file_leaves_the_last_keys_in_force(keys, signer, verifier):
    token = signer.sign("ada", {"demo": "owner"}, 60)
    (keys / "jwks.json").write_text("{")
    assert verifier.verify(token).user == "ada"
    (keys / "jwks.json").unlink()
    assert verifier.verify(token).user == "ada"


@pytest.mark.parametrize("content", [None, "{", "{}", '{"keys": []}', "[]"])
def test_a_verifier_needs_keys(tmp_path, content):
    file = tmp_path / "jwks.json"
    if content is not None:
        file.write_text(content)
    with pytest.raises(TokenKeysError, match=r"jwks\.json"):
        TokenVerifier(file)


def test_a_symmetric_key_is_never_used(tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text(
        json.dumps({"keys": [{"kty": "oct", "kid": "k", "k": "c2VjcmV0", "alg": "HS256"}]})
    )
    with pytest.raises(TokenKeysError, match="no public key"):
        TokenVerifier(file)


def test_key_files_are_private(keys):
    assert (keys / "private.pem").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (keys / "jwks.json").read_text()
    assert "d" not in json.loads((keys / "jwks.json").read_text())["keys"][0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 10**400}, "before the year 3000"),
        ({"exp": 1e300}, "before the year 3000"),
        ({"exp": float("inf")}, "exp"),
        ({"exp": float("nan")}, "exp"),
        ({"exp": "4000000000"}, "must be a number"),
        ({"exp": [4_000_000_000]}, "exp"),
        ({"nbf": 10**400}, "not yet valid"),
        ({"name": "A\ud800"}, "control characters"),
        ({"name": "A\n[I 2026] forged"}, "control characters"),
        ({"name": "A\u2028"}, "control characters"),
    ],
)
def test_claims_that_break_a_server_are_refused(keys, signer, verifier, changes, words):
    good = jwt.decode(signer.sign("ada", {}, 60), options={"verify_signature": False})
    key = (keys / "private.pem").read_bytes()
    key_id = json.loads((keys / "jwks.json").read_text())["keys"][0]["kid"]
    token = jwt.encode({**good, **changes}, key, algorithm="EdDSA", headers={"kid": key_id})
    with pytest.raises(TokenError, match=words):
        verifier.verify(token)


@pytest.mark.parametrize("token", ["\ud800.a.b", "\xe9.\xe9.\xe9", "", "...", "[" * 50_000])
def test_what_is_no_token_at_all_is_refused(verifier, token):
    with pytest.raises(TokenError, match="not a token"):
        verifier.verify(token)


def test_names_of_people_may_be_in_any_script(signer, verifier):
    name = "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645\xa0\U0001f469\u200d\U0001f4bb"
    token = signer.sign("ada", {}, 60, display_name=name)
    assert verifier.verify(token).display_name == name
