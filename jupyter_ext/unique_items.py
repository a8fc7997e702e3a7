"""JSON Schema's `uniqueItems` in linear time, for arrays from untrusted clients.

jsonschema compares every pair of items in an array that it cannot sort: 9,000 objects take minutes.
A set of the values themselves can be made as slow, because anybody can choose numbers with equal
hashes. Strings are safe in a set: Python seeds their hashes differently in each process.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import ValidationError

_EXACT = 2**53
"""Below this, every whole number has an exact float."""


def all_different(items: Iterable[Any]) -> bool:
    """Whether no two of the JSON values are equal.

    As in JSON Schema, 1 equals 1.0, 1 differs from true, and the order of an object's keys does not
    matter.
    """
    seen: set[str] = set()
    for item in items:
        # The prefix separates a string from another value with the same canonical form.
        key = f"s{item}" if isinstance(item, str) else f"v{_canonical(item)}"
        if key in seen:
            return False
        seen.add(key)
    return True


def unique_items(
    validator: Any, wanted: bool, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """The `uniqueItems` keyword for a jsonschema validator, with jsonschema's message."""
    if wanted and validator.is_type(instance, "array") and not all_different(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _canonical(value: Any) -> str:
    return json.dumps(_with_plain_numbers(value), sort_keys=True, separators=(",", ":"))


def _with_plain_numbers(value: Any) -> Any:
    """The value with equal numbers in the same form, so that they have the same JSON."""
    if isinstance(value, dict):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_plain_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, int) and abs(value) >= _EXACT:
        # The float where it is exact: 10**308 has 309 digits as an int.
        try:
            return float(value) if float(value) == value else value
        except OverflowError:
            return value
    return value
