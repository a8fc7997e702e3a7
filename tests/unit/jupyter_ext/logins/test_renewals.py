"""The platform renews the token of a login while its browser is there."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import select, text

from jupyter_ext.logins import logins as logins_module
from jupyter_ext.logins import renewals as module
from jupyter_ext.logins.logins import LoginEnded
from jupyter_ext.logins.renewals import Became, Renewal, Renewals, is_due
from jupyter_ext.logins.session_id import digest_of
from jupyter_ext.logins.tables import login
from jupyter_ext.platform import published_keys
from jupyter_ext.platform.platform_calls import PlatformAway, PlatformRefused
from jupyter_ext.platform.revocations import Revocation, Revoked
from jupyter_ext.platform.roles import Role
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys
from tests.unit.jupyter_ext.logins.test_logins import Lab

ISSUER = "https://platform.example"
RENEW_URL = f"{ISSUER}/renew"


class Platform:
    """Signs people in, and renews their tokens unless it is told otherwise."""

    def __init__(self, folder: Path) -> None:
        create_keys(folder / "platform.pem", folder / "platform.json")
        self.signer = TokenSigner(folder / "platform.pem")
        self.asked: list[Mapping[str, object]] = []
        self.answers: list[Any] = []

    def sign(self, seconds: float, age: float = 0.0, user: str = "ada") -> str:
        """A token that was issued `age` seconds ago."""
        now = int(time.time())
        claims = {"sub": user, "aud": "jupyter-fleet", "iss": ISSUER, "iat": now - age}
        claims |= {"exp": now + seconds, "projects": {"demo": "owner"}}
        headers = {"kid": self.signer._key_id}
        return jwt.encode(claims, self.signer._key, algorithm="EdDSA", headers=headers)

    def ask(self, url: str, secret_file: str, question: Mapping[str, object]) -> dict[str, Any]:
        assert (url, secret_file) == (RENEW_URL, "/s")
        self.asked.append(question)
        answer = self.answers.pop(0) if self.answers else {"token": self.sign(7200)}
        if isinstance(answer, Exception):
            raise answer
        return dict(answer)


@pytest.fixture
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Platform:
    platform = Platform(tmp_path)
    keys = (tmp_path / "platform.json").read_bytes()
    monkeypatch.setattr(published_keys, "_fetch", lambda url: keys)
    return platform


class RenewingLab(Lab):
    """One of several that share a folder."""

    def __init__(self, folder: Path, platform: Platform) -> None:
        super().__init__(folder)
        issuer = {"jwks_url": f"{ISSUER}/jwks", "issuer": ISSUER, "renew_url": RENEW_URL}
        document = json.loads((folder / "jwks.json").read_bytes())
        document["issuers"] = [{**issuer, "secret_file": "/s"}]
        (folder / "jwks.new").write_text(json.dumps(document))
        (folder / "jwks.new").replace(folder / "jwks.json")
        self.verifier = TokenVerifier(folder / "jwks.json")
        self.logins = logins_module.Logins(self.database, self.box, self.verifier)
        self.told: list[Renewal] = []
        self.renewals = Renewals(
            self.database, self.box, self.verifier, self.logins, platform.ask, self.told.append
        )

    async def begin_with(self, token: str) -> str:
        return await self.logins.begin(self.verifier.verify(token))

    async def token(self, session_id: str) -> str:
        return (await self.renewals.find(session_id, None)).token

    async def renewed(self, session_id: str) -> Identity:
        """As whom it goes on, when nothing is on its way any more."""
        await self.renewals.find(session_id, None)
        async with asyncio.timeout(10):
            while self.renewals._renewing:  # noqa: ASYNC110 (a task ends)
                await asyncio.sleep(0.005)
        return await self.logins.find(session_id, None)


@pytest.fixture
def start(tmp_path: Path, platform: Platform) -> Iterator[Callable[[], RenewingLab]]:
    labs: list[RenewingLab] = []

    def start() -> RenewingLab:
        labs.append(RenewingLab(tmp_path, platform))
        return labs[-1]

    yield start
    for lab in labs:
        lab.verifier.stop()
        lab.database.close()


@pytest.fixture
def lab(start: Callable[[], RenewingLab]) -> RenewingLab:
    return start()


@pytest.mark.parametrize(
    ("issued", "expires", "due"),
    [(0, 3600, 3300), (0, 60, 30), (100, 43_300, 43_000), (0, 600, 300)],
)
def test_when_a_token_is_renewed(issued: float, expires: float, due: float) -> None:
    identity = Identity("ada", "Ada", {}, None, expires, "t", issued)
    assert not is_due(identity, due - 1)
    assert is_due(identity, due)


async def test_a_token_is_renewed_before_it_ends_and_nobody_waits_for_that(
    lab: RenewingLab, platform: Platform
) -> None:
    young = await lab.begin_with(platform.sign(3600))
    await lab.renewed(young)
    assert platform.asked == []
    old = platform.sign(200, age=3400)
    session_id = await lab.begin_with(old)
    assert await lab.token(session_id) == old, "the platform may take its time"
    identity = await lab.renewed(session_id)
    assert platform.asked == [{"token": old}]
    assert identity.expires > time.time() + 7000
    await lab.renewed(session_id)
    assert len(platform.asked) == 1
    (row,) = lab.database.run_blocking(
        lambda c: c.execute(select(login).where(login.c.renewal.is_not(None))).all()
    )
    assert row.expires.timestamp() == identity.expires
    assert identity.token not in str(row)


async def test_the_browsers_copy_is_renewed_as_well(lab: RenewingLab, platform: Platform) -> None:
    session_id = await lab.begin_with(platform.sign(200, age=3400))
    assert lab.logins.new_copy(session_id) is not None
    assert lab.logins.new_copy(session_id) is None
    await lab.renewed(session_id)
    assert lab.logins.new_copy(session_id) is not None


async def test_of_several_labs_one_asks_and_all_know(
    start: Callable[[], RenewingLab], platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    labs = [start() for _ in range(3)]
    session_id = await labs[0].begin_with(platform.sign(200, age=3400))
    await asyncio.gather(*(lab.renewals.find(session_id, None) for lab in labs))
    await asyncio.gather(*(lab.renewed(session_id) for lab in labs))
    assert len(platform.asked) == 1
    (told,) = [one for lab in labs for one in lab.told]
    assert (told.user, told.digest, told.became) == ("ada", digest_of(session_id), Became.RENEWED)
    monkeypatch.setattr(module, "AGAIN_SECONDS", 0.0)
    for lab in labs:
        lab.renewals._pauses.clear()
        assert (await lab.renewed(session_id)).expires > time.time() + 7000
    assert len(platform.asked) == 1


async def test_a_websocket_hears_of_the_newer_token_at_its_next_look(
    lab: RenewingLab, platform: Platform
) -> None:
    session_id = await lab.begin_with(platform.sign(200, age=3400))
    told = await lab.renewals.asked(session_id)()
    assert isinstance(told, Identity)
    assert told.expires > time.time() + 7000
    await lab.logins.end(session_id)
    assert "has ended" in str(await lab.renewals.asked(session_id)())


async def test_a_token_of_which_roles_were_taken_back_is_renewed_at_once_and_not_all_the_time(
    lab: RenewingLab, platform: Platform
) -> None:
    """A page goes on if the platform still gives the role."""
    session_id = await lab.begin_with(platform.sign(3600))
    lab.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time() - 5)])
    await lab.renewed(session_id)
    assert platform.asked == [], "it was issued after that"
    lab.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time())])
    platform.answers = [{"token": platform.sign(7200, age=-2)}, {"token": platform.sign(7300)}]
    told = await lab.renewals.asked(session_id)()
    assert isinstance(told, Identity)
    assert told.may("demo", Role.OWNER)
    lab.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time() + 2)])
    for _ in range(5):
        assert not (await lab.renewed(session_id)).may("demo", Role.VIEWER)
    assert len(platform.asked) == 1, "a moment ago"


async def test_a_token_of_which_roles_were_taken_back_is_replaced_by_one_that_ends_no_later(
    lab: RenewingLab, platform: Platform
) -> None:
    """As of platforms whose tokens end when a person's working day does."""
    session_id = await lab.begin_with(platform.sign(3600, age=100))
    lab.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time() - 50)])
    platform.answers = [{"token": platform.sign(1800)}]
    identity = await lab.renewed(session_id)
    assert identity.may("demo", Role.OWNER)
    assert not identity.reduced
    await lab.renewed(session_id)
    assert len(platform.asked) == 1


