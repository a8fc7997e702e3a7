"""A lab finds logins in the database rarely, and without it for a while."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from sqlalchemy import Connection, select, text

from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.logins import logins as module
from jupyter_ext.logins.logins import LoginEnded, Logins, LoginsAway
from jupyter_ext.logins.tables import login
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, TokenVerifier, create_keys

T = TypeVar("T")

MOST = 3


class WatchedDatabase(Database):
    """Counts transactions, and can be away or frozen."""

    transactions = 0
    away = False
    frozen: asyncio.Event | None = None

    async def run(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        self.transactions += 1
        if self.frozen is not None:
            await self.frozen.wait()
        if self.away:
            raise DatabaseUnavailable("the database is away")
        return await super().run(function, read_only=read_only)


class Lab:
    """One lab's logins; several labs may have one folder."""

    def __init__(self, folder: Path) -> None:
        if not (folder / "jwks.json").exists():
            create_keys(folder / "private.pem", folder / "jwks.json")
            create_keys_file(folder / "login_keys.json")
        self.database = WatchedDatabase(f"sqlite:///{folder}/lab.sqlite")
        login.create(self.database.engine, checkfirst=True)
        self.signer = TokenSigner(folder / "private.pem")
        self.verifier = TokenVerifier(folder / "jwks.json")
        self.box = SecretBox(folder / "login_keys.json")
        self.logins = Logins(self.database, self.box, self.verifier, MOST)

    async def begin(self, seconds: float = 3600, user: str = "ada") -> str:
        token = self.signer.sign(user, {"demo": "owner"}, seconds)
        return await self.logins.begin(self.verifier.verify(token))

    async def user(self, session_id: str, copy: str | None = None) -> str:
        return (await self.logins.find(session_id, copy)).user


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    yield lab
    lab.database.close()


@pytest.fixture
def other(lab: Lab, tmp_path: Path) -> Iterator[Lab]:
    other = Lab(tmp_path)
    yield other
    other.database.close()


async def test_neither_the_id_nor_the_token_is_in_the_database(lab: Lab) -> None:
    session_id = await lab.begin()
    token = (await lab.logins.find(session_id, None)).token
    (row,) = lab.database.run_blocking(lambda c: c.execute(select(login)).all())
    assert session_id not in str(row)
    assert token not in str(row)
    assert row.username == "ada"


async def test_many_requests_at_once_and_for_a_minute_cost_one_read(lab: Lab, other: Lab) -> None:
    session_id = await lab.begin()
    assert lab.database.transactions == 1, "it knows its own"
    users = await asyncio.gather(*(other.user(session_id) for _ in range(50)))
    assert users == ["ada"] * 50
    for _ in range(50):
        await other.user(session_id)
    assert other.database.transactions == 1


async def test_after_that_time_it_is_read_again(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    await other.user(session_id)
    await lab.logins.end(session_id)
    assert await other.user(session_id) == "ada"
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.KNOWN_SECONDS + 1)
    with pytest.raises(LoginEnded, match="has ended"):
        await other.user(session_id)


@pytest.mark.parametrize("session_id", ["", "x", "é" * 43, "a" * 43, "a" * 44, "../" + "a" * 40])
async def test_what_is_no_login_is_none(lab: Lab, session_id: str) -> None:
    await lab.begin()
    with pytest.raises(LoginEnded):
        await lab.logins.find(session_id, None)


async def test_what_cannot_be_an_id_costs_no_read(lab: Lab) -> None:
    for session_id in ("x", "a" * 5000, "eyJhbGciOiJFZERTQSJ9.e30.c2ln"):
        with pytest.raises(LoginEnded):
            await lab.logins.find(session_id, None)
    assert lab.database.transactions == 0


