"""Columns with encrypted values, each of which names its key: `<key id>:<token>`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Column, Connection, and_, func, or_, select, update

from jupyter_ext.database.engine import Database

AT_ONCE = 200
"""Values in one transaction."""
_LONGEST_ID = 64


class Keys(Protocol):
    """What encrypts, as `SecretBox`."""

    def key_ids(self) -> list[str]:
        """The IDs of all keys; the first one encrypts."""

    def renewed(self, value: str) -> str:
        """The value, encrypted with the first key."""


class EncryptedColumns:
    """The values of some columns, for a rotation of their keys. All methods raise
    DatabaseUnavailable."""

    def __init__(self, database: Database, columns: Sequence[Column[Any]], keys: Keys) -> None:
        self._database = database
        self._columns = columns
        self._keys = keys

    async def count(self) -> dict[str, int]:
        """How many values there are of each key; of keys without any, 0."""
        count = partial(_count, columns=self._columns)
        found = await self._database.run(count, read_only=True)
        return {**dict.fromkeys(self._keys.key_ids(), 0), **found}

    async def renew(self) -> None:
        """Encrypt with the first key what was encrypted with another one. Values of unknown keys
        stay as they are."""
        for column in self._columns:
            while await self._database.run(partial(self._renew_some, column=column)):
                pass

    def _renew_some(self, connection: Connection, column: Column[Any]) -> bool:
        """Whether there may be more."""
        former = self._keys.key_ids()[1:]
        if not former:
            return False
        keys = list(column.table.primary_key.columns)
        query = select(*keys, column.label("value")).where(_of_keys(column, former)).limit(AT_ONCE)
        rows = connection.execute(query).all()
        for row in rows:
            # Somebody may have written another value meanwhile, which is newer.
            same = and_(*(key == part for key, part in zip(keys, row, strict=False)))
            renewed = {column: self._keys.renewed(row.value)}
            connection.execute(
                update(column.table).where(same, column == row.value).values(renewed)
            )
        return len(rows) == AT_ONCE


def _of_keys(column: Column[Any], ids: Iterable[str]) -> Any:
    return or_(*(column.startswith(f"{one}:", autoescape=True) for one in ids))


def _count(connection: Connection, columns: Sequence[Column[Any]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for column in columns:
        beginnings = select(func.substr(column, 1, _LONGEST_ID)).where(column != "")
        found.update(text.partition(":")[0] for text in connection.execute(beginnings).scalars())
    return dict(found)