async def test_a_platform_that_answers_what_is_of_no_use_is_asked_less_and_less(
    lab: RenewingLab, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = platform.sign(3600, age=100)
    session_id = await lab.begin_with(token)
    lab.verifier.revocations.add([Revocation(Revoked.PROJECT, "demo", time.time() - 50)])
    platform.answers = [{"token": token}] * 1000
    passed, steady = 0.0, time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: steady() + passed)
    for _ in range(60):
        passed += 15
        forget_claim(lab)
        assert (await lab.renewed(session_id)).token == token
    # In a quarter of an hour.
    assert 4 <= len(platform.asked) <= 8
    platform.answers.clear()
    passed += module.LONGEST_PAUSE_SECONDS
    forget_claim(lab)
    assert (await lab.renewed(session_id)).token != token


async def test_a_websocket_whose_login_cannot_be_looked_up_is_told_nothing(
    lab: RenewingLab, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin_with(platform.sign(3600))
    lab.database.away = True
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + logins_module.KNOWN_SECONDS + 1)
    assert await lab.renewals.asked(session_id)() is None


async def test_who_is_signed_out_at_the_platform_is_asked_for_once(
    lab: RenewingLab, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.answers = [PlatformRefused("signed out", 403)]
    token = platform.sign(200, age=3400)
    session_id = await lab.begin_with(token)
    assert (await lab.renewed(session_id)).token == token, "it goes on to the end of its token"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.AGAIN_SECONDS + 1)
    await lab.renewed(session_id)
    assert len(platform.asked) == 1
    assert [(one.became, one.reason) for one in lab.told] == [(Became.REFUSED, "signed out")]


