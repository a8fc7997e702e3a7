"""Names for new files."""

from itertools import islice

import pytest

from jupyter_ext.contents.names import candidates, without_copy_suffix


@pytest.mark.parametrize(
    ("name", "insert", "expected"),
    [
        ("Untitled.ipynb", "", ["Untitled.ipynb", "Untitled1.ipynb", "Untitled2.ipynb"]),
        ("Untitled Folder", " ", ["Untitled Folder", "Untitled Folder 1", "Untitled Folder 2"]),
        ("a.tar.gz", "-Copy", ["a.tar.gz", "a-Copy1.tar.gz", "a-Copy2.tar.gz"]),
        ("a.b.ipynb", "-Copy", ["a.b.ipynb", "a.b-Copy1.ipynb", "a.b-Copy2.ipynb"]),
        ("ipynb", "", ["ipynb", "ipynb1", "ipynb2"]),
    ],
)
def test_candidates(name: str, insert: str, expected: list[str]) -> None:
    assert list(islice(candidates(name, insert), 3)) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.ipynb", "a.ipynb"),
        ("a-Copy1.ipynb", "a.ipynb"),
        ("a-Copy12.tar.gz", "a.tar.gz"),
        ("a-Copy3", "a"),
        ("a-Copyright.txt", "a-Copyright.txt"),
    ],
)
def test_copy_of_a_copy(name: str, expected: str) -> None:
    assert without_copy_suffix(name) == expected
