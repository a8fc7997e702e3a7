"""Sessions and kernel starts in both databases, with two labs at once."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, event

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import endings, moves, session_rows, started_kernels, starts
from jupyter_ext.sessions.store.document_kernels import lock_kernel, may_use
from jupyter_ext.sessions.store.session_rows import Session
from jupyter_ext.sessions.store.starts import Claim, Start

UUID = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
LEASE = timedelta(seconds=30)
DOCUMENT = Document("demo/a.ipynb", "notebook")


@pytest.fixture
def labs(lab_database_url: str) -> Iterator[list[Database]]:
    """The databases of two labs, which are one."""
    databases = [Database(lab_database_url), Database(lab_database_url)]
    yield databases
    for database in databases:
        database.close()


def notebook(path: str) -> Document:
    return Document(path, "notebook")


def claim(database: Database, document: Document = DOCUMENT, lease: timedelta = LEASE) -> Start:
    return database.run_blocking(partial(starts.claim_start, document=document, lease=lease))


def add(database: Database, kernel_id: str, path: str = "demo/a.ipynb", **more: Any) -> Session:
    fields = {"shown_path": path, "name": "a.ipynb", "username": "ada", **more}
    made = partial(session_rows.new_session, kernel_id=kernel_id, document=notebook(path), **fields)
    new = database.run_blocking(made)
    return database.run_blocking(partial(session_rows.add_session, new=new))


def test_one_of_many_starts_the_kernel(labs: list[Database]) -> None:
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(lambda number: claim(labs[number % 2]), range(16)))
    winners = [start for start in answers if start.claim is Claim.START]
    assert len(winners) == 1
    assert {start.claim for start in answers} == {Claim.START, Claim.WAIT}
    finish = partial(starts.finish_start, start=winners[0])
    assert labs[0].run_blocking(finish)
    assert claim(labs[1]) == replace(winners[0], claim=Claim.ATTACH)


def test_a_starter_that_fell_silent_is_followed_under_the_same_id(labs: list[Database]) -> None:
    first = claim(labs[0], lease=timedelta(0))
    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(lambda number: claim(labs[number % 2]), range(8)))
    (second,) = [start for start in answers if start.claim is Claim.START]
    assert second.kernel_id == first.kernel_id
    assert second.attempt == first.attempt + 1
    # Whoever was overtaken changes nothing any more.
    run = labs[0].run_blocking
    assert not run(partial(starts.finish_start, start=first))
    assert not run(partial(starts.renew_start, start=first, lease=LEASE))
    run(partial(starts.drop_start, start=first))
    assert claim(labs[1]).claim is Claim.WAIT
    assert run(partial(starts.renew_start, start=second, lease=LEASE))


def test_a_start_that_failed_is_nobodys(labs: list[Database]) -> None:
    first = claim(labs[0])
    labs[0].run_blocking(partial(starts.drop_start, start=first))
    second = claim(labs[1])
    assert second.claim is Claim.START
    assert second.kernel_id != first.kernel_id
    # One of which nobody knows whether it failed is tried again, at once and under the same id.
    labs[1].run_blocking(partial(starts.release_start, start=second))
    third = claim(labs[0])
    assert (third.claim, third.kernel_id) == (Claim.START, second.kernel_id)


def get(database: Database, session: Session) -> Session:
    found = database.run_blocking(partial(session_rows.get_session, session_id=session.id))
    assert found is not None
    return found


def move(database: Database, old: str, new: str) -> None:
    database.run_blocking(partial(moves.move_documents, old=old, new=new))


def running(database: Database, path: str) -> Start:
    start = claim(database, notebook(path))
    assert database.run_blocking(partial(starts.finish_start, start=start))
    return start


def test_a_renamed_notebook_keeps_its_kernel_and_its_pages(labs: list[Database]) -> None:
    start = running(labs[0], "demo/a.ipynb")
    one = add(labs[0], start.kernel_id)
    placeholder = add(labs[1], start.kernel_id, shown_path=f"demo/{UUID}")
    elsewhere = add(labs[1], "another-kernel", "demo/b.ipynb")
    move(labs[1], "demo/a.ipynb", "demo/c.ipynb")
    assert get(labs[0], one) == replace(
        one, path="demo/c.ipynb", shown_path="demo/c.ipynb", name="c.ipynb"
    )
    # Its page compares the answer with the placeholder that it posted.
    assert get(labs[0], placeholder) == replace(placeholder, path="demo/c.ipynb")
    assert get(labs[0], elsewhere) == elsewhere
    there = claim(labs[1], notebook("demo/c.ipynb"))
    assert (there.claim, there.kernel_id) == (Claim.ATTACH, start.kernel_id)
    assert claim(labs[1]).claim is Claim.START


def test_a_renamed_folder_takes_along_what_is_in_it_alone(labs: list[Database]) -> None:
    inside = ["demo/dir/a.ipynb", "demo/dir/deep/b.ipynb"]
    outside = ["demo/dir.ipynb", "demo/dir0/a.ipynb", "demo/DIR/a.ipynb", "other/demo/dir/a.ipynb"]
    kernels = {path: running(labs[0], path).kernel_id for path in [*inside, *outside]}
    sessions = {path: add(labs[0], kernel, path) for path, kernel in kernels.items()}
    move(labs[1], "demo/dir", "demo/new/place")
    for path, kernel_id in kernels.items():
        now = path.replace("demo/dir/", "demo/new/place/") if path in inside else path
        assert get(labs[0], sessions[path]).path == get(labs[0], sessions[path]).shown_path == now
        found = claim(labs[1], notebook(now))
        assert (found.claim, found.kernel_id) == (Claim.ATTACH, kernel_id)


def test_a_notebook_that_is_moved_over_a_deleted_one_brings_its_kernel(
    labs: list[Database],
) -> None:
    kept, deleted = running(labs[0], "demo/a.ipynb"), running(labs[0], "demo/b.ipynb")
    left = add(labs[0], deleted.kernel_id, "demo/b.ipynb")
    moved = add(labs[0], kept.kernel_id, "demo/a.ipynb")
    move(labs[1], "demo/a.ipynb", "demo/b.ipynb")
    for user in (moved.username, "somebody else"):
        found = labs[1].run_blocking(
            partial(session_rows.find_session, path="demo/b.ipynb", username=user)
        )
        assert found is not None
        assert found.id == moved.id
    assert claim(labs[1], notebook("demo/b.ipynb")).kernel_id == kept.kernel_id
    assert get(labs[1], left) == left
    assert labs[0].run_blocking(partial(endings.release_session, session_id=left.id))


def test_whoever_starts_a_kernel_or_waits_for_it_follows_a_rename(labs: list[Database]) -> None:
    starter = claim(labs[0])
    waiter = claim(labs[1])
    assert waiter.claim is Claim.WAIT
    move(labs[1], "demo/a.ipynb", "demo/c.ipynb")
    run = labs[0].run_blocking
    assert run(partial(starts.renew_start, start=starter, lease=LEASE))
    again = partial(starts.claim_start, document=DOCUMENT, lease=LEASE, waited=waiter)
    assert run(again) == replace(waiter, document=notebook("demo/c.ipynb"))
    assert run(partial(starts.finish_start, start=starter))
    assert run(partial(starts.document_of, start=starter)) == notebook("demo/c.ipynb")
    assert run(again).claim is Claim.ATTACH


def test_saving_under_another_name_moves_nobody_else(labs: list[Database]) -> None:
    start = running(labs[0], "demo/a.ipynb")
    one, two = add(labs[0], start.kernel_id), add(labs[1], start.kernel_id)
    saved = replace(one, path="demo/c.ipynb", shown_path="demo/c.ipynb", name="c.ipynb")
    labs[0].run_blocking(partial(session_rows.change_session, old=one, new=saved))
    assert get(labs[1], one) == saved
    assert get(labs[1], two) == two
    for path in ("demo/a.ipynb", "demo/c.ipynb"):
        assert claim(labs[1], notebook(path)).kernel_id == start.kernel_id
    # With its last page the kernel leaves the old name.
    followed = replace(two, path="demo/c.ipynb", shown_path="demo/c.ipynb")
    labs[1].run_blocking(partial(session_rows.change_session, old=two, new=followed))
    assert claim(labs[1]).claim is Claim.START
    assert claim(labs[1], notebook("demo/c.ipynb")).kernel_id == start.kernel_id


def test_a_notebook_that_leaves_its_project_leaves_its_kernel(labs: list[Database]) -> None:
    start = claim(labs[0])
    labs[0].run_blocking(partial(starts.finish_start, start=start))
    one = add(labs[0], start.kernel_id)
    labs[0].run_blocking(partial(moves.move_documents, old="demo/a.ipynb", new="other/a.ipynb"))
    assert get(labs[1], one) == one
    there = claim(labs[1], notebook("other/a.ipynb"))
    assert there.claim is Claim.START
    assert there.kernel_id != start.kernel_id


def test_sessions_are_counted_and_go_with_their_kernel(labs: list[Database]) -> None:
    start = claim(labs[0])
    labs[0].run_blocking(partial(starts.finish_start, start=start))
    sessions = [add(labs[number % 2], start.kernel_id) for number in range(3)]
    run = labs[1].run_blocking
    assert run(partial(session_rows.count_sessions, kernel_id=start.kernel_id)) == 3
    for _ in range(2):
        assert run(partial(endings.release_session, session_id=sessions[0].id)) == []
    listed = run(partial(session_rows.sessions_of_projects, projects=["demo"]))
    assert listed == sessions[1:]
    assert run(partial(session_rows.sessions_of_projects, projects=["other"])) == []
    assert run(partial(session_rows.sessions_of_projects, projects=[])) == []
    run(partial(endings.remove_kernel, kernel_id=start.kernel_id))
    assert run(partial(session_rows.sessions_of_projects, projects=None)) == []
    assert claim(labs[0]).kernel_id != start.kernel_id


def test_paths_differ_by_bytes(labs: list[Database]) -> None:
    paths = ["demo/a.ipynb", "demo/A.ipynb", "demo/å.ipynb", "demo/a\u030a.ipynb"]
    for path in paths:
        add(labs[0], f"kernel of {path}", path)
    for path in paths:
        found = labs[1].run_blocking(partial(session_rows.find_session, path=path, username="ada"))
        assert found is not None
        assert found.kernel_id == f"kernel of {path}"


def test_whoever_drops_a_start_drops_no_later_one_of_that_kernel(labs: list[Database]) -> None:
    run = labs[0].run_blocking
    again = partial(starts.claim_start, document=DOCUMENT, lease=LEASE, kernel_id="chosen")
    first = run(again)
    run(partial(starts.drop_start, start=first))
    second = run(again)
    run(partial(starts.drop_start, start=first))
    assert run(partial(starts.finish_start, start=second))


@contextmanager
def one_look_that_misses(lab: Database) -> Iterator[None]:
    """The next look for a kernel's rows finds none, as MariaDB's does if a rename moves the row to
    a key that the look has passed."""
    looks: list[str] = []

    def hide(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> Any:
        if "FROM fleet_kernel_start" in statement and "kernel_id =" in statement and not looks:
            looks.append(statement)
            statement = statement.replace("kernel_id =", "kernel_id IS NULL AND kernel_id =")
        return statement, values

    event.listen(lab.engine, "before_cursor_execute", hide, retval=True)
    try:
        yield
    finally:
        event.remove(lab.engine, "before_cursor_execute", hide)
    assert looks


@pytest.mark.parametrize(
    ("ask", "answer"),
    [
        (starts.document_of, DOCUMENT),
        (starts.finish_start, True),
        (lambda connection, start: starts.renew_start(connection, start, LEASE), True),
        (lambda connection, start: lock_kernel(connection, start.kernel_id), (DOCUMENT,)),
    ],
    ids=["where it is", "finish", "renew", "lock"],
)
def test_a_rename_in_progress_hides_no_kernel(
    labs: list[Database], ask: Callable[[Connection, Start], Any], answer: Any
) -> None:
    start = claim(labs[0])
    with one_look_that_misses(labs[1]):
        assert labs[1].run_blocking(lambda connection: ask(connection, start)) == answer


@contextmanager
def meanwhile(lab: Database, statement: str, work: Callable[[], Any]) -> Iterator[Future[Any]]:
    """What another lab does as this one is about to run such a statement, which goes on when that
    is done or waits for this one's transaction."""
    begun: list[Future[Any]] = []
    done: Future[Any] = Future()

    def interrupt(_connection: Any, _cursor: Any, running: str, *_: Any) -> None:
        if running.startswith(statement) and not begun:
            begun.append(threads.submit(work))
            with suppress(TimeoutError):
                begun[0].result(0.3)

    event.listen(lab.engine, "before_cursor_execute", interrupt)
    with ThreadPoolExecutor(1) as threads:
        try:
            yield done
        finally:
            event.remove(lab.engine, "before_cursor_execute", interrupt)
        done.set_result(begun[0].result())


