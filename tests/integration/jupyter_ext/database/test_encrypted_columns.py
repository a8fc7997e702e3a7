"""Values are encrypted with another key while servers use them, on each database."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from jupyter_ext.database import encrypted_columns
from jupyter_ext.database.encrypted_columns import EncryptedColumns
from jupyter_ext.database.engine import Database
from jupyter_ext.logins.tables import login
from jupyter_ext.platform.encryption import SecretBox, create_keys_file, new_key

LATER = datetime(2100, 1, 1, tzinfo=UTC)


class Rotated:
    """Some logins, and a file of keys."""

    def __init__(self, url: str, file: Path) -> None:
        create_keys_file(file)
        self.file = file
        self.box = SecretBox(file)
        self.database = Database(url)
        self.columns = EncryptedColumns(self.database, [login.c.token], self.box)

    async def add(self, *digests: str) -> None:
        rows = [
            {
                "digest": one,
                "username": "ada",
                "token": self.box.encrypt(one.encode()),
                "created": LATER,
                "expires": LATER,
            }
            for one in digests
        ]
        await self.database.run(lambda connection: connection.execute(insert(login), rows))

    async def set(self, digest: str, token: str) -> None:
        def write(connection: Connection) -> None:
            connection.execute(update(login).where(login.c.digest == digest).values(token=token))

        await self.database.run(write)

    async def tokens(self) -> dict[str, str]:
        def read(connection: Connection) -> dict[str, str]:
            rows = connection.execute(select(login.c.digest, login.c.token))
            return {row.digest: row.token for row in rows}

        return await self.database.run(read)

    def new_key(self) -> str:
        document = json.loads(self.file.read_bytes())
        entry = new_key()
        document["keys"].insert(0, entry)
        newer = self.file.with_suffix(".new")
        newer.write_text(json.dumps(document))
        newer.replace(self.file)
        return entry["id"]


@pytest.fixture
def rotated(lab_database_url: str, tmp_path: Path) -> Iterator[Rotated]:
    rotated = Rotated(lab_database_url, tmp_path / "keys.json")
    yield rotated
    rotated.database.close()


async def test_all_values_get_the_newest_key(
    rotated: Rotated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encrypted_columns, "AT_ONCE", 3)
    names = [f"login-{number}" for number in range(8)]
    await rotated.add(*names)
    older, newer = rotated.box.key_ids()[0], rotated.new_key()
    await rotated.add("later")
    assert await rotated.columns.count() == {newer: 1, older: 8}
    await rotated.columns.renew()
    assert await rotated.columns.count() == {newer: 9, older: 0}
    assert {
        digest: rotated.box.decrypt(token).decode()
        for digest, token in (await rotated.tokens()).items()
    } == {name: name for name in (*names, "later")}


async def test_values_of_unknown_keys_stay_and_hold_nothing_up(rotated: Rotated) -> None:
    await rotated.add("a", "b")
    await rotated.set("a", "gone%_:value")
    rotated.new_key()
    await rotated.columns.renew()
    found = await rotated.tokens()
    assert found["a"] == "gone%_:value"
    assert rotated.box.decrypt(found["b"]) == b"b"
    assert (await rotated.columns.count())["gone%_"] == 1


async def test_a_value_that_somebody_writes_meanwhile_stays(rotated: Rotated) -> None:
    await rotated.add("a")
    rotated.new_key()
    newer = rotated.box.encrypt(b"newer")

    class Overtaken(EncryptedColumns):
        """Another server writes between the reading and the writing."""

        def _renew_some(self, connection: Connection, column: Any, last: Any) -> Any:
            class Keys:
                def key_ids(self) -> list[str]:
                    return rotated.box.key_ids()

                def renewed(self, value: str) -> str | None:
                    connection.execute(update(login).values(token=newer))
                    return rotated.box.renewed(value)

            self._keys = Keys()
            return super()._renew_some(connection, column, last)

    await Overtaken(rotated.database, [login.c.token], rotated.box).renew()
    assert (await rotated.tokens())["a"] == newer


async def test_without_an_older_key_nothing_is_done(rotated: Rotated) -> None:
    await rotated.add("a")
    before = await rotated.tokens()
    await rotated.columns.renew()
    assert await rotated.tokens() == before


async def test_a_broken_value_holds_nothing_up(
    rotated: Rotated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encrypted_columns, "AT_ONCE", 1)
    await rotated.add("a", "b")
    older = rotated.box.key_ids()[0]
    await rotated.set("a", older + ":broken")
    newer = rotated.new_key()
    await rotated.columns.renew()
    assert await rotated.columns.count() == {newer: 1, older: 1}
