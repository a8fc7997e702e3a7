"""What a session is about."""

import pytest

from jupyter_ext.sessions.paths import Document, moved_path, real_path

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
