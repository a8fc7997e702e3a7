from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from jupyter_ext.platform import socket_login
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.socket_login import SocketEnd, SocketLogin
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys


def signer_and_verifier(folder: Path) -> tuple[TokenSigner, TokenVerifier]:
    create_keys(folder / "private.pem", folder / "jwks.json")
    return TokenSigner(folder / "private.pem"), TokenVerifier(folder / "jwks.json")


async def test_a_login_ends_when_its_token_expires(tmp_path: Path) -> None:
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {}, 1))
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
    SocketLogin(identity, verifier, ended.set_result)
    assert "expired" in (await asyncio.wait_for(ended, 10)).reason
    assert time.time() >= identity.expires


async def test_a_login_ends_soon_after_its_key_is_withdrawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "RECHECK_SECONDS", 0.05)
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {}, 3600))
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
    looks: list[str] = []
    verify = verifier.verify

    def watched(token: str) -> Identity:
        looks.append(token)
        return verify(token)

    monkeypatch.setattr(verifier, "verify", watched)
    login = SocketLogin(identity, verifier, ended.set_result)
    async with asyncio.timeout(10):
        while len(looks) < 3:  # noqa: ASYNC110 (timers of the login call it)
            await asyncio.sleep(0.01)
    assert not ended.done()
    create_keys(tmp_path / "private.pem", tmp_path / "jwks.json")
    assert "key" in (await asyncio.wait_for(ended, 10)).reason
    login.stop()


async def test_a_stopped_watch_tells_nobody(tmp_path: Path) -> None:
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {}, 1))
    told: list[SocketEnd] = []
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
    stopped = SocketLogin(identity, verifier, told.append)
    # It ends no sooner than the other one would.
    SocketLogin(identity, verifier, ended.set_result)
    stopped.stop()
    await asyncio.wait_for(ended, 10)
    assert not told


async def test_a_right_that_is_gone_ends_the_websocket_and_not_the_login(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "RECHECK_SECONDS", 0.05)
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {"demo": "editor"}, 3600))
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()
    SocketLogin(identity, verifier, ended.set_result, needs=("demo", Role.EDITOR))
    lesser = verifier.verify(signer.sign("ada", {"demo": "viewer"}, 3600))
    await asyncio.sleep(0)
    assert not ended.done()
    monkeypatch.setattr(verifier, "verify", lambda token: lesser)
    end = await asyncio.wait_for(ended, 10)
    assert end.signed_in
    assert "editor in demo" in end.reason


async def test_a_login_that_was_ended_elsewhere_ends_its_websockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "RECHECK_SECONDS", 0.02)
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {}, 3600))
    answers: list[str | Exception] = ["", OSError("away"), "", "you have signed out"]
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()

    async def ask() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    SocketLogin(identity, verifier, ended.set_result, ask=ask)
    end = await asyncio.wait_for(ended, 10)
    assert (end.reason, end.signed_in, answers) == ("you have signed out", False, [])
