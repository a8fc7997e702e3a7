"""Sessions whose kernel one person has alone, on SQLite and MariaDB."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import moves, personal_rows
from jupyter_ext.sessions.store.session_rows import Session

PATH = "demo/ä.ipynb"


@pytest.fixture
def database(lab_database_url: str) -> Iterator[Database]:
    database = Database(lab_database_url)
    yield database
    database.close()


def fresh(database: Database, path: str = PATH, user: str = "ann") -> Session:
    document = Document(path, "notebook")
    made = partial(
        personal_rows.new_row, document=document, username=user, shown=path, name=document.base
    )
    session: Session = database.run_blocking(made)
    return session


def put(database: Database, wanted: Session, instead_of: str | None = None) -> Session:
    written = partial(personal_rows.put, wanted=wanted, instead_of=instead_of)
    session: Session = database.run_blocking(written)
    return session


def found(database: Database, path: str = PATH, user: str = "ann") -> Any:
    document = Document(path, "notebook")
    return database.run_blocking(
        partial(personal_rows.of_document, document=document, username=user)
    )


def test_of_several_who_ask_at_once_one_decides_which_kernel_is_started(
    database: Database,
) -> None:
    with ThreadPoolExecutor(6) as threads:
        asked = [threads.submit(put, database, fresh(database)) for _ in range(6)]
        kernels = {one.result().kernel_id for one in asked}
        assert len(kernels) == 1
        (first,) = kernels
        again = [
            threads.submit(put, database, replace(found(database), kernel_id=f"k-{n}"), first)
            for n in range(6)
        ]
        kernels = {one.result().kernel_id for one in again}
    assert len(kernels) == 1
    assert found(database).kernel_id in kernels - {first}
    assert found(database, user="bob") is None


def test_sessions_move_with_their_documents_and_stay_each_persons(database: Database) -> None:
    own = {user: put(database, fresh(database, user=user)) for user in ("ann", "bob")}
    replaced = put(database, fresh(database, "demo/b.ipynb"))
    database.run_blocking(partial(moves.move_documents, old=PATH, new="demo/b.ipynb"))
    for user, session in own.items():
        there = found(database, "demo/b.ipynb", user)
        assert (there.id, there.kernel_id) == (session.id, session.kernel_id)
        names = (there.path, there.shown_path, there.name)
        assert names == ("demo/b.ipynb", "demo/b.ipynb", "b.ipynb")
        assert found(database, PATH, user) is None
    assert database.run_blocking(partial(personal_rows.uses, kernel_id=replaced.kernel_id)) == 0
    # Not into another project, in which its kernel is not.
    database.run_blocking(partial(moves.move_documents, old="demo/b.ipynb", new="other/b.ipynb"))
    assert found(database, "demo/b.ipynb") is not None


def test_what_its_person_has_ended_stands_in_place_of_what_all_others_have(
    database: Database,
) -> None:
    own = put(database, fresh(database))
    database.run_blocking(partial(personal_rows.end, present=own, shared=True))
    database.run_blocking(personal_rows.forget_ended)
    ended = found(database)
    assert (ended.id, ended.kernel_id) == (own.id, personal_rows.ENDED)
    # Another one takes its place; what somebody knew of before ends nothing of it.
    assert put(database, replace(own, kernel_id="k"), personal_rows.ENDED).kernel_id == "k"
    database.run_blocking(partial(personal_rows.end, present=ended, shared=False))
    assert found(database).kernel_id == "k"
    database.run_blocking(partial(personal_rows.end, present=found(database), shared=False))
    assert found(database) is None
