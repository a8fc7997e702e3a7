"""The last launch options of users and of documents, on SQLite and MariaDB."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.paths import Document
from jupyter_ext.sessions.store import launch_choices, moves
from jupyter_ext.sessions.store.launch_choices import kept_document


@pytest.fixture
def database(lab_database_url: str) -> Iterator[Database]:
    database = Database(lab_database_url)
    yield database
    database.close()


def keep(
    database: Database, path: str, user: str = "ada", kernel: str = "pod", **options: Any
) -> None:
    kept = partial(
        launch_choices.keep, username=user, kernel_name=kernel, path=path, options=options
    )
    database.run_blocking(kept)


def found(database: Database, path: str, user: str = "ada", kernel: str = "pod") -> Any:
    choices = partial(launch_choices.choices, username=user, kernel_name=kernel, path=path)
    return database.run_blocking(choices)


def test_the_last_choice_of_the_user_and_of_the_document(database: Database) -> None:
    assert found(database, "demo/a.ipynb") == (None, None)
    keep(database, "demo/a.ipynb", cpus=1)
    keep(database, "demo/b.ipynb", cpus=2)
    keep(database, "demo/a.ipynb", user="bob", cpus=3, environment={"A": None})
    assert found(database, "demo/b.ipynb") == ({"cpus": 2}, {"cpus": 2})
    # That of the document is whoever's it was.
    others = {"cpus": 3, "environment": {"A": None}}
    assert found(database, "demo/a.ipynb") == ({"cpus": 2}, others)
    assert found(database, "demo/a.ipynb", user="Ada") == (None, others)
    assert found(database, "demo/a.ipynb", kernel="other") == (None, None)
    keep(database, "", cpus=4)
    assert found(database, "") == ({"cpus": 4}, None)


def test_many_at_once(database: Database) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda cpus: keep(database, "demo/a.ipynb", cpus=cpus), range(24)))
    user, document = found(database, "demo/a.ipynb")
    assert user["cpus"] in range(24)
    assert document["cpus"] in range(24)


def test_a_choice_moves_with_its_document(database: Database) -> None:
    paths = ["demo/d/a.ipynb", "demo/d/e/b.ipynb", "demo/d.ipynb", "demo/d0/a.ipynb"]
    for cpus, path in enumerate(paths):
        keep(database, path, cpus=cpus)
        keep(database, path, kernel="other", cpus=cpus + 10)
    # One that lies where it goes is of a file that is no more.
    keep(database, "demo/n/a.ipynb", cpus=99)
    database.run_blocking(partial(moves.move_documents, old="demo/d", new="demo/n"))
    moved = ["demo/n/a.ipynb", "demo/n/e/b.ipynb", "demo/d.ipynb", "demo/d0/a.ipynb"]
    for cpus, path in enumerate(moved):
        assert found(database, path)[1] == {"cpus": cpus}
        assert found(database, path, kernel="other")[1] == {"cpus": cpus + 10}
    assert found(database, "demo/d/a.ipynb")[1] is None


def test_the_choice_of_a_document_goes_with_it(database: Database) -> None:
    gone, kept = ["demo/d/a.ipynb", "demo/d/e/b.ipynb"], ["demo/d.ipynb", "demo/d0/a.ipynb"]
    for path in (*gone, *kept):
        keep(database, path, cpus=1)
        keep(database, path, kernel="other", cpus=2)
    database.run_blocking(partial(launch_choices.forget_documents, path="demo/d"))
    for kernel, cpus in (("pod", 1), ("other", 2)):
        assert [found(database, path, kernel=kernel)[1] for path in gone] == [None, None]
        assert [found(database, path, kernel=kernel)[1] for path in kept] == [{"cpus": cpus}] * 2
    # That of the user is of no document.
    assert found(database, gone[0]) == ({"cpus": 1}, None)


def test_in_another_project_there_is_no_choice_yet(database: Database) -> None:
    keep(database, "demo/a.ipynb", cpus=1)
    database.run_blocking(partial(moves.move_documents, old="demo/a.ipynb", new="other/a.ipynb"))
    assert found(database, "other/a.ipynb") == ({"cpus": 1}, None)
    assert found(database, "demo/a.ipynb") == ({"cpus": 1}, None)


def test_of_which_documents_choices_are_kept() -> None:
    assert kept_document(Document("demo/a.ipynb", "notebook")) == "demo/a.ipynb"
    assert kept_document(Document("demo/a.py", "file")) == "demo/a.py"
    assert kept_document(Document("demo/console-1", "console")) == ""
