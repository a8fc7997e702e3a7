"""No test sleeps for a fixed time and then looks: on a busy machine that time is too short.

A test polls for what must happen, or skips the time (`tests/skipped_time.py`).
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
SLEEPS = ("time.sleep", "asyncio.sleep")
SKIPPING = "skipped_time"
"""Tests that use this event loop may sleep: its clock skips the time."""
EXEMPT = "xgb_ray"
"""Faults there strike after so many seconds of a training."""


def fixed_sleeps(source: str) -> list[int]:
    """The lines of statements that sleep for a constant time outside of a loop.

    `sleep(0)` gives others a turn, and what sleeps as long as a test may run never ends.
    """
    if SKIPPING in source:
        return []
    return [
        statement.lineno
        for statement in _outside_loops(ast.parse(source))
        if isinstance(statement, ast.Expr) and _slept(statement.value)
    ]


def _outside_loops(node: ast.AST) -> Iterator[ast.stmt]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            yield child
        if not isinstance(child, ast.While | ast.For | ast.AsyncFor):
            yield from _outside_loops(child)


def _slept(expression: ast.expr) -> bool:
    call = expression.value if isinstance(expression, ast.Await) else expression
    if not isinstance(call, ast.Call) or ast.unparse(call.func) not in SLEEPS or not call.args:
        return False
    seconds = call.args[0]
    return isinstance(seconds, ast.Constant) and 0 < seconds.value < 60


@pytest.mark.parametrize(
    ("statement", "lines"),
    [
        ("time.sleep(0.5)", [2]),
        ("await asyncio.sleep(1)", [2]),
        ("with x:\n        time.sleep(2)", [3]),
        ("await asyncio.sleep(0)", []),
        ("await asyncio.sleep(3600)", []),
        ("while not come():\n        time.sleep(0.1)", []),
        ("time.sleep(draw())", []),
    ],
)
def test_fixed_sleeps_are_found(statement: str, lines: list[int]) -> None:
    assert fixed_sleeps(f"async def test_x():\n    {statement}\n    assert y") == lines


@pytest.mark.parametrize(
    "module",
    [path for path in sorted(TESTS.rglob("test_*.py")) if EXEMPT not in path.parts],
    ids=lambda path: str(path.relative_to(TESTS)),
)
def test_no_test_sleeps_for_a_fixed_time(module: Path) -> None:
    assert fixed_sleeps(module.read_text()) == []
