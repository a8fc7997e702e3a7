"""Arrays whose items must differ are checked in linear time, with jsonschema's verdicts."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from jsonschema._utils import equal
from jsonschema.validators import extend

from jupyter_ext.unique_items import all_different, unique_items

SAME_HASH = 2**61 - 1
"""Whole multiples of it have one hash in Python."""

small = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, 1, 2, 0.0, -0.0, 1.0, 1.5, 1e16, 10**16, 10**16 + 1, 1e308, 10**308]),
    st.sampled_from(["", "1", "1.0", "true", "null", "[]", "{}", "v1", "s"]),
)
values = st.recursive(
    small,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner),
    max_leaves=4,
)


@given(st.lists(values, max_size=5))
def test_verdicts_are_those_of_comparing_every_two_items(items: list[Any]) -> None:
    differ = not any(equal(one, two) for at, one in enumerate(items) for two in items[:at])
    assert all_different(items) is differ


@pytest.mark.parametrize(
    ("text", "differ"),
    [
        ("[1, true]", True),
        ("[1, 1.0]", False),
        ('[1, "1"]', True),
        ("[0, false, null]", True),
        ("[[1], [true]]", True),
        ("[[1], [true], [1.0]]", False),
        ('[{"a": 1, "b": [0]}, {"b": [0.0], "a": 1}]', False),
        ('[{"a": 1}, {"a": true}]', True),
        ("[1e308, 1E+308]", False),
        ("[9007199254740993, 9007199254740992.0]", True),
        ('["\\ud800", "\\ud800"]', False),
        ("[[], {}]", True),
        ("[]", True),
    ],
)
def test_the_keyword_in_a_validator(text: str, differ: bool) -> None:
    validator = extend(Draft7Validator, {"uniqueItems": unique_items})
    assert validator({"uniqueItems": True}).is_valid(json.loads(text)) is differ
    assert validator({"uniqueItems": False}).is_valid(json.loads(text))


def test_what_is_no_array_is_not_looked_at() -> None:
    validator = extend(Draft7Validator, {"uniqueItems": unique_items})
    assert validator({"uniqueItems": True}).is_valid("aa")


@pytest.mark.parametrize(
    "items",
    [
        [{"a": number} for number in range(30_000)],
        [SAME_HASH * number for number in range(30_000)],
        [[SAME_HASH * number] for number in range(30_000)],
    ],
    ids=["objects", "numbers of one hash", "lists of them"],
)
def test_many_items_are_compared_with_few(items: list[Any]) -> None:
    """Comparing every two would take minutes."""
    assert all_different(items)
    assert not all_different([*items, items[0]])
