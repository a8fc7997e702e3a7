"""Sessions whose kernel one person has alone, on SQLite and MariaDB."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import (
    endings,
    moves,
    personal_rows,
    session_rows,
    started_kernels,
    starts,
)
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
        session_rows.new_session,
        kernel_id=str(uuid.uuid4()),
        document=document,
        shown_path=path,
        name=document.base,
        username=user,
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


def test_a_kernel_that_loses_its_session_to_a_rename_is_to_end(database: Database) -> None:
    six, seven = (put(database, fresh(database, f"demo/n{number}.ipynb")) for number in (6, 7))
    others = put(database, fresh(database, "demo/n7.ipynb", "cid"))
    console = Document("demo/n7-console", "console")
    for old, new in (("n6.ipynb", "n6b.ipynb"), ("n6b.ipynb", "n7.ipynb")):
        move = partial(moves.move_documents, old=f"demo/{old}", new=f"demo/{new}")
        database.run_blocking(move)
    assert found(database, "demo/n7.ipynb").kernel_id == six.kernel_id
    assert database.run_blocking(endings.unfinished_endings) == [seven.kernel_id]
    assert found(database, "demo/n7.ipynb", "cid").kernel_id == others.kernel_id
    # Not one that its person still has, in a console; nor one that has ended before.
    put(database, replace(fresh(database, console.path), type="console", kernel_id=six.kernel_id))
    put(database, fresh(database, "demo/n8.ipynb"))
    gone = put(database, fresh(database, "demo/n9.ipynb"))
    database.run_blocking(partial(personal_rows.end, present=gone))
    for old, new in (("n8.ipynb", "n7.ipynb"), ("n7.ipynb", "n9.ipynb")):
        move = partial(moves.move_documents, old=f"demo/{old}", new=f"demo/{new}")
        database.run_blocking(move)
    assert database.run_blocking(endings.unfinished_endings) == [seven.kernel_id]


def running(database: Database, path: str) -> None:
    """A notebook that has a kernel of all."""
    start = partial(
        starts.claim_start, document=Document(path, "notebook"), lease=timedelta(seconds=30)
    )
    database.run_blocking(start)


def test_a_notebook_that_is_moved_to_the_name_of_a_deleted_one_brings_its_own_kernels_alone(
    database: Database,
) -> None:
    there = fresh(database, "demo/b.ipynb")
    new = replace(fresh(database, there.path, "bob"), kernel_id="of all")
    of_all = partial(session_rows.add_session, new=new)
    # One is shown in the session that all others have, the other in one of its own.
    ann = put(database, replace(there, id=database.run_blocking(of_all).id))
    cid = put(database, fresh(database, there.path, "cid"))
    move = partial(moves.move_documents, new=there.path)
    # Nobody works in what is moved: its file takes the place of the one that was there.
    database.run_blocking(partial(move, old="demo/a.ipynb"))
    # Nor does the name change.
    running(database, there.path)
    database.run_blocking(partial(move, old=there.path))
    assert database.run_blocking(endings.unfinished_endings) == []
    assert found(database, there.path) == ann
    running(database, "demo/a.ipynb")
    database.run_blocking(partial(move, old="demo/a.ipynb"))
    ending = set(database.run_blocking(endings.unfinished_endings))
    assert ending == {ann.kernel_id, cid.kernel_id}
    # A page of theirs that has the notebook open does not go on in the kernel of all.
    assert found(database, there.path).kernel_id == personal_rows.ENDED
    assert found(database, there.path, "cid").kernel_id == personal_rows.ENDED


def test_a_kernel_is_started_for_a_session_that_a_rename_moves_meanwhile(
    database: Database,
) -> None:
    own = put(database, fresh(database))
    database.run_blocking(partial(moves.move_documents, old=PATH, new="demo/c.ipynb"))
    became = put(database, replace(own, kernel_id="k"), own.kernel_id)
    assert (became.path, became.kernel_id) == ("demo/c.ipynb", "k")
    assert found(database, "demo/c.ipynb") == became
    assert found(database) is None


def test_a_kernel_that_was_started_for_a_person_is_used_as_long_as_they_have_a_session(
    database: Database,
) -> None:
    wanted = fresh(database)
    own = database.run_blocking(partial(personal_rows.put_new, wanted=wanted, instead_of=None))
    release = partial(endings.release_kernel, kernel_id=own.kernel_id)
    assert database.run_blocking(started_kernels.unused_kernels) == []
    assert database.run_blocking(release) is None
    # Who comes second starts none.
    second = partial(personal_rows.put_new, wanted=fresh(database), instead_of=None)
    assert database.run_blocking(second).kernel_id == own.kernel_id
    database.run_blocking(partial(personal_rows.forget, present=own))
    assert database.run_blocking(started_kernels.unused_kernels) == [own.kernel_id]
    assert database.run_blocking(release) is not None
    assert database.run_blocking(started_kernels.unused_kernels) == []


def test_what_its_person_has_ended_stands_in_place_of_what_all_others_have(
    database: Database,
) -> None:
    own = put(database, fresh(database))
    database.run_blocking(partial(personal_rows.end, present=own))
    database.run_blocking(personal_rows.forget_ended)
    ended = found(database)
    assert (ended.id, ended.kernel_id) == (own.id, personal_rows.ENDED)
    # Another one takes its place; what somebody knew of before ends nothing of it.
    assert put(database, replace(own, kernel_id="k"), personal_rows.ENDED).kernel_id == "k"
    database.run_blocking(partial(personal_rows.end, present=ended))
    assert found(database).kernel_id == "k"
    console = replace(fresh(database, "demo/ä-console"), type="console")
    database.run_blocking(partial(personal_rows.end, present=put(database, console)))
    assert database.run_blocking(
        partial(personal_rows.of_projects, projects=["demo"], username="ann")
    ) == [found(database)]
