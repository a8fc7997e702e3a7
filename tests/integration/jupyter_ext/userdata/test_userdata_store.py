"""Texts and signatures in both databases, also when two labs write at once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade_lab
from jupyter_ext.userdata import store
from jupyter_ext.userdata.signatures import SqlSignatureStore


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    upgrade_lab(database)
    yield database
    database.close()


def test_two_labs_may_save_the_same_setting_at_once(database: Database) -> None:
    def save(number: int) -> None:
        for attempt in range(5):
            database.run_blocking(
                partial(
                    store.save_setting,
                    username="ada",
                    schema_name="s:p",
                    raw=f'{{"n": {number * 10 + attempt}}}',
                )
            )

    with ThreadPoolExecutor(6) as threads:
        list(threads.map(save, range(6)))
    found = database.run_blocking(partial(store.settings_of, username="ada"))
    assert list(found) == ["s:p"]
    assert found["s:p"].created <= found["s:p"].modified
    assert database.run_blocking(partial(store.settings_of, username="Ada")) == {}


def test_names_differ_by_bytes_and_texts_may_be_long(database: Database) -> None:
    raw = '{"x": "' + "é😀" * 200_000 + '"}'
    for name in ("a", "A", "a ", "å"):
        database.run_blocking(
            partial(store.save_workspace, username="u" * 255, name=name, raw=raw + name)
        )
    found = database.run_blocking(partial(store.workspaces_of, username="u" * 255))
    assert {stored.name: stored.raw for stored in found} == {
        name: raw + name for name in ("a", "A", "a ", "å")
    }


def test_signatures_are_known_until_removed(database: Database) -> None:
    first, second = SqlSignatureStore(database), SqlSignatureStore(database)
    assert not second.check_signature("d" * 64, "sha256")
    first.store_signature("d" * 64, "sha256")
    first.store_signature("d" * 64, "sha256")
    assert second.check_signature("d" * 64, "sha256")
    assert not second.check_signature("d" * 64, "sha512")
    second.remove_signature("d" * 64, "sha256")
    assert not first.check_signature("d" * 64, "sha256")
