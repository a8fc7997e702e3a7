"""Paths of the contents API."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.contents.errors import BadInput
from jupyter_ext.contents.paths import MAX_DEPTH, ContentPath, is_hidden, parse


@pytest.mark.parametrize(
    ("path", "project", "names"),
    [
        ("", "", ()),
        ("/", "", ()),
        ("demo", "demo", ()),
        ("/demo/", "demo", ()),
        ("demo/a.ipynb", "demo", ("a.ipynb",)),
        ("/demo/a b/ c /", "demo", ("a b", " c ")),
        ("demo/...", "demo", ("...",)),
        ("demo/..a", "demo", ("..a",)),
        ("demo/a\\..\\b", "demo", ("a\\..\\b",)),
    ],
)
def test_good_paths(path: str, project: str, names: tuple[str, ...]) -> None:
    parsed = parse(path)
    assert parsed == ContentPath(project, names)
    assert str(parsed) == path.strip("/")


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("..", "'..'"),
        ("demo/..", "'..'"),
        ("demo/../x", "'..'"),
        ("../demo/x", "'..'"),
        ("demo/.", "'.'"),
        ("demo//x", "two slashes"),
        ("demo/x\0", "NUL"),
        ("demo/\udcff", "Unicode"),
        ("demo/" + "é" * 128, "255 bytes"),
        ("/".join(["demo", *["x"] * MAX_DEPTH]), f"{MAX_DEPTH} names"),
        ("demo" + ("/" + "x" * 250) * 5, "1024 bytes"),
        ("Demo/x", "project"),
        ("_x/y", "project"),
        ("a.b/y", "project"),
        ("x" * 64 + "/y", "project"),
    ],
)
def test_bad_paths_are_refused(path: str, words: str) -> None:
    with pytest.raises(BadInput) as refused:
        parse(path)
    message = str(refused.value)
    assert words in message
    assert message.isascii(), "nothing unprintable in messages"


@given(st.text())
def test_whatever_is_accepted_is_safe(path: str) -> None:
    try:
        parsed = parse(path)
    except BadInput:
        return
    assert parse(str(parsed)) == parsed
    for name in parsed.names:
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert "\0" not in name
        assert len(name.encode()) <= 255


def test_parents_and_children() -> None:
    path = parse("demo/a/b")
    assert path.name == "b"
    assert path.parent == parse("demo/a")
    assert path.parent.parent.is_project
    assert path.parent.parent.parent.is_root
    assert path.parent.child("b") == path
    with pytest.raises(BadInput):
        path.child("..")


@pytest.mark.parametrize(
    ("path", "hidden"),
    [("", False), ("demo", False), ("demo/.x", True), ("demo/.d/x", True), ("demo/x.", False)],
)
def test_hidden_names_begin_with_a_dot(path: str, hidden: bool) -> None:
    assert is_hidden(parse(path)) is hidden
