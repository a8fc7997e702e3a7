"""A `match=` must not be satisfied by the name of its own test.

`tmp_path` contains the first 30 characters of the test's name, and many messages contain a path:
`match="newer"` in `test_a_newer_format_is_refused` is satisfied by any error that names a file.
"""

import ast
import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
LENGTH_IN_PATH = 30
"""How much of a test's name pytest keeps in `tmp_path`."""


def satisfied_by_the_name(source: str) -> list[str]:
    """Each `match=` of a test module that a temporary path of its test satisfies."""
    return [
        f"line {line}: match={words!r} is satisfied by {name!r}, which is part of tmp_path"
        for function in _tests(ast.parse(source))
        for rows in itertools.product(*_parameters(function))
        for name in [_name_in_path(function.name, rows)]
        for line, words in _expectations(function, {k: v for row in rows for k, v in row.items()})
        if re.search(words, name)
    ]


def _tests(module: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(module):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith(
            "test_"
        ):
            yield node


def _parameters(
    function: ast.FunctionDef | ast.AsyncFunctionDef,
) -> list[list[dict[str, object]]]:
    """The rows of each `parametrize`, in the order in which their ids form the name."""
    return [
        rows
        for decorator in reversed(function.decorator_list)
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.parametrize"
        and (rows := _rows(decorator))
    ]


def _rows(decorator: ast.Call) -> list[dict[str, object]]:
    names, values = decorator.args[:2]
    if not isinstance(values, ast.List | ast.Tuple):
        return []
    given = _constant(names)
    keys = [key.strip() for key in given.split(",")] if isinstance(given, str) else list(given)  # type: ignore[call-overload]
    rows = []
    for number, element in enumerate(values.elts):
        parts: list[ast.expr] = [element]
        if isinstance(element, ast.Call) and ast.unparse(element.func) == "pytest.param":
            parts = element.args
        elif len(keys) > 1 and isinstance(element, ast.Tuple):
            parts = element.elts
        rows.append(
            {key: _constant(part, f"{key}{number}") for key, part in zip(keys, parts, strict=False)}
        )
    return rows


def _constant(node: ast.expr, otherwise: object = None) -> object:
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return otherwise
    return value if otherwise is None or isinstance(value, str | int | float) else otherwise


def _name_in_path(name: str, rows: tuple[dict[str, object], ...]) -> str:
    ids = "-".join(str(value) for row in rows for value in row.values())
    return re.sub(r"\W", "_", f"{name}[{ids}]" if ids else name)[:LENGTH_IN_PATH]


def _expectations(
    function: ast.FunctionDef | ast.AsyncFunctionDef, parameters: dict[str, object]
) -> Iterator[tuple[int, str]]:
    for node in ast.walk(function):
        if isinstance(node, ast.keyword) and node.arg == "match":
            words = (
                parameters.get(node.value.id)
                if isinstance(node.value, ast.Name)
                else _constant(node.value)
            )
            if isinstance(words, str):
                yield node.value.lineno, words


@pytest.mark.parametrize(
    "source",
    [
        "def test_a_newer_format(tmp_path):\n    with pytest.raises(E, match='newer'): f()",
        "async def test_x():\n    with pytest.raises(E, match=r'.'): f()",
        "@pytest.mark.parametrize(('bad', 'words'), [({}, 'blank')])\n"
        "def test_x(bad, words):\n    with pytest.raises(E, match=words): f(bad)",
        "@pytest.mark.parametrize('bad', ['a blank'])\n"
        "def test_x(bad):\n    with pytest.raises(E, match='blank'): f(bad)",
        "@pytest.mark.parametrize('words', [pytest.param('blank')])\n"
        "def test_x(words):\n    with pytest.raises(E, match=words): f()",
    ],
)
def test_a_match_that_the_name_satisfies_is_found(source: str) -> None:
    assert satisfied_by_the_name(source)


@pytest.mark.parametrize(
    "source",
    [
        "def test_a_newer_format():\n    with pytest.raises(E, match='a newer Jupyter'): f()",
        # Beyond what pytest keeps of a name.
        "def test_a_file_of_some_older_or_newer_format():\n"
        "    with pytest.raises(E, match='newer'): f()",
        "def helper_newer():\n    with pytest.raises(E, match='newer'): f()",
        "@pytest.mark.parametrize(('bad', 'words'), [({}, 'a blank')])\n"
        "def test_x(bad, words):\n    with pytest.raises(E, match=words): f(bad)",
    ],
)
def test_other_matches_are_allowed(source: str) -> None:
    assert satisfied_by_the_name(source) == []


@pytest.mark.parametrize(
    "module", sorted(TESTS.rglob("test_*.py")), ids=lambda path: str(path.relative_to(TESTS))
)
def test_no_match_is_satisfied_by_the_name_of_its_test(module: Path) -> None:
    assert satisfied_by_the_name(module.read_text()) == []
