"""Texts and signatures in both databases, also when two labs write at once."""

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import text

from jupyter_ext.database.engine import Database
from jupyter_ext.database.metadata import LAB_VERSION_TABLE
from jupyter_ext.database.migrate import LAB_MIGRATIONS, upgrade, upgrade_lab
from jupyter_ext.userdata import store
from jupyter_ext.userdata.signatures import SqlSignatureStore
from jupyter_ext.userdata.store import WorkspaceRoom, WorkspacesFull

ROOM = WorkspaceRoom(workspaces=1000, bytes=2**26)


@pytest.fixture
def database(lab_database_url: str) -> Iterator[Database]:
    database = Database(lab_database_url)
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
            partial(store.save_workspace, username="u" * 255, name=name, raw=raw + name, room=ROOM)
        )
    sizes = database.run_blocking(partial(store.workspace_sizes, username="u" * 255))
    assert sorted(sizes) == [
        (name, len((raw + name).encode())) for name in sorted(("a", "A", "a ", "å"))
    ]
    names = [name for name, _ in sizes]
    found = database.run_blocking(
        partial(store.workspaces_called, username="u" * 255, names=[*names, "none"])
    )
    assert [stored.name for stored in found] == names
    assert {stored.name: stored.raw for stored in found} == {
        name: raw + name for name in ("a", "A", "a ", "å")
    }


def test_a_user_keeps_so_many_workspaces_and_bytes_and_no_more(database: Database) -> None:
    room = WorkspaceRoom(workspaces=3, bytes=100)

    def save(name: str, raw: str = "é", username: str = "ada") -> None:
        save_it = partial(store.save_workspace, name=name, raw=raw, username=username, room=room)
        database.run_blocking(save_it)

    for name in ("a", "b", "c"):
        save(name)
    with pytest.raises(WorkspacesFull, match=r"3 workspaces.*limit is 3: delete"):
        save("d")
    # What is there is still saved, and others are not concerned.
    save("a", "another")
    save("d", username="bob")
    with pytest.raises(WorkspacesFull, match=r"103 bytes.*limit is 100: delete"):
        save("b", "x" * 94)
    save("b", "x" * 91)
    assert database.run_blocking(partial(store.delete_workspace, username="ada", name="c"))
    save("d", "x")
    kept = database.run_blocking(partial(store.workspace_sizes, username="ada"))
    assert [name for name, _ in kept] == ["a", "b", "d"]
    # Where the bounds were lowered since, what is there can still be saved.
    room = WorkspaceRoom(workspaces=1, bytes=10)
    save("b", "x" * 90)
    with pytest.raises(WorkspacesFull, match="limit is 10"):
        save("b", "x" * 91)


def test_signatures_are_known_until_removed(database: Database) -> None:
    first, second = (SqlSignatureStore(database, lambda: "ada") for _ in range(2))
    assert not second.check_signature("d" * 64, "sha256")
    first.store_signature("d" * 64, "sha256")
    first.store_signature("d" * 64, "sha256")
    assert second.check_signature("d" * 64, "sha256")
    assert not second.check_signature("d" * 64, "sha512")
    second.remove_signature("d" * 64, "sha256")
    assert not first.check_signature("d" * 64, "sha256")


def test_a_signature_is_one_users(database: Database) -> None:
    caller: str | None = "ada"
    signatures = SqlSignatureStore(database, lambda: caller)
    signatures.store_signature("d" * 64, "sha256")
    for other in ("bob", "Ada", "ada ", None):
        caller = other
        assert not signatures.check_signature("d" * 64, "sha256")
        signatures.remove_signature("d" * 64, "sha256")
    caller = "bob"
    signatures.store_signature("d" * 64, "sha256")
    signatures.remove_signature("d" * 64, "sha256")
    caller = "ada"
    assert signatures.check_signature("d" * 64, "sha256")
    # Nobody has nothing to remember.
    caller = None
    signatures.store_signature("e" * 64, "sha256")
    count = "SELECT COUNT(*) FROM fleet_trusted_notebook WHERE digest = :digest"
    for digest, rows in (("d" * 64, 1), ("e" * 64, 0)):
        found = database.run_blocking(
            lambda c, digest=digest: c.execute(text(count), {"digest": digest}).scalar()
        )
        assert found == rows


def test_a_user_keeps_the_newest_signatures(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "SIGNATURES_EACH", 5)
    monkeypatch.setattr(store, "SIGNATURES_COUNTED", 1)
    bobs = SqlSignatureStore(database, lambda: "bob")
    bobs.store_signature("0" * 64, "sha256")
    adas = SqlSignatureStore(database, lambda: "ada")
    digests = [f"{number}" * 64 for number in range(9)]
    for digest in digests:
        adas.store_signature(digest, "sha256")
        # What she opens and saves again stays.
        adas.store_signature(digests[0], "sha256")
    kept = [digest for digest in digests if adas.check_signature(digest, "sha256")]
    assert kept == [digests[0], *digests[5:]]
    assert bobs.check_signature("0" * 64, "sha256")


OLD_ROW = (
    "INSERT INTO fleet_notebook_signature (algorithm, digest, seen) "
    "VALUES ('sha256', :digest, '2026-01-01 00:00:00')"
)


def test_signatures_without_a_user_are_dropped_and_a_lab_of_before_goes_on(
    database_url: str, tmp_path: Path
) -> None:
    """A migration that runs while a lab of the version before is running."""
    before = tmp_path / "migrations"
    shutil.copytree(LAB_MIGRATIONS, before, ignore=shutil.ignore_patterns("__pycache__"))
    for script in (before / "versions").glob("*.py"):
        if script.name[:4] > "0002":
            script.unlink()
    database = Database(database_url)

    def old_rows() -> int:
        query = text("SELECT COUNT(*) FROM fleet_notebook_signature")
        return int(database.run_blocking(lambda c: c.execute(query).scalar_one()))

    def old_lab_signs(digest: str) -> None:
        database.run_blocking(lambda c: c.execute(text(OLD_ROW), {"digest": digest}))

    try:
        upgrade(database, before, LAB_VERSION_TABLE)
        old_lab_signs("d" * 64)
        assert old_rows() == 1
        upgrade_lab(database)
        assert old_rows() == 0
        old_lab_signs("d" * 64)
        signatures = SqlSignatureStore(database, lambda: "ada")
        assert not signatures.check_signature("d" * 64, "sha256")
    finally:
        database.close()
