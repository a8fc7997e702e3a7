"""Revocations in the database, and labs that learn of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.logins import revocation_watch
from jupyter_ext.logins.revocation_rows import add_revocation, revocations_since
from jupyter_ext.logins.revocation_watch import RevocationWatch
from jupyter_ext.logins.tables import revocation
from jupyter_ext.platform.revocations import (
    LONGEST_TOKEN_SECONDS,
    Revocation,
    Revocations,
    Revoked,
)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/lab.sqlite")
    revocation.create(database.engine)
    yield database
    database.close()


def test_each_name_has_one_row_which_holds_for_longest(database: Database) -> None:
    now = float(int(time.time()))
    for kind, name, until in (
        (Revoked.USER, "ada", now - 10.0),
        (Revoked.USER, "ada", now),
        (Revoked.USER, "ada", now - 20.0),
        (Revoked.PROJECT, "ada", now - 7.0),
    ):
        database.run_blocking(partial(add_revocation, one=Revocation(kind, name, until)))
    found, _ = database.run_blocking(partial(revocations_since, seen=None))
    assert set(found) == {
        Revocation(Revoked.USER, "ada", now),
        Revocation(Revoked.PROJECT, "ada", now - 7.0),
    }


def test_rows_that_concern_no_token_any_more_are_deleted(database: Database) -> None:
    """No token is accepted for so long after it was issued: none is worth more for it."""
    now = time.time()
    for name, age in (("old", LONGEST_TOKEN_SECONDS + 1), ("young", LONGEST_TOKEN_SECONDS - 99)):
        one = Revocation(Revoked.USER, name, now - age)
        database.run_blocking(partial(add_revocation, one=one))
    database.run_blocking(partial(add_revocation, one=Revocation(Revoked.USER, "new", now)))
    found, _ = database.run_blocking(partial(revocations_since, seen=None))
    assert sorted(one.name for one in found) == ["new", "young"]


async def test_another_lab_learns_of_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_watch, "LOOK_SECONDS", 0.01)
    here, there = Revocations(), Revocations()
    other = RevocationWatch(database, there)
    await asyncio.to_thread(other.begin)
    running = asyncio.ensure_future(other.run())
    await RevocationWatch(database, here).add(Revocation(Revoked.USER, "ada", time.time()))
    assert here.version == 1
    async with asyncio.timeout(10):
        while not there.holds(Revoked.USER, "ada", 0):  # noqa: ASYNC110 (the other lab looks)
            await asyncio.sleep(0.01)
    running.cancel()


def test_a_lab_that_starts_knows_all(database: Database) -> None:
    now = time.time()
    one = Revocation(Revoked.PROJECT, "demo", now)
    database.run_blocking(partial(add_revocation, one=one))
    known = Revocations()
    RevocationWatch(database, known).begin()
    assert known.holds(Revoked.PROJECT, "demo", now - 1)
