"""What a PATCH makes of a session, in whichever order a page's two requests arrive."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import permutations

import pytest

from jupyter_ext.sessions.patch import SessionPatch, patched
from jupyter_ext.sessions.store.session_rows import Session

UUID = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"
OTHER = "1b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"

OPEN = Session(
    id="s",
    kernel_id="k",
    project="demo",
    path="demo/a.ipynb",
    shown_path="demo/a.ipynb",
    name="a.ipynb",
    type="notebook",
    username="ada",
    created=datetime(2026, 1, 1, tzinfo=UTC),
)
OPENING = replace(OPEN, shown_path=f"demo/{UUID}")


@pytest.mark.parametrize("session", [OPEN, OPENING])
@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("demo/b.ipynb", "demo/b.ipynb"),
        ("demo/dir/b.ipynb", "demo/dir/b.ipynb"),
        (f"demo/dir/{OTHER}", "demo/dir/b.ipynb"),
        # The renamed file keeps its path, as when only its title changes.
        ("demo/a.ipynb", "demo/a.ipynb"),
    ],
)
def test_path_and_name_make_the_same_session_in_either_order(
    session: Session, path: str, expected: str
) -> None:
    ends = set()
    for order in permutations([SessionPatch(path=path), SessionPatch(name="b.ipynb")]):
        end = session
        for patch in order:
            end = patched(end, patch)
        ends.add(end)
    assert ends == {replace(session, path=expected, shown_path=path, name="b.ipynb")}


def test_only_what_is_given_changes() -> None:
    assert patched(OPEN, SessionPatch()) == OPEN
    assert patched(OPEN, SessionPatch(name="x")) == replace(OPEN, name="x")
    assert patched(OPEN, SessionPatch(type="file")) == replace(OPEN, type="file")
    assert patched(OPENING, SessionPatch(name="a.ipynb")) == OPENING


def test_a_page_that_has_not_heard_of_a_rename_does_not_undo_it() -> None:
    moved = replace(OPENING, path="demo/dir/c.ipynb")
    after = patched(moved, SessionPatch(path="demo/a.ipynb"))
    assert after == replace(moved, shown_path="demo/dir/c.ipynb")
    # The page that did the renaming says the new path itself.
    assert patched(moved, SessionPatch(path="demo/dir/c.ipynb")).path == "demo/dir/c.ipynb"
    assert patched(after, SessionPatch(path="demo/dir/c.ipynb")) == after


def test_a_console_is_never_named_by_its_name() -> None:
    console = replace(OPENING, path=f"demo/{UUID}", type="console", name="Console 1")
    assert patched(console, SessionPatch(name="Console 2")).path == f"demo/{UUID}"