async def test_a_platform_that_is_away_is_asked_again(
    lab: RenewingLab, platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.answers = [PlatformAway("away"), PlatformRefused("its secret is wrong", 401)]
    session_id = await lab.begin_with(platform.sign(250, age=3400))
    for tries in (1, 2):
        assert (await lab.renewed(session_id)).expires < time.time() + 300
        assert len(platform.asked) == tries
        await lab.renewed(session_id)
        assert len(platform.asked) == tries, "not at every request"
        lab.renewals._pauses.clear()
        forget_claim(lab)
    assert (await lab.renewed(session_id)).expires > time.time() + 7000


def forget_claim(lab: RenewingLab) -> None:
    """As after its time."""
    lab.database.run_blocking(lambda c: c.execute(text("UPDATE fleet_login SET renewal = NULL")))


@pytest.mark.parametrize("answer", ["other", "older", "nonsense", "nothing"])
async def test_an_answer_that_is_no_newer_token_of_the_same_person_changes_nothing(
    lab: RenewingLab, platform: Platform, answer: str
) -> None:
    platform.answers = [
        {
            "other": {"token": platform.sign(7200, user="eve")},
            "older": {"token": platform.sign(100)},
            "nonsense": {"token": "nonsense"},
            "nothing": {},
        }[answer]
    ]
    token = platform.sign(200, age=3400)
    session_id = await lab.begin_with(token)
    assert (await lab.renewed(session_id)).token == token
    assert len(platform.asked) == 1
    (told,) = lab.told
    assert told.became is Became.FAILED
    assert told.reason
    assert "nonsense" not in told.reason


async def test_a_login_that_ends_meanwhile_stays_ended(
    start: Callable[[], RenewingLab], platform: Platform
) -> None:
    lab, other = start(), start()
    session_id = await lab.begin_with(platform.sign(200, age=3400))
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()

    def ask(*_: object) -> dict[str, Any]:
        async def end() -> None:
            await other.logins.end(session_id)
            await lab.logins.end(session_id)
            ended.set()

        asyncio.run_coroutine_threadsafe(end(), loop).result(10)
        return {"token": platform.sign(7200)}

    lab.renewals._ask = ask
    with pytest.raises(LoginEnded):
        await lab.renewed(session_id)
    assert ended.is_set()
    with pytest.raises(LoginEnded):
        await other.logins.find(session_id, None)
    assert lab.told == []


async def test_tokens_of_the_fleets_own_key_are_not_renewed(
    lab: RenewingLab, platform: Platform
) -> None:
    session_id = await lab.begin(20)
    await lab.renewed(session_id)
    assert platform.asked == []
