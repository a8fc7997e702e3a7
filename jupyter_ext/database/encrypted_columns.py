"""Columns with encrypted values, each of which names its key: `<key id>:<token>`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any, Protocol

from sqlalchemy import Column, Connection, func, or_, select, update

from jupyter_ext.database.engine import Database

AT_ONCE = 200
"""Values in one transaction."""
_LONGEST_ID = 64


class Keys(Protocol):
    """What encrypts, as `SecretBox`."""

    def key_ids(self) -> list[str]:
        """The IDs of all keys; the first one encrypts."""

    def renewed(self, value: str) -> str | None:
        """The value, encrypted with the first key; None if it cannot be decrypted."""


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
        """Encrypt with the first key what was encrypted with another one. What cannot be decrypted
        stays as it is."""
        for column in self._columns:
            last = await self._database.run(partial(self._renew_some, column=column, last=None))
            while last is not None:
                last = await self._database.run(partial(self._renew_some, column=column, last=last))

    def _renew_some(self, connection: Connection, column: Column[Any], last: Any) -> Any:
        """Renews some values of rows behind the one with this primary key; that of the last one,
        None if there are no more."""
        former = self._keys.key_ids()[1:]
        if not former:
            return None
        (key,) = column.table.primary_key.columns
        query = select(key.label("key"), column.label("value")).where(_of_keys(column, former))
        if last is not None:
            query = query.where(key > last)
        rows = connection.execute(query.order_by(key).limit(AT_ONCE)).all()
        for row in rows:
            renewed = self._keys.renewed(row.value)
            if renewed is not None:
                # Somebody may have written another value meanwhile, which is newer.
                same = (key == row.key) & (column == row.value)
                connection.execute(update(column.table).where(same).values({column: renewed}))
        return rows[-1].key if len(rows) == AT_ONCE else None


def _of_keys(column: Column[Any], ids: Iterable[str]) -> Any:
    return or_(*(column.startswith(f"{one}:", autoescape=True) for one in ids))


def _count(connection: Connection, columns: Sequence[Column[Any]]) -> dict[str, int]:
    found: Counter[str] = Counter()
    for column in columns:
        beginnings = select(func.substr(column, 1, _LONGEST_ID)).where(column != "")
        found.update(text.partition(":")[0] for text in connection.execute(beginnings).scalars())
    return dict(found)
