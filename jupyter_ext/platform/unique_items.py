"""JSON Schema's `uniqueItems` in linear time, for arrays that come from outside.

jsonschema compares every two items of an array that it cannot sort: 9,000 objects take it minutes.
Sets of the values themselves are no way out, because Python's hashes of numbers are the same
everywhere: whoever picks numbers of one hash makes a set as slow. Hashes of texts differ from one
process to the next.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

from jsonschema import ValidationError

_EXACT = 2**53
"""Whole numbers below it are the same as an int and as a float."""


def all_different(items: Iterable[Any]) -> bool:
    """Whether no two of the JSON values are equal: 1 and 1.0 are, 1 and true are not, and the order
    of an object's keys says nothing."""
    seen: set[str] = set()
    for item in items:
        text = item if isinstance(item, str) else None
        # A prefix keeps a text apart from the canonical form of another value.
        key = f"s{text}" if text is not None else f"v{_canonical(item)}"
        if key in seen:
            return False
        seen.add(key)
    return True


def unique_items(
    validator: Any, wanted: bool, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    """The keyword for validators of jsonschema, with the message of its own one."""
    if wanted and validator.is_type(instance, "array") and not all_different(instance):
        yield ValidationError(f"{instance!r} has non-unique elements")


def _canonical(value: Any) -> str:
    return json.dumps(_with_plain_numbers(value), sort_keys=True, separators=(",", ":"))


def _with_plain_numbers(value: Any) -> Any:
    """The value with numbers in one form each, so that equal ones have the same text."""
    if isinstance(value, dict):
        return {key: _with_plain_numbers(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_with_plain_numbers(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return int(value)
    if isinstance(value, int) and abs(value) >= _EXACT:
        # As the float, unless it lies between two floats. The text of 1e308 as an int has 309
        # digits.
        try:
            return float(value) if float(value) == value else value
        except OverflowError:
            return value
    return value
