"""Patterns of operators, which must not hold an event loop."""

from __future__ import annotations

from typing import Any

import pytest

from jupyter_ext.launch_options.check import OptionRefused, check_options
from jupyter_ext.launch_options.declaration import parse_fragment
from jupyter_ext.launch_options.patterns import PatternRefused, check_pattern, matches
from jupyter_ext.launch_options.properties import LONGEST_VALUE, PROPERTIES
from jupyter_ext.launch_options.schema_merge import merged
from jupyter_ext.launch_options.schema_validator import first_problem

# Python's own engine would not end within anybody's patience, nor the test.
BACKTRACKING = ["^(a+)+$", "^(a|a)*$", "^(a|aa)+$", "^(a*)*(a*)*(a*)*$", "a*a*a*a*a*a*a*a*a*a*b"]


@pytest.mark.parametrize("pattern", BACKTRACKING)
def test_no_pattern_takes_longer_than_its_text_is_long(pattern: str) -> None:
    assert not matches(pattern, "a" * (LONGEST_VALUE - 1) + "!")
    for schema in (
        {"propertyNames": {"pattern": pattern}},
        {"patternProperties": {pattern: False}, "additionalProperties": False},
    ):
        assert first_problem("environment", schema, {"a" * 4000 + "!": ""})


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("(", "is wrong: missing"),
        (r"(a)\1", "syntax is that of RE2"),
        ("^(?!a)", "no look-ahead"),
        (r"\p{L}{1000}", "is too large|too large - compile failed"),
        ("\ud800", "is wrong"),
    ],
)
@pytest.mark.parametrize("key", ["pattern", "patternProperties"])
def test_what_cannot_be_matched_so_is_refused_when_it_is_read(
    pattern: str, words: str, key: str
) -> None:
    with pytest.raises(PatternRefused, match=words):
        check_pattern(pattern)
    schema: Any = pattern if key == "pattern" else {pattern: {}}
    with pytest.raises(ValueError, match=words):
        parse_fragment("environment", {"items": {key: schema}})
    with pytest.raises(ValueError, match="use additionalProperties"):
        parse_fragment("environment", {"unevaluatedProperties": False})


def test_the_end_is_the_end_and_half_a_character_matches_nothing() -> None:
    assert matches("^a$", "a")
    assert not matches("^a$", "a\n")
    assert not matches("", "\ud800")
    assert not matches("", "a" * (LONGEST_VALUE + 1))


def test_members_are_found_by_pattern_and_the_others_are_named() -> None:
    schema = merged(
        {"type": "object"},
        {"patternProperties": {"^A": {"maxLength": 1}}, "additionalProperties": False},
    )
    assert first_problem("environment", schema, {"A": "1"}) is None
    options = {"properties": {"environment": schema}}
    with pytest.raises(OptionRefused, match=r"environment\.A1 is not allowed"):
        check_options(options, {"environment": {"A1": "22"}}, kernelspec="k", project="p")
    with pytest.raises(OptionRefused, match=r"environment\.B is not allowed"):
        check_options(options, {"environment": {"A": "1", "B": "1"}}, kernelspec="k", project="p")
    rest = {"patternProperties": {"^A": {}}, "additionalProperties": {"maxLength": 1}}
    assert first_problem("environment", rest, {"A": "22", "B": "1"}) is None
    assert first_problem("environment", rest, {"A": "22", "B": "22"})


@pytest.mark.parametrize(
    ("seconds", "allowed"), [(2**63 - 1, True), (2**63, False), (1e300, False)]
)
def test_seconds_of_a_toleration_are_what_kubernetes_can_store(
    seconds: float, allowed: bool
) -> None:
    value = [{"tolerationSeconds": seconds}]
    problem = first_problem("tolerations", PROPERTIES["tolerations"], value)
    assert (problem is None) is allowed
