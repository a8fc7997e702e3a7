"""Big documents are parsed and written as json does, and other threads go on meanwhile."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.platform import big_json

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
BIG = {
    "numbers": [number / 7 for number in range(900_000)],
    "strings": [str(number) for number in range(500_000)],
}


@given(values)
def test_values_come_back(value: Any) -> None:
    assert big_json.loads(json.dumps(value).encode()) == value
    assert big_json.dumps(value).decode() == json.dumps(value)


@pytest.mark.parametrize("filling", ["", '"a",' * 150_000], ids=["few strings", "many strings"])
@pytest.mark.parametrize("end", ["1", "1.0", "1e400", "NaN", "-Infinity", '{"a": 1, "a": 2}'])
def test_numbers_and_repeated_keys_are_as_in_json(filling: str, end: str) -> None:
    text = f"[{filling}{end}]"
    assert repr(big_json.loads(text.encode())[-1]) == repr(json.loads(text)[-1])


@pytest.mark.parametrize("filling", ["", '"a",' * 150_000], ids=["few strings", "many strings"])
@pytest.mark.parametrize(
    "end",
    ["", "]]", "x]", '"', "[" * 5000 + "]" * 5000 + "]", "\xff]"],
    ids=["no end", "two ends", "no value", "half a string", "deep", "latin-1"],
)
def test_what_is_not_json_or_too_deep_is_a_value_error(filling: str, end: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 (three kinds of it)
        big_json.loads(f"[{filling}{end}".encode("latin-1"))


def test_values_that_json_does_not_know_go_through_the_default() -> None:
    assert big_json.dumps({"a": {1}}, default=list) == b'{"a": [1]}'


STYLES: tuple[dict[str, Any], ...] = (
    {},
    {"indent": 1, "sort_keys": True, "separators": (",", ": "), "ensure_ascii": False},
    {"indent": 4},
    {"indent": 0},
    {"indent": "\t", "separators": (" ,", " :")},
)
keys = st.text() | st.integers() | st.booleans() | st.none() | st.floats()
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.lists(inner).map(tuple) | st.dictionaries(st.text(), inner),
)


@pytest.mark.parametrize("style", STYLES)
@settings(max_examples=30)
@given(value=anything)
def test_each_style_is_as_in_json(style: dict[str, Any], value: Any) -> None:
    written = json.dumps(value, cls=big_json.BigEncoder, default=str, **style)
    assert written == json.dumps(value, default=str, **style)


@given(st.dictionaries(keys, st.integers()))
def test_keys_are_written_as_in_json(value: dict[Any, int]) -> None:
    assert big_json.dumps(value).decode() == json.dumps(value)


class Level(IntEnum):
    LOW = 1


class Text(str):
    __slots__ = ()


class Float(float):
    __slots__ = ()


@pytest.mark.parametrize("length", [1, 3, 700])
def test_values_of_derived_types_are_written_as_in_json(length: int) -> None:
    value = [[each] * length for each in (Level.LOW, Text("a"), Float(0.5), Float("inf"), None)]
    assert big_json.dumps(value).decode() == json.dumps(value)


def test_long_runs_of_numbers_are_written_as_in_json() -> None:
    numbers: list[Any] = [number / 7 for number in range(1000)] + list(range(1000))
    for value in (numbers, [*numbers, "a", *numbers], [*numbers, [1], None]):
        for style in STYLES:
            written = json.dumps(value, cls=big_json.BigEncoder, **style)
            assert written == json.dumps(value, **style)


def test_what_json_cannot_express_is_an_error() -> None:
    circular: list[Any] = []
    circular.append([circular])
    with pytest.raises(ValueError, match="Circular"):
        big_json.dumps(circular)
    with pytest.raises(TypeError, match="not JSON serializable"):
        big_json.dumps([object()])
    with pytest.raises(TypeError, match="keys must be"):
        big_json.dumps({(1,): 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        json.dumps([[float("nan")], 1], cls=big_json.BigEncoder, allow_nan=False)
    # The same value twice is no circle.
    same = [1, "a"]
    assert big_json.dumps([same, same]) == b'[[1, "a"], [1, "a"]]'


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def test_a_deep_value_is_written_in_no_more_pieces_than_a_flat_one() -> None:
    numbers = ["a"] * 1000
    flat = list(big_json.BigEncoder().iterencode(numbers))
    # More levels than there may be generators within each other.
    deep = list(big_json.BigEncoder().iterencode(nested(numbers, 5000)))
    assert len(deep) <= len(flat) + 2 * 5000
    assert "".join(deep) == "[" * 5000 + "".join(flat) + "]" * 5000


def test_deep_levels_are_written_in_one_line() -> None:
    levels = big_json.INDENTED_LEVELS
    style: dict[str, Any] = {"indent": 1, "separators": (",", ": ")}
    value = nested({"a": 1, "b": [2, {}]}, levels - 2)
    written = json.dumps(value, cls=big_json.BigEncoder, **style)
    assert written == json.dumps(value, **style)
    deep = nested([1] * 10_000, 400)
    written = json.dumps(deep, cls=big_json.BigEncoder, **style)
    assert json.loads(written) == deep
    assert len(written) < 30_000


@contextmanager
def counting() -> Iterator[Callable[[], int]]:
    """How often another thread has had its turn."""
    turns, done = 0, threading.Event()

    def turn() -> None:
        nonlocal turns
        while not done.is_set():
            time.sleep(0.001)
            turns += 1

    thread = threading.Thread(target=turn)
    thread.start()
    try:
        yield lambda: turns
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("kind", BIG)
@pytest.mark.parametrize("work", ["loads", "dumps"])
def test_another_thread_goes_on(kind: str, work: str) -> None:
    """json's own functions let it have two turns at most: before they begin and at their end."""
    value: Any = BIG[kind]
    argument = json.dumps(value).encode() if work == "loads" else value
    with counting() as turns:
        before = turns()
        getattr(big_json, work)(argument)
        assert turns() - before > 5
