"""Combines two JSON Schemas into one that accepts what both accept.

`allOf` would say the same, but a form needs one `enum`, one `maximum` and one `default`.
"""

from __future__ import annotations

from typing import Any

from jupyter_ext.launch_options.properties import Schema

ANNOTATIONS = frozenset(
    {"title", "description", "default", "examples", "$comment", "deprecated", "readOnly"}
)
_SMALLEST = frozenset(
    {"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"}
)
_GREATEST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
_SIMPLE = frozenset({"type", "enum", "const", "required", "uniqueItems", "items"})
_OF_MEMBERS = frozenset({"properties", "additionalProperties"})


def merged(one: Schema, other: Schema) -> Schema:
    """What both accept. Annotations such as `default` are the other's, if it has them."""
    if one is False or other is False:
        return False
    if one is True or other is True:
        return other if one is True else one
    if "patternProperties" in one or "patternProperties" in other:
        # Which members `additionalProperties` is about depends on it.
        return _both(one, other)
    result = dict(one)
    rest: dict[str, Any] = {}
    for key, value in other.items():
        if key in _OF_MEMBERS:
            continue
        if key not in result or key in ANNOTATIONS:
            result[key] = value
        elif _same(result[key], value):
            continue
        elif key in _SMALLEST:
            result[key] = min(result[key], value)
        elif key in _GREATEST:
            result[key] = max(result[key], value)
        elif key in _SIMPLE:
            combined = _simple(key, result[key], value)
            if combined is None:
                return False
            result[key] = combined
        elif key == "allOf":
            result[key] = [*result[key], *value]
        else:
            rest[key] = value
    if not _OF_MEMBERS.isdisjoint(one) or not _OF_MEMBERS.isdisjoint(other):
        result |= _members(one, other)
    if rest:
        result["allOf"] = [*result.get("allOf", []), rest]
    return _consistent(result)


def _both(one: dict[str, Any], other: dict[str, Any]) -> Schema:
    notes = {key: value for key, value in other.items() if key in ANNOTATIONS}
    return {**one, **notes, "allOf": [*one.get("allOf", []), other]}


def _simple(key: str, one: Any, other: Any) -> Any:
    """None if nothing satisfies both."""
    if key == "type":
        return _types(one, other)
    if key == "enum":
        return [value for value in one if any(_same(value, each) for each in other)] or None
    if key == "required":
        return [*one, *(name for name in other if name not in one)]
    if key == "uniqueItems":
        return one or other
    if key == "items":
        return merged(one, other)
    return None


def _types(one: Any, other: Any) -> Any:
    first = [one] if isinstance(one, str) else list(one)
    second = [other] if isinstance(other, str) else list(other)
    both = []
    for name in first:
        if name in second or (name == "integer" and "number" in second):
            both.append(name)
        elif name == "number" and "integer" in second:
            both.append("integer")
    if not both:
        return None
    return both[0] if len(both) == 1 else both


def _members(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    rest_of_one = one.get("additionalProperties", True)
    rest_of_other = other.get("additionalProperties", True)
    of_one, of_other = one.get("properties", {}), other.get("properties", {})
    members = {
        name: merged(of_one.get(name, rest_of_one), of_other.get(name, rest_of_other))
        for name in (*of_one, *(name for name in of_other if name not in of_one))
    }
    rest = merged(rest_of_one, rest_of_other)
    if rest is False:
        members = {name: schema for name, schema in members.items() if schema is not False}
    result: dict[str, Any] = {"properties": members} if members or of_one or of_other else {}
    if rest is not True:
        result["additionalProperties"] = rest
    return result


def _consistent(schema: dict[str, Any]) -> Schema:
    if "const" in schema and "enum" in schema:
        if not any(_same(schema["const"], value) for value in schema["enum"]):
            return False
        schema = {key: value for key, value in schema.items() if key != "enum"}
    return schema


def _same(one: Any, other: Any) -> bool:
    """Equality of JSON, where `true` is not 1."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)
