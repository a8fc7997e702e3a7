"""A code stands for a token once, and for a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from jupyter_ext.database.engine import Database
from jupyter_ext.logins import sign_in_codes as module
from jupyter_ext.logins.session_id import is_code, is_session_id, new_session_id
from jupyter_ext.logins.sign_in_codes import SignInCodes
from jupyter_ext.logins.tables import sign_in_code
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.tokens import Identity, TokenSigner, TokenVerifier, create_keys


class Fleet:
    def __init__(self, folder: Path) -> None:
        create_keys(folder / "private.pem", folder / "jwks.json")
        create_keys_file(folder / "login_keys.json")
        self.database = Database(f"sqlite:///{folder}/lab.sqlite")
        sign_in_code.create(self.database.engine)
        self.signer = TokenSigner(folder / "private.pem")
        self.verifier = TokenVerifier(folder / "jwks.json")
        self.identity = self.of("ada")
        self.box = SecretBox(folder / "login_keys.json")
        self.labs = [SignInCodes(self.database, self.box) for _ in range(2)]

    def of(self, user: str) -> Identity:
        return self.verifier.verify(self.signer.sign(user, {}, 60))

    def change(self, statement: str) -> None:
        self.database.run_blocking(lambda connection: connection.execute(text(statement)))


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet(tmp_path)
    yield fleet
    fleet.database.close()


async def test_looking_leaves_it_and_taking_does_not(fleet: Fleet) -> None:
    first, second = fleet.labs
    code = await first.make(fleet.identity)
    for _ in range(3):
        assert await second.look(code) == fleet.identity.token
    assert await second.take(code) == fleet.identity.token
    assert await first.take(code) is None
    assert await first.look(code) is None


async def test_of_many_who_take_it_at_once_one_gets_it(fleet: Fleet) -> None:
    code = await fleet.labs[0].make(fleet.identity)
    taken = await asyncio.gather(*(fleet.labs[n % 2].take(code) for n in range(16)))
    assert [one for one in taken if one] == [fleet.identity.token]


async def test_an_old_one_is_worth_nothing_and_is_forgotten(fleet: Fleet) -> None:
    lab = fleet.labs[0]
    code = await lab.make(fleet.identity)
    fleet.change("UPDATE fleet_sign_in_code SET expires = '2020-01-01 00:00:00.000000'")
    assert await lab.look(code) is None
    assert await lab.take(code) is None
    await lab.make(fleet.identity)
    rows = fleet.database.run_blocking(lambda c: c.execute(select(sign_in_code)).all())
    assert len(rows) == 1


async def test_nobody_has_more_than_a_few(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_OF_A_USER", 3)
    lab = fleet.labs[0]
    of_max = await lab.make(fleet.of("max"))
    fleet.change("UPDATE fleet_sign_in_code SET username = NULL, created = NULL")
    of_eve = await lab.make(fleet.of("eve"))
    codes = [await lab.make(fleet.identity, seconds=3600 - 600 * n) for n in range(5)]
    good = [code for code in codes if await lab.look(code)]
    assert good == codes[2:]
    assert await lab.look(of_max)
    assert await lab.look(of_eve)


async def test_a_code_is_no_login_and_a_login_no_code(fleet: Fleet) -> None:
    code = await fleet.labs[0].make(fleet.identity)
    assert is_code(fleet.box, code)
    assert not is_session_id(fleet.box, code)
    assert is_session_id(fleet.box, new_session_id(fleet.box))
    assert not is_code(fleet.box, new_session_id(fleet.box))


async def test_neither_the_code_nor_the_token_is_in_the_database(fleet: Fleet) -> None:
    code = await fleet.labs[0].make(fleet.identity)
    (row,) = fleet.database.run_blocking(lambda c: c.execute(select(sign_in_code)).all())
    assert code not in str(row)
    assert fleet.identity.token not in str(row)


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "é" * 43])
async def test_what_is_no_code_stands_for_nothing(fleet: Fleet, code: str) -> None:
    assert await fleet.labs[0].look(code) is None
    assert await fleet.labs[0].take(code) is None
