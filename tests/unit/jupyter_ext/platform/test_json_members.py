"""The members of an object as they are written."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jupyter_ext.platform.json_bodies import JsonRefused, JsonTooBig
from jupyter_ext.platform.json_members import members

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


def split(text: str | bytes) -> dict[str, bytes]:
    return members(text.encode() if isinstance(text, str) else text, tokens=1000, depth=50)


@settings(max_examples=50)
@given(st.dictionaries(st.text(), JSON, max_size=4), st.booleans(), st.sampled_from([None, 1]))
def test_each_value_is_what_a_parser_finds(
    document: dict[str, object], ascii_only: bool, indent: int | None
) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    found = split(f" {text}\n")
    assert {name: json.loads(value) for name, value in found.items()} == document


def test_the_last_of_two_members_of_one_name_counts() -> None:
    assert split('{"a": 1, "a": [2 ]}') == {"a": b"[2 ]"}


@pytest.mark.parametrize(
    "text",
    [
        *["", " ", "[]", "1", "{", "{} {}", "{,}", '{"a"}', '{"a": }', '{"a": 1,}', '{"a": 1 2}'],
        *['{"a": [}', '{"a": ["}', '{"a": "x}', '{"a: 1}', "{a: 1}", '{"a": 1}}', '{"\\x": 1}'],
    ],
)
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises((JsonRefused, json.JSONDecodeError)):
        split(text)


def test_too_many_values_and_too_deep_ones_are_refused() -> None:
    with pytest.raises(JsonTooBig):
        split('{"a": [' + "[]," * 1000 + "[]]}")
    with pytest.raises(JsonTooBig):
        split("{" + ", ".join(f'"{n}": [[], []]' for n in range(300)) + "}")
    with pytest.raises(JsonRefused, match="50 levels"):
        split('{"a": ' + "[" * 51 + "]" * 51 + "}")
    assert len(split('{"a": [' + "1," * 100_000 + "1]}")["a"]) > 200_000
