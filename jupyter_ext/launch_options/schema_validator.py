"""Validates one value by a JSON Schema, with bounds that also hold for quantities in texts."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker, SchemaError, ValidationError
from jsonschema.exceptions import best_match
from jsonschema.validators import extend
from referencing import Registry

from jupyter_ext.launch_options.patterns import matches
from jupyter_ext.launch_options.properties import FORMATS, Schema, amount_of
from jupyter_ext.launch_options.quantities import Parse

_CHECKER = FormatChecker(formats=())
for _name, _parse in FORMATS.items():
    _CHECKER.checks(_name, raises=ValueError)(lambda value, parse=_parse: parse(value) > 0)

_BOUNDS: dict[str, Callable[[Decimal, Decimal], bool]] = {
    "maximum": lambda amount, limit: amount <= limit,
    "exclusiveMaximum": lambda amount, limit: amount < limit,
    "minimum": lambda amount, limit: amount >= limit,
    "exclusiveMinimum": lambda amount, limit: amount > limit,
    "multipleOf": lambda amount, limit: amount % limit == 0,
}
BOUNDS = frozenset(_BOUNDS)

_MOST_ERRORS = 20


def _bound(name: str, parse: Parse) -> Callable[..., Iterator[ValidationError]]:
    holds = _BOUNDS[name]

    def check(validator: Any, limit: Any, value: Any, schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            return
        try:
            amount = parse(value) if isinstance(value, str) else Decimal(str(value))
        except ValueError:
            # What it must be is another keyword's matter.
            return
        try:
            kept = amount.is_finite() and holds(amount, Decimal(str(limit)))
        except ArithmeticError:
            kept = False
        if not kept:
            yield ValidationError(f"{value!r}: {name} is {limit!r}")

    return check


def _pattern(validator: Any, pattern: str, value: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(value, str) and not matches(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, schemas: Mapping[str, Schema], value: Any, schema: Any
) -> Iterator[ValidationError]:
    if isinstance(value, Mapping):
        for pattern, inner in schemas.items():
            for name, member in value.items():
                if matches(pattern, name):
                    yield from validator.descend(member, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, rest: Schema, value: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    if not isinstance(value, Mapping):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    for name, member in value.items():
        if name in known or any(matches(pattern, name) for pattern in patterns):
            continue
        if rest is False:
            yield ValidationError(f"{name!r} is not allowed")
            return
        yield from validator.descend(member, rest, path=name)


@cache
def _validator_class(parse: Parse) -> Any:
    bounds = {name: _bound(name, parse) for name in _BOUNDS}
    by_pattern = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
    }
    return extend(Draft202012Validator, {**bounds, **by_pattern})


def first_problem(name: str, schema: Schema, value: Any) -> ValidationError | None:
    """Why `value` may not be chosen for the option `name`; None if it may."""
    # An empty registry: no reference is ever fetched.
    validator = _validator_class(amount_of(name))(
        schema, format_checker=_CHECKER, registry=Registry()
    )
    # The first few are enough to find the clearest one: a large value can have thousands.
    return best_match(islice(validator.iter_errors(value), _MOST_ERRORS))


def check_schema(schema: Schema) -> None:
    """Raises ValueError, with the place, unless it is a JSON Schema."""
    for place, number in _numbers(schema, ""):
        if not math.isfinite(number):
            raise ValueError(f"{place}: {json.dumps(number)} is not a number of JSON")
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        where = "/".join(str(part) for part in error.absolute_path)
        raise ValueError(f"{where + ': ' if where else ''}{error.message[:300]}") from error


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    """All numbers with a point or an exponent, which may be none, as Python reads JSON."""
    if isinstance(value, float):
        yield place, value
    elif isinstance(value, Mapping | list):
        for key, inner in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _numbers(inner, f"{place}/{key}" if place else str(key))