async def test_an_id_that_nobody_was_given_costs_no_read_however_many_are_sent(
    lab: Lab, other: Lab
) -> None:
    session_id = await lab.begin()
    made_up = [secrets.token_urlsafe(32) for _ in range(500)]
    # The last letter holds bits that no byte needs.
    changed = [session_id[:-1] + letter for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    for one in (*made_up, *changed):
        if one != session_id:
            with pytest.raises(LoginEnded):
                await other.user(one)
    assert other.database.transactions == 0
    assert await other.user(session_id) == "ada"


async def test_a_login_that_has_ended_is_read_once(lab: Lab, other: Lab) -> None:
    session_id = await lab.begin()
    copy = lab.logins.new_copy(session_id)
    await lab.logins.end(session_id)
    for one in (lab, other):
        before = one.database.transactions
        for _ in range(50):
            with pytest.raises(LoginEnded):
                await one.user(session_id)
        assert one.database.transactions == before + (1 if one is other else 0)
        # Whoever has kept the browser's copy gains nothing when the database goes away.
        one.database.away = True
        with pytest.raises(LoginEnded):
            await one.user(session_id, copy)


async def test_a_lab_remembers_so_many_logins_and_no_more(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 2)
    ended = [await lab.begin(user=f"user{number}") for number in range(3)]
    for session_id in ended:
        await lab.logins.end(session_id)
        with pytest.raises(LoginEnded):
            await other.user(session_id)
    assert other.database.transactions == 3
    with pytest.raises(LoginEnded):
        await other.user(ended[0])
    assert other.database.transactions == 4


async def test_an_hour_of_requests_costs_a_read_a_minute(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    begun = time.monotonic()
    for second in range(3600):
        monkeypatch.setattr(time, "monotonic", lambda at=begun + second: at)
        await other.user(session_id)
    assert other.database.transactions <= 60


async def test_a_read_that_began_before_the_end_does_not_bring_a_login_back(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    read, answer = asyncio.Event(), asyncio.Event()
    run = other.database.run

    async def slow(function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        found = await run(function, read_only=read_only)
        if read_only:
            read.set()
            await answer.wait()
        return found

    monkeypatch.setattr(other.database, "run", slow)
    finding = asyncio.ensure_future(other.user(session_id))
    await read.wait()
    await other.logins.end(session_id)
    answer.set()
    with pytest.raises(LoginEnded):
        await finding
    with pytest.raises(LoginEnded):
        await other.user(session_id)


async def test_the_oldest_logins_of_a_user_end_when_there_are_too_many(
    lab: Lab, other: Lab
) -> None:
    theirs = await lab.begin(user="bob")
    mine = [await lab.begin() for _ in range(MOST + 2)]
    for one in (lab, other):
        for session_id in mine[:2]:
            with pytest.raises(LoginEnded, match="has ended"):
                await one.user(session_id)
        for session_id in mine[2:]:
            assert await one.user(session_id) == "ada"
        assert await one.user(theirs) == "bob"


async def test_a_login_ends_with_its_token(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    session_id = await lab.begin(60)
    later = time.time() + 62
    monkeypatch.setattr(time, "time", lambda: later)
    with pytest.raises(LoginEnded, match="expired"):
        await lab.logins.find(session_id, None)


async def test_a_login_ends_at_once_with_the_key_of_its_token(lab: Lab, tmp_path: Path) -> None:
    session_id = await lab.begin()
    create_keys(tmp_path / "new.pem", tmp_path / "new.json")
    (tmp_path / "new.json").replace(tmp_path / "jwks.json")
    with pytest.raises(LoginEnded, match="key"):
        await lab.logins.find(session_id, None)


async def test_a_copy_serves_while_the_database_is_away_at_any_lab(lab: Lab, other: Lab) -> None:
    session_id = await lab.begin()
    copy = lab.logins.new_copy(session_id)
    assert copy is not None
    assert session_id not in copy
    other.database.away = True
    assert await other.user(session_id, copy) == "ada"
    with pytest.raises(LoginsAway):
        await Lab.user(other, await lab.begin(), copy)
    assert other.logins.new_copy(session_id) is None, "or a copy would live for ever"


async def test_a_copy_is_worth_nothing_while_the_database_answers(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    copy = lab.logins.new_copy(session_id)
    await lab.logins.end(session_id)
    with pytest.raises(LoginEnded):
        await lab.logins.find(session_id, copy)


async def test_a_copy_serves_for_ten_minutes(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    copy = lab.logins.new_copy(session_id)
    other.database.away = True
    made, steady = time.time(), time.monotonic()
    for later, serves in ((0, True), (590, True), (610, False)):
        monkeypatch.setattr(time, "time", lambda at=made + later: at)
        monkeypatch.setattr(time, "monotonic", lambda at=steady + later: at)
        if serves:
            assert await other.user(session_id, copy) == "ada"
        else:
            with pytest.raises(LoginsAway):
                await other.user(session_id, copy)


async def test_a_database_that_does_not_answer_holds_no_request_for_long(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "ANSWER_SECONDS", 0.05)
    session_id = await lab.begin()
    copy = lab.logins.new_copy(session_id)
    other.database.frozen = asyncio.Event()
    assert await other.user(session_id, copy) == "ada"
    assert await other.user(session_id, copy) == "ada"
    assert other.database.transactions == 1
    other.database.frozen.set()


async def test_without_the_database_nobody_signs_in_or_out(lab: Lab) -> None:
    session_id = await lab.begin()
    lab.database.away = True
    with pytest.raises(LoginsAway):
        await lab.begin()
    with pytest.raises(LoginsAway):
        await lab.logins.end(session_id)
    assert await lab.user(session_id) == "ada", "it goes on"


async def test_a_browser_gets_a_new_copy_now_and_then(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    session_id = await lab.begin()
    assert lab.logins.new_copy(session_id) is not None
    assert lab.logins.new_copy(session_id) is None
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.NEW_COPY_SECONDS + 1)
    assert lab.logins.new_copy(session_id) is not None


async def test_a_row_under_another_id_signs_nobody_in(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = await lab.begin(), await lab.begin()

    def swap(connection: Connection) -> None:
        tokens = [row.token for row in connection.execute(select(login))]
        connection.execute(text("UPDATE fleet_login SET token = :token"), {"token": tokens[0]})

    lab.database.run_blocking(swap)
    found: list[Any] = []
    for session_id in (mine, theirs):
        try:
            found.append(await other.user(session_id))
        except LoginEnded:
            found.append(None)
    assert sorted(found, key=str) == [None, "ada"]


async def test_a_token_in_a_cookie_is_ended_at_every_lab_for_as_long_as_it_would_be_valid(
    lab: Lab, other: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    signed = [lab.signer.sign(user, {"demo": "owner"}, 7 * 86400) for user in ("ada", "bob")]
    mine, theirs = (lab.verifier.verify(token) for token in signed)
    for _ in range(20):
        assert not await other.logins.token_has_ended(mine)
    assert other.database.transactions == 1
    await lab.logins.end_token(mine)
    await lab.logins.end_token(mine)
    assert await lab.logins.token_has_ended(mine)
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + module.KNOWN_SECONDS + 1)
    # Other logins that begin forget what has ended long ago.
    await lab.begin()
    assert await other.logins.token_has_ended(mine)
    assert not await other.logins.token_has_ended(theirs)
    other.database.away = True
    assert await other.logins.token_has_ended(mine)


async def test_what_is_no_login_costs_no_write_to_end(lab: Lab) -> None:
    session_id = await lab.begin()
    await lab.logins.end(session_id)
    before = lab.database.transactions
    for one in (session_id, secrets.token_urlsafe(32), "x"):
        await lab.logins.end(one)
    assert lab.database.transactions == before


async def test_long_ended_logins_are_forgotten(lab: Lab) -> None:
    ended, expired, living = await lab.begin(), await lab.begin(), await lab.begin()
    await lab.logins.end(ended)

    def age(connection: Connection) -> None:
        for column, session_id in (("ended", ended), ("expires", expired)):
            connection.execute(
                text(f"UPDATE fleet_login SET {column} = '2020-01-01' WHERE digest = :digest"),
                {"digest": module.digest_of(session_id)},
            )

    lab.database.run_blocking(age)
    await lab.begin()
    rows = lab.database.run_blocking(lambda c: c.execute(select(login.c.digest)).scalars().all())
    assert module.digest_of(living) in rows
    assert len(rows) == 2
