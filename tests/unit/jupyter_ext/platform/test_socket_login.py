from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.platform import socket_login
from jupyter_ext.platform.revocations import Revocation, Revocations, Revoked
from jupyter_ext.platform.rights import Rights, RightsAway
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
    assert end.status == 403
    assert "editor in demo" in end.reason


async def test_a_login_that_was_ended_elsewhere_ends_its_websockets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "RECHECK_SECONDS", 0.02)
    signer, verifier = signer_and_verifier(tmp_path)
    identity = verifier.verify(signer.sign("ada", {}, 3600))
    answers: list[str | Exception | None] = [None, OSError("away"), None, "you have signed out"]
    ended: asyncio.Future[SocketEnd] = asyncio.get_running_loop().create_future()

    async def ask() -> str | None:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    SocketLogin(identity, verifier, ended.set_result, ask=ask)
    end = await asyncio.wait_for(ended, 10)
    assert (end.reason, end.status, answers) == ("you have signed out", 401, [])


class Watched:
    """A login's websocket, and how it fares."""

    def __init__(self, folder: Path) -> None:
        self.signer, self.verifier = signer_and_verifier(folder)
        self.ends: list[SocketEnd] = []
        self.renewed: list[str] = []

    async def end(self) -> SocketEnd:
        await self.until(lambda: self.ends)
        (end,) = self.ends
        return end

    def identity(self, seconds: float, user: str = "ada", **projects: str) -> Identity:
        return self.verifier.verify(self.signer.sign(user, projects, seconds))

    def watch(self, identity: Identity, **options: Any) -> SocketLogin:
        return SocketLogin(
            identity,
            self.verifier,
            self.ends.append,
            on_renewed=lambda found: self.renewed.append(found.token),
            **options,
        )

    async def until(self, condition: Callable[[], object]) -> None:
        async with asyncio.timeout(10):
            while not condition():  # noqa: ASYNC110 (timers of the login make it true)
                await asyncio.sleep(0.01)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    return Watched(tmp_path)


async def test_a_renewed_token_keeps_the_websocket_open_and_no_other_does(
    watched: Watched,
) -> None:
    identity = watched.identity(1, demo="editor")
    login = watched.watch(identity, needs=("demo", Role.EDITOR))
    for useless in ("nonsense", watched.identity(3600, "eve", demo="owner").token, identity.token):
        login.renew(useless)
    assert login.identity is identity
    newer = watched.identity(3, demo="owner")
    login.renew(newer.token)
    await watched.until(lambda: watched.renewed)
    assert login.identity.role("demo") is Role.OWNER
    assert "expired" in (await watched.end()).reason
    assert time.time() >= newer.expires, "not with the first token"
    assert watched.renewed == [newer.token]


async def test_a_renewed_token_with_a_lesser_role_ends_it(watched: Watched) -> None:
    login = watched.watch(watched.identity(60, demo="editor"), needs=("demo", Role.EDITOR))
    login.renew(watched.identity(3600, demo="viewer").token)
    end = await watched.end()
    assert end.status == 403
    assert watched.renewed == []


async def test_the_login_is_asked_for_a_newer_token_before_it_ends(watched: Watched) -> None:
    identity, newer = watched.identity(1), watched.identity(3600)

    async def ask() -> Identity:
        return newer

    login = watched.watch(identity, ask=ask)
    await watched.until(lambda: watched.renewed == [newer.token])
    assert login.identity.token == newer.token
    assert not watched.ends
    login.stop()


async def test_while_nobody_can_tell_it_goes_on_to_the_end_of_its_token(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "RECHECK_SECONDS", 0.02)
    asked = []

    async def ask() -> None:
        asked.append(time.time())
        if len(asked) % 2:
            raise OSError("the database is away")

    identity = watched.identity(1)
    watched.watch(identity, ask=ask)
    end = await watched.end()
    assert "expired" in end.reason
    assert time.time() >= identity.expires
    assert len(asked) > 3


async def test_a_login_that_hangs_is_not_waited_for_at_the_end_of_its_token(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket_login, "ASK_SECONDS", 0.02)

    async def ask() -> None:
        await asyncio.Event().wait()

    watched.watch(watched.identity(1), ask=ask)
    assert "expired" in (await watched.end()).reason


@pytest.mark.parametrize(
    ("kind", "name"), [(Revoked.USER, "ada"), (Revoked.PROJECT, "demo"), (Revoked.USER, "eve")]
)
async def test_a_revocation_ends_the_websockets_that_it_concerns_at_once(
    watched: Watched, kind: Revoked, name: str
) -> None:
    login = watched.watch(watched.identity(3600, demo="owner"), needs=("demo", Role.EDITOR))
    verified = []
    verify = watched.verifier.verify
    watched.verifier.verify = lambda token: verified.append(token) or verify(token)  # type: ignore[method-assign, func-returns-value]
    watched.verifier.revocations.add([Revocation(kind, name, time.time())])
    if name == "eve":
        await asyncio.sleep(0)
        assert not verified, "thousands of other people's websockets need no look"
        assert not watched.ends
        login.stop()
    else:
        end = await watched.end()
        assert end.status == (403 if kind is Revoked.PROJECT else 401)
    assert not watched.verifier.revocations.listeners


async def test_a_newer_token_that_gives_the_role_again_keeps_it_open(watched: Watched) -> None:
    identity = watched.identity(60, demo="owner")
    newer = watched.identity(3600, demo="editor")

    async def ask() -> Identity:
        return newer

    login = watched.watch(identity, needs=("demo", Role.EDITOR), ask=ask)
    watched.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time())])
    await watched.until(lambda: watched.renewed == [newer.token])
    assert not watched.ends
    login.stop()


@pytest.mark.parametrize("heard", ["of the token", "of the revocation"])
async def test_a_token_that_was_issued_later_keeps_it_open_though_it_ends_no_later(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, heard: str
) -> None:
    """Whichever of the two a gateway hears of first."""
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - 50)
    identity = watched.identity(3600, demo="owner")
    monkeypatch.undo()
    newer = watched.identity(1800, demo="owner")
    revoked = [Revocation(Revoked.PROJECT, "demo", now - 10)]
    login = watched.watch(identity, needs=("demo", Role.EDITOR))
    if heard == "of the token":
        login.renew(newer.token)
        await watched.until(lambda: watched.renewed == [newer.token])
        watched.verifier.revocations.add(revoked)
    else:
        watched.verifier.revocations.add(revoked)
        login.renew(newer.token)
        await watched.until(lambda: watched.renewed == [newer.token])
    assert not watched.ends
    login.stop()


class NoRights(Rights):
    """A platform that was never heard of."""

    async def of(self, identity: Identity) -> Identity:
        raise RightsAway("cannot be asked")


async def test_where_rights_cannot_be_told_it_may_be_opened_again_later(watched: Watched) -> None:
    login = watched.watch(watched.identity(60), rights=NoRights(Revocations()))
    login._check()
    end = await watched.end()
    assert end.status == 503
