"""Who calls a gateway."""

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest

from gateway_ext.kernels.callers import Callers, bearer_token
from gateway_ext.kernels.refusal import Refusal
from jupyter_ext.platform.revocations import Revocation, Revocations, Revoked
from jupyter_ext.platform.rights import Rights, RightsAway
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys
from tests.unit.gateway_ext.kernels.callers_of import callers_of


@pytest.mark.parametrize("header", ["Bearer abc", "bearer  abc ", "token abc"])
def test_a_token_in_the_header(header: str) -> None:
    assert bearer_token(header) == "abc"


@pytest.mark.parametrize("header", [None, "", "abc", "Bearer", "Bearer  ", "Basic abc"])
def test_no_token_in_the_header(header: str | None) -> None:
    with pytest.raises(Refusal) as refused:
        bearer_token(header)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"] == "Bearer"


@pytest.fixture
def signer(tmp_path: Path) -> TokenSigner:
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    return TokenSigner(tmp_path / "private.pem")


@pytest.fixture
def verifier(signer: TokenSigner, tmp_path: Path) -> TokenVerifier:
    return TokenVerifier(tmp_path / "jwks.json")


async def test_a_token_is_verified(
    signer: TokenSigner, verifier: TokenVerifier, tmp_path: Path
) -> None:
    create_keys(tmp_path / "other.pem", tmp_path / "other.json")
    callers = callers_of(verifier)
    good = signer.sign("ada", {"demo": "editor"}, 60)
    assert (await callers.identify(f"Bearer {good}")).user == "ada"
    strange = TokenSigner(tmp_path / "other.pem").sign("ada", {"demo": "editor"}, 60)
    expired = signer.sign("ada", {"demo": "editor"}, -5)
    for token in (strange, expired, good[:-4] + "AAAA", "x"):
        with pytest.raises(Refusal) as refused:
            await callers.identify(f"Bearer {token}")
        assert refused.value.status == 401
        assert token not in refused.value.message or token == "x"


async def test_nobody_is_let_in_before_revocations_were_looked_at(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    looked = asyncio.Event()

    async def first_look() -> None:
        await looked.wait()

    callers = Callers(verifier, Rights(verifier.revocations), first_look)
    lab = signer.sign("lab", {}, 60, service="lab")
    assert (await callers.identify(f"Bearer {lab}")).service == "lab", "it waits for nothing"
    ada, eve = (
        asyncio.ensure_future(callers.identify(f"Bearer {signer.sign(user, {}, 60)}"))
        for user in ("ada", "eve")
    )
    for _ in range(3):
        await asyncio.sleep(0)
    assert not ada.done()
    verifier.revocations.add([Revocation(Revoked.USER, "eve", time.time())])
    looked.set()
    assert (await ada).user == "ada"
    with pytest.raises(Refusal, match="withdrawn"):
        await eve


class Asked(Rights):
    """What a platform says."""

    away = False

    async def of(self, identity: Identity) -> Identity:
        if self.away:
            raise RightsAway("cannot be asked")
        return replace(identity, projects={"asked": Role.EDITOR})


async def test_callers_have_the_roles_that_their_platform_names_or_do_not_get_in(
    signer: TokenSigner, verifier: TokenVerifier
) -> None:
    rights = Asked(Revocations())
    callers = callers_of(verifier)
    callers.rights = rights
    header = f"Bearer {signer.sign('ada', {'claimed': 'owner'}, 60)}"
    assert dict((await callers.identify(header)).projects) == {"asked": Role.EDITOR}
    rights.away = True
    with pytest.raises(Refusal) as refused:
        await callers.identify(header)
    assert refused.value.status == 503