def give(database: Database, session: Session, kernel_id: str, former: str | None) -> bool:
    """What a PATCH does; False if it is refused."""

    def change(connection: Connection) -> bool:
        old = session_rows.hold_session(connection, session.id)
        if old is None or not may_use(connection, kernel_id):
            return False
        new = replace(old, kernel_id=kernel_id, former_kernel=former)
        session_rows.change_session(connection, old=old, new=new)
        return True

    return database.run_blocking(change)


def note(database: Database, kernel_id: str) -> None:
    database.run_blocking(partial(started_kernels.note_kernel, kernel_id=kernel_id))


@pytest.mark.parametrize("noted", [True, False], ids=["for a session", "by a client"])
def test_a_session_that_gets_a_kernel_as_that_is_removed_is_not_lost(
    labs: list[Database], noted: bool
) -> None:
    mine = running(labs[0], "demo/a.ipynb")
    session = add(labs[0], mine.kernel_id)
    if noted:
        note(labs[0], "other")
    change = partial(give, labs[1], session, "other", mine.kernel_id)
    with meanwhile(labs[0], "DELETE FROM fleet_session", change):
        labs[0].run_blocking(partial(endings.remove_kernel, kernel_id="other"))
    found = get(labs[0], session)
    assert (found.kernel_id, found.former_kernel) in (
        (mine.kernel_id, None),
        ("other", mine.kernel_id),
    )


