"""Sessions and kernel starts in both databases, with two labs at once."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade_lab
from jupyter_ext.sessions import store
from jupyter_ext.sessions.paths import start_key
from jupyter_ext.sessions.store import Claim, Session, Start

LEASE = timedelta(seconds=30)
DOCUMENT = start_key("demo/a.ipynb", "notebook")


@pytest.fixture
def labs(database_url: str) -> Iterator[list[Database]]:
    """The databases of two labs, which are one."""
    databases = [Database(database_url), Database(database_url)]
    upgrade_lab(databases[0])
    yield databases
    for database in databases:
        database.close()


def claim(database: Database, document: str = DOCUMENT, lease: timedelta = LEASE) -> Start:
    return database.run_blocking(partial(store.claim_start, document=document, lease=lease))


def add(database: Database, kernel_id: str, path: str = "demo/a.ipynb", **more: Any) -> Session:
    fields = {"shown_path": path, "name": "a.ipynb", "username": "ada", **more}
    return database.run_blocking(
        partial(
            store.add_session,
            kernel_id=kernel_id,
            project=path.split("/")[0],
            path=path,
            type_="notebook",
            **fields,
        )
    )


def test_one_of_many_starts_the_kernel(labs: list[Database]) -> None:
    with ThreadPoolExecutor(16) as threads:
        starts = list(threads.map(lambda number: claim(labs[number % 2]), range(16)))
    winners = [start for start in starts if start.claim is Claim.START]
    assert len(winners) == 1
    assert {start.claim for start in starts} == {Claim.START, Claim.WAIT}
    finish = partial(store.finish_start, document=DOCUMENT, start=winners[0])
    assert labs[0].run_blocking(finish)
    assert claim(labs[1]) == replace(winners[0], claim=Claim.ATTACH)


def test_a_starter_that_fell_silent_is_followed_under_the_same_id(labs: list[Database]) -> None:
    first = claim(labs[0], lease=timedelta(milliseconds=50))
    time.sleep(0.1)
    with ThreadPoolExecutor(8) as threads:
        starts = list(threads.map(lambda number: claim(labs[number % 2]), range(8)))
    (second,) = [start for start in starts if start.claim is Claim.START]
    assert second.kernel_id == first.kernel_id
    assert second.attempt == first.attempt + 1
    # Whoever was overtaken changes nothing any more.
    run = labs[0].run_blocking
    assert not run(partial(store.finish_start, document=DOCUMENT, start=first))
    assert not run(partial(store.renew_start, document=DOCUMENT, start=first, lease=LEASE))
    run(partial(store.drop_start, document=DOCUMENT, start=first))
    assert claim(labs[1]).claim is Claim.WAIT
    assert run(partial(store.renew_start, document=DOCUMENT, start=second, lease=LEASE))


def test_a_start_that_failed_is_nobodys(labs: list[Database]) -> None:
    first = claim(labs[0])
    labs[0].run_blocking(partial(store.drop_start, document=DOCUMENT, start=first))
    second = claim(labs[1])
    assert second.claim is Claim.START
    assert second.kernel_id != first.kernel_id
    # One of which nobody knows whether it failed is tried again, at once and under the same id.
    labs[1].run_blocking(partial(store.release_start, document=DOCUMENT, start=second))
    third = claim(labs[0])
    assert (third.claim, third.kernel_id) == (Claim.START, second.kernel_id)


def test_a_renamed_notebook_keeps_its_kernel_and_its_pages(labs: list[Database]) -> None:
    start = claim(labs[0])
    labs[0].run_blocking(partial(store.finish_start, document=DOCUMENT, start=start))
    one = add(labs[0], start.kernel_id)
    two = add(labs[1], start.kernel_id)
    placeholder = add(labs[1], start.kernel_id, shown_path="demo/0000")
    elsewhere = add(labs[1], "another-kernel", "demo/b.ipynb")
    renamed = replace(one, path="demo/c.ipynb", shown_path="demo/c.ipynb", name="c.ipynb")
    labs[0].run_blocking(partial(store.change_session, old=one, new=renamed))

    def get(session: Session) -> Session:
        found = labs[1].run_blocking(partial(store.get_session, session_id=session.id))
        assert found is not None
        return found

    assert get(one) == renamed
    assert (get(two).path, get(two).shown_path) == ("demo/c.ipynb", "demo/c.ipynb")
    assert (get(placeholder).path, get(placeholder).shown_path) == ("demo/c.ipynb", "demo/0000")
    assert get(elsewhere) == elsewhere
    assert claim(labs[1], start_key("demo/c.ipynb", "notebook")).kernel_id == start.kernel_id
    assert claim(labs[1]).claim is Claim.START


def test_a_notebook_that_leaves_its_project_leaves_its_kernel(labs: list[Database]) -> None:
    start = claim(labs[0])
    labs[0].run_blocking(partial(store.finish_start, document=DOCUMENT, start=start))
    one = add(labs[0], start.kernel_id)
    moved = replace(one, path="other/a.ipynb", shown_path="other/a.ipynb", project="other")
    labs[0].run_blocking(partial(store.change_session, old=one, new=moved))
    there = claim(labs[1], start_key("other/a.ipynb", "notebook"))
    assert there.claim is Claim.START
    assert there.kernel_id != start.kernel_id


def test_sessions_are_counted_and_go_with_their_kernel(labs: list[Database]) -> None:
    start = claim(labs[0])
    labs[0].run_blocking(partial(store.finish_start, document=DOCUMENT, start=start))
    sessions = [add(labs[number % 2], start.kernel_id) for number in range(3)]
    run = labs[1].run_blocking
    assert run(partial(store.count_sessions, kernel_id=start.kernel_id)) == 3
    for _ in range(2):
        assert run(partial(store.remove_session, session_id=sessions[0].id)) is None
    listed = run(partial(store.sessions_of_projects, projects=["demo"]))
    assert listed == sessions[1:]
    assert run(partial(store.sessions_of_projects, projects=["other"])) == []
    assert run(partial(store.sessions_of_projects, projects=[])) == []
    run(partial(store.remove_kernel, kernel_id=start.kernel_id))
    assert run(partial(store.sessions_of_projects, projects=None)) == []
    assert claim(labs[0]).kernel_id != start.kernel_id


def test_paths_differ_by_bytes(labs: list[Database]) -> None:
    paths = ["demo/a.ipynb", "demo/A.ipynb", "demo/å.ipynb", "demo/a\u030a.ipynb"]
    for path in paths:
        add(labs[0], f"kernel of {path}", path)
    for path in paths:
        found = labs[1].run_blocking(partial(store.find_session, path=path, username="ada"))
        assert found is not None
        assert found.kernel_id == f"kernel of {path}"


def test_whoever_drops_a_start_drops_no_later_one_of_that_kernel(labs: list[Database]) -> None:
    run = labs[0].run_blocking
    again = partial(store.claim_start, document=DOCUMENT, lease=LEASE, kernel_id="chosen")
    first = run(again)
    run(partial(store.drop_start, document=DOCUMENT, start=first))
    second = run(again)
    run(partial(store.drop_start, document=DOCUMENT, start=first))
    assert run(partial(store.finish_start, document=DOCUMENT, start=second))
