"""Roles that the platform is asked for."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.platform import platform_calls, rights
from jupyter_ext.platform.jwks import Issuer
from jupyter_ext.platform.platform_calls import PlatformAway, PlatformRefused, ask_platform
from jupyter_ext.platform.revocations import Revocation, Revocations, Revoked
from jupyter_ext.platform.rights import Rights, RightsAway
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity
from tests.servers.scripted_http import Answer, Request, ScriptedServer

URL = "https://platform.example/rights"
ISSUER = Issuer("https://platform.example/jwks", "x", rights_url=URL, secret_file="/s")
OWNER = {"projects": {"demo": "owner"}}


def person(user: str = "ada", issuer: Issuer | None = ISSUER) -> Identity:
    return Identity(user, user, {}, None, 4e9, "t", issuer=issuer)


class Platform:
    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, str, Mapping[str, object]]] = []

    def ask(self, url: str, secret_file: str, question: Mapping[str, object]) -> dict[str, Any]:
        self.asked.append((url, secret_file, question))
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    at, steady = time.time() + seconds, time.monotonic() + seconds
    monkeypatch.setattr(time, "time", lambda: at)
    monkeypatch.setattr(time, "monotonic", lambda: steady)


async def projects(known: Rights, user: str = "ada") -> dict[str, Role]:
    return dict((await known.of(person(user))).projects)


async def test_a_person_is_asked_for_once_a_minute_however_many_want_to_know(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(OWNER, {"projects": {"demo": "viewer"}})
    known = Rights(Revocations(), platform.ask)
    found = await asyncio.gather(*(projects(known) for _ in range(50)))
    assert found == [{"demo": Role.OWNER}] * 50
    later(monkeypatch, 59)
    assert await projects(known) == {"demo": Role.OWNER}
    assert platform.asked == [(URL, "/s", {"user": "ada"})]
    later(monkeypatch, 2)
    assert await projects(known) == {"demo": Role.VIEWER}
    assert len(platform.asked) == 2


async def test_others_are_as_their_token_says() -> None:
    platform = Platform()
    known = Rights(Revocations(), platform.ask)
    service = Identity("lab", "lab", {}, "lab", 4e9, "t")
    plain = person(issuer=Issuer("https://h", "x"))
    for one in (service, plain, person(issuer=None)):
        assert await known.of(one) is one
    assert platform.asked == []


async def test_who_is_known_goes_on_for_ten_minutes_while_the_platform_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(OWNER, PlatformAway("away"))
    known = Rights(Revocations(), platform.ask)
    await projects(known)
    later(monkeypatch, rights.GRACE_SECONDS - 1)
    assert await projects(known) == {"demo": Role.OWNER}
    later(monkeypatch, 2)
    with pytest.raises(RightsAway, match="try again soon"):
        await projects(known)


@pytest.mark.parametrize(
    "failure",
    [
        PlatformAway("away"),
        PlatformRefused("its secret is wrong", 401),
        PlatformRefused("x", 403),
        {},
        {"projects": None},
        {"projects": ["demo"]},
        {"projects": {"demo": "king"}},
        {"projects": {"demo": "owner", "De.mo": "owner"}},
        {"projects": {"demo": {"role": "owner"}}},
    ],
)
async def test_no_failure_lets_anybody_in(failure: Any) -> None:
    with pytest.raises(RightsAway):
        await projects(Rights(Revocations(), Platform(failure).ask))


async def test_whom_the_platform_does_not_know_has_no_project(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    platform = Platform(OWNER, PlatformRefused("who?", 404))
    known = Rights(Revocations(), platform.ask)
    await projects(known)
    later(monkeypatch, 61)
    assert await projects(known) == {}


async def test_a_platform_that_is_away_is_asked_rarely_and_told_once(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    platform = Platform(PlatformAway("away"))
    known = Rights(Revocations(), platform.ask)
    for user in ("ada", "bob", "eve"):
        with pytest.raises(RightsAway):
            await projects(known, user)
    assert len(platform.asked) == 1
    later(monkeypatch, rights.AWAY_SECONDS + 1)
    with pytest.raises(RightsAway):
        await projects(known)
    assert len(platform.asked) == 2
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    platform.answers = [OWNER]
    later(monkeypatch, rights.AWAY_SECONDS + 1)
    assert await projects(known) == {"demo": Role.OWNER}


async def test_a_platform_that_hangs_holds_no_request_for_long(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rights, "ANSWER_SECONDS", 0.05)
    answer = threading.Event()

    def ask(*_: object) -> dict[str, Any]:
        answer.wait(30)
        return OWNER

    with pytest.raises(RightsAway):
        await asyncio.wait_for(projects(Rights(Revocations(), ask)), 10)
    answer.set()


async def test_a_role_that_was_taken_back_is_asked_for_again_and_has_no_grace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    both = {"projects": {"demo": "owner", "other": "viewer"}}
    platform = Platform(both, {"projects": {"demo": "viewer", "other": "viewer"}})
    revocations = Revocations()
    known = Rights(revocations, platform.ask)
    assert await projects(known) == {"demo": Role.OWNER, "other": Role.VIEWER}
    later(monkeypatch, 1)
    revocations.add([Revocation(Revoked.PROJECT, "demo", time.time())])
    later(monkeypatch, 1)
    assert await projects(known) == {"demo": Role.VIEWER, "other": Role.VIEWER}
    assert len(platform.asked) == 2
    revocations.add([Revocation(Revoked.PROJECT, "demo", time.time())])
    platform.answers = [PlatformAway("away")]
    assert await projects(known) == {"other": Role.VIEWER}


class Server(ScriptedServer):
    def answer(self, request: Request) -> Answer:
        return Answer(body=OWNER)


@pytest.fixture
def secret(tmp_path: Path) -> str:
    (tmp_path / "secret").write_text("of the fleet\n")
    return str(tmp_path / "secret")


def test_the_platform_is_called_with_the_fleets_secret(secret: str) -> None:
    server = Server()
    try:
        assert ask_platform(f"{server.url}/rights", secret, {"user": "ada"}) == OWNER
        (request,) = server.requests
        assert (request.method, request.body) == ("POST", {"user": "ada"})
        assert request.headers["authorization"] == "Bearer of the fleet"
    finally:
        server.stop()


@pytest.mark.parametrize(
    "answer",
    [
        Answer(500),
        Answer(302, headers={"Location": "http://127.0.0.1:1/"}),
        Answer(body=[]),
        Answer(body=b"{"),
        Answer(body=b"[" * 100_000),
        Answer(body=b" " * (platform_calls.LONGEST + 1)),
        Answer(cut=True),
    ],
)
def test_an_answer_that_is_none_is_no_answer(answer: Answer, secret: str) -> None:
    server = Server()
    server.script("POST", "/", answer)
    try:
        with pytest.raises(PlatformAway):
            ask_platform(server.url, secret, {})
        with pytest.raises(PlatformAway, match="nowhere"):
            ask_platform(server.url, "/nowhere", {})
    finally:
        server.stop()


def test_a_refusal_says_with_which_status(secret: str) -> None:
    server = Server()
    server.script("POST", "/", Answer(404))
    try:
        with pytest.raises(PlatformRefused) as refused:
            ask_platform(server.url, secret, {})
        assert refused.value.status == 404
    finally:
        server.stop()
