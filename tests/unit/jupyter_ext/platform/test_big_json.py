"""Big documents are parsed and written as json does, and other threads go on meanwhile."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given
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
