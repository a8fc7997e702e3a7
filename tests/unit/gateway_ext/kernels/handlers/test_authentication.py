"""Who may do what."""

from pathlib import Path

import pytest

from gateway_ext.kernels.handlers.authentication import (
    authenticate,
    bearer_token,
    choose_project,
)
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys


def identity(service: str | None = None, **projects: Role) -> Identity:
    return Identity("ada", "Ada", projects, service, 0.0, "t")


@pytest.mark.parametrize("header", ["Bearer abc", "bearer  abc ", "token abc"])
def test_a_token_in_the_header(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "abc", "Bearer", "Bearer  ", "Basic abc"])
def test_no_token_in_the_header(header: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        bearer_token(header)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


def test_a_token_is_verified(tmp_path: Path) -> None:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    create_keys(tmp_path / "other.pem", tmp_path / "other.json")
    verifier = TokenVerifier(tmp_path / "jwks.json")
    good = TokenSigner(tmp_path / "private.pem").sign("ada", {"demo": "editor"}, 60)
    assert authenticate(verifier, f"Bearer {good}").user == "ada"
    strange = TokenSigner(tmp_path / "other.pem").sign("ada", {"demo": "editor"}, 60)
    expired = TokenSigner(tmp_path / "private.pem").sign("ada", {"demo": "editor"}, -5)
    for token in (strange, expired, good[:-4] + "AAAA", "x"):
        with pytest.raises(Refusal) as refused:
            authenticate(verifier, f"Bearer {token}")
        assert refused.value.status == 401
        assert token not in refused.value.message or token == "x"


def test_the_project_of_a_new_kernel() -> None:
    assert choose_project(identity(demo=Role.VIEWER), None) == "demo"
    assert choose_project(identity(demo=Role.VIEWER), "other") == "other"
    for caller in (
        identity(),
        identity(demo=Role.OWNER, other=Role.OWNER),
        identity(service="lab"),
    ):
        with pytest.raises(Refusal) as refused:
            choose_project(caller, None)
        assert refused.value.status == 400