def test_a_kernel_does_not_end_as_a_session_gets_it(labs: list[Database]) -> None:
    mine = running(labs[0], "demo/a.ipynb")
    session = add(labs[0], mine.kernel_id)
    note(labs[0], "other")
    change = partial(give, labs[1], session, "other", None)
    with meanwhile(labs[0], "INSERT INTO fleet_kernel_start", change) as given:
        ending = labs[0].run_blocking(partial(endings.release_kernel, kernel_id="other"))
    assert (ending is not None) != given.result()
    assert get(labs[0], session).kernel_id == ("other" if given.result() else mine.kernel_id)


def test_a_page_that_renames_its_session_as_the_file_is_renamed_keeps_its_name(
    labs: list[Database],
) -> None:
    # Of a kernel that is not the document's, so that only the session's own row is locked.
    session = add(labs[0], "another-kernel")

    def name_it(connection: Connection) -> None:
        old = session_rows.hold_session(connection, session.id)
        assert old is not None
        new = replace(old, name="mine")
        session_rows.change_session(connection, old=old, new=new)

    named = partial(labs[1].run_blocking, name_it)
    with meanwhile(labs[0], "UPDATE fleet_session ", named):
        move(labs[0], "demo/a.ipynb", "demo/c.ipynb")
    found = get(labs[0], session)
    assert (found.path, found.name) == ("demo/c.ipynb", "mine")
