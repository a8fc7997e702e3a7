"""A code stands for a token once, and for a minute."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select, text

from jupyter_ext.database.engine import Database
from jupyter_ext.logins.sign_in_codes import SignInCodes
from jupyter_ext.logins.tables import sign_in_code
from jupyter_ext.platform.encryption import SecretBox, create_keys_file
from jupyter_ext.platform.tokens import TokenSigner, TokenVerifier, create_keys


class Fleet:
    def __init__(self, folder: Path) -> None:
        create_keys(folder / "private.pem", folder / "jwks.json")
        create_keys_file(folder / "login_keys.json")
        self.database = Database(f"sqlite:///{folder}/lab.sqlite")
        sign_in_code.create(self.database.engine)
        token = TokenSigner(folder / "private.pem").sign("ada", {}, 60)
        self.identity = TokenVerifier(folder / "jwks.json").verify(token)
        self.labs = [
            SignInCodes(self.database, SecretBox(folder / "login_keys.json")) for _ in range(2)
        ]

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


async def test_neither_the_code_nor_the_token_is_in_the_database(fleet: Fleet) -> None:
    code = await fleet.labs[0].make(fleet.identity)
    (row,) = fleet.database.run_blocking(lambda c: c.execute(select(sign_in_code)).all())
    assert code not in str(row)
    assert fleet.identity.token not in str(row)


@pytest.mark.parametrize("code", ["", "x", "A" * 43, "é" * 43])
async def test_what_is_no_code_stands_for_nothing(fleet: Fleet, code: str) -> None:
    assert await fleet.labs[0].look(code) is None
    assert await fleet.labs[0].take(code) is None
