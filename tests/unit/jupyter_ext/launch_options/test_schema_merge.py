"""Two schemas become one that accepts what both accept."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_ext.launch_options.properties import Schema
from jupyter_ext.launch_options.schema_merge import merged
from jupyter_ext.launch_options.schema_validator import first_problem


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (True, {"type": "string"}, {"type": "string"}),
        ({"type": "string"}, True, {"type": "string"}),
        ({"type": "string"}, False, False),
        ({"maximum": 8}, {"maximum": 4}, {"maximum": 4}),
        ({"maximum": 4}, {"maximum": 8}, {"maximum": 4}),
        ({"minimum": 1}, {"minimum": 2}, {"minimum": 2}),
        ({"enum": ["a", "b"]}, {"enum": ["b", "c"]}, {"enum": ["b"]}),
        ({"enum": ["a"]}, {"enum": ["c"]}, False),
        ({"enum": [1, True]}, {"enum": [1]}, {"enum": [1]}),
        ({"enum": ["a", "b"]}, {"const": "b"}, {"const": "b"}),
        ({"enum": ["a", "b"]}, {"const": "c"}, False),
        ({"const": 1}, {"const": 2}, False),
        ({"type": ["number", "string"]}, {"type": "integer"}, {"type": "integer"}),
        ({"type": "integer"}, {"type": "number"}, {"type": "integer"}),
        ({"type": "string"}, {"type": "integer"}, False),
        (
            {"default": 1, "title": "A"},
            {"default": 2, "description": "B"},
            {"default": 2, "title": "A", "description": "B"},
        ),
        ({"pattern": "^a"}, {"pattern": "b$"}, {"pattern": "^a", "allOf": [{"pattern": "b$"}]}),
        ({"allOf": [{}]}, {"allOf": [{"not": {}}]}, {"allOf": [{}, {"not": {}}]}),
        ({"items": {"maximum": 3}}, {"items": {"maximum": 2}}, {"items": {"maximum": 2}}),
        ({"required": ["a"]}, {"required": ["b", "a"]}, {"required": ["a", "b"]}),
        (
            {"properties": {"a": {"maximum": 4}, "b": {}}, "additionalProperties": False},
            {"properties": {"a": {"maximum": 2}, "c": {}, "b": False}},
            {"properties": {"a": {"maximum": 2}}, "additionalProperties": False},
        ),
        (
            {"additionalProperties": {"minimum": 0}},
            {"properties": {"a": {"maximum": 2}}},
            {
                "properties": {"a": {"minimum": 0, "maximum": 2}},
                "additionalProperties": {"minimum": 0},
            },
        ),
        (
            {"patternProperties": {"^x": {}}, "additionalProperties": False},
            {"properties": {"x": {"maximum": 1}}},
            {
                "patternProperties": {"^x": {}},
                "additionalProperties": False,
                "allOf": [{"properties": {"x": {"maximum": 1}}}],
            },
        ),
    ],
)
def test_both(one: Schema, other: Schema, both: Schema) -> None:
    assert merged(one, other) == both


_small = st.integers(0, 4)
_scalars = st.one_of(
    st.booleans(),
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(["integer", "number", "string", ["integer", "string"]]),
            "minimum": _small,
            "maximum": _small,
            "exclusiveMaximum": _small,
            "enum": st.lists(st.sampled_from([0, 1, 2, True, "a", "bb"]), min_size=1, max_size=4),
            "const": st.sampled_from([1, 2, "a"]),
            "maxLength": _small,
            "pattern": st.sampled_from(["^a", "b$"]),
            "not": st.just({"const": 2}),
        },
    ),
)
_objects = st.fixed_dictionaries(
    {},
    optional={
        "properties": st.dictionaries(st.sampled_from("xy"), _scalars, max_size=2),
        "additionalProperties": _scalars,
        "required": st.lists(st.sampled_from("xy"), max_size=1),
        "patternProperties": st.just({"^y": {"maximum": 2}}),
        "maxProperties": st.integers(0, 2),
    },
)
_values = st.sampled_from([0, 1, 2, 3, 1.5, True, "", "a", "bb", "abb", None])
_members = st.dictionaries(st.sampled_from("xyz"), _values, max_size=3)


def _accepts(schema: Schema, value: Any) -> bool:
    return first_problem("resources", schema, value) is None


@given(one=_scalars, other=_scalars, value=_values)
def test_accepts_exactly_what_both_accept(one: Schema, other: Schema, value: Any) -> None:
    assert _accepts(merged(one, other), value) == (_accepts(one, value) and _accepts(other, value))


@given(one=_objects, other=_objects, value=_members)
def test_the_same_of_objects(one: Schema, other: Schema, value: dict[str, Any]) -> None:
    assert _accepts(merged(one, other), value) == (_accepts(one, value) and _accepts(other, value))
