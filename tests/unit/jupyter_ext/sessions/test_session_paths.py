"""What a session is about."""

import pytest

from jupyter_ext.sessions.paths import (
    Document,
    is_placeholder,
    moved_path,
    present_path,
    real_path,
    shown_name,
    shown_path,
)

UUID = "0b0f3c8e-9d3f-4f3e-8c0e-0d3b1f8f3c11"


@pytest.mark.parametrize(
    ("posted", "name", "type_", "expected"),
    [
        (f"demo/dir/{UUID}", "a.ipynb", "notebook", "demo/dir/a.ipynb"),
        (f"demo/{UUID.upper()}", "a.ipynb", "notebook", "demo/a.ipynb"),
        (f"/demo//dir/{UUID}/", "a.ipynb", "notebook", "demo/dir/a.ipynb"),
        ("demo/a.ipynb", "a.ipynb", "notebook", "demo/a.ipynb"),
        ("demo/a.ipynb", "b.ipynb", "notebook", "demo/a.ipynb"),
        (f"demo/{UUID}", None, "notebook", f"demo/{UUID}"),
        (f"demo/{UUID}", "", "notebook", f"demo/{UUID}"),
        (f"demo/x-{UUID}", "a.ipynb", "notebook", f"demo/x-{UUID}"),
        (f"demo/{UUID}.ipynb", "a.ipynb", "notebook", f"demo/{UUID}.ipynb"),
        # Two consoles of one name are two consoles.
        (f"demo/{UUID}", "Console 1", "console", f"demo/{UUID}"),
    ],
)
def test_real_paths(posted: str, name: str | None, type_: str, expected: str) -> None:
    assert real_path(posted, name, type_) == expected


@pytest.mark.parametrize(
    ("posted", "expected"),
    [
        (UUID, True),
        (f"demo/dir/{UUID}", True),
        (f"demo/dir/{UUID}/", True),
        (f"demo/{UUID}/a.ipynb", False),
        (f"demo/{UUID}.ipynb", False),
        (f"demo/x{UUID}", False),
    ],
)
def test_pages_post_a_uuid_until_they_say_the_path(posted: str, expected: bool) -> None:
    assert is_placeholder(posted) is expected


A, B = Document("demo/a.ipynb", "notebook"), Document("demo/b.ipynb", "notebook")


@pytest.mark.parametrize(
    ("shown", "name", "new", "expected"),
    [
        ("demo/a.ipynb", "a.ipynb", B, ("demo/b.ipynb", "b.ipynb")),
        ("demo/a.ipynb", "my analysis", B, ("demo/b.ipynb", "my analysis")),
        ("demo/a.ipynb", "a.ipynb", A, ("demo/a.ipynb", "a.ipynb")),
        (f"demo/{UUID}", "a.ipynb", B, (f"demo/{UUID}", "a.ipynb")),
        (f"demo/{UUID}", "a.ipynb", A, (f"demo/{UUID}", "a.ipynb")),
    ],
)
def test_what_a_page_is_told_after_a_move(
    shown: str, name: str, new: Document, expected: tuple[str, str]
) -> None:
    assert (shown_path(shown, A, new), shown_name(shown, name, A, new)) == expected


def test_documents_of_different_types_are_different() -> None:
    keys = {
        Document("demo/a", "notebook").key,
        Document("demo/a", "console").key,
        Document("demo/A", "notebook").key,
    }
    assert len(keys) == 3
    assert all(len(key) == 64 for key in keys)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("demo/dir", "demo/new"),
        ("demo/dir/deep/a.ipynb", "demo/new/deep/a.ipynb"),
        ("demo/dir.ipynb", None),
        ("demo/dirs/a.ipynb", None),
        ("demo/DIR/a.ipynb", None),
    ],
)
def test_a_rename_moves_a_path_and_what_is_below_it(path: str, expected: str | None) -> None:
    assert moved_path(path, "demo/dir", "demo/new") == expected


def test_a_kernel_is_shown_with_the_present_path_of_its_document() -> None:
    notebook, console = Document("demo/b.ipynb", "notebook"), Document("demo/b-1", "console")
    assert present_path("demo/a.ipynb", []) == "demo/a.ipynb"
    assert present_path("demo/a.ipynb", [console, notebook]) == "demo/b.ipynb"
    assert present_path("demo/a.ipynb", [console]) == "demo/b-1"
    # Another notebook has been given the same kernel.
    also = Document("demo/a.ipynb", "notebook")
    assert present_path("demo/a.ipynb", [notebook, also]) == "demo/a.ipynb"
