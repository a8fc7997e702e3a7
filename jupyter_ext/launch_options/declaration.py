"""What a kernelspec declares in `metadata.fleet.launch_options`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_ext.launch_options.patterns import check_pattern
from jupyter_ext.launch_options.properties import (
    LISTED,
    PROPERTIES,
    QUANTITIES,
    SPARK_MEMBERS,
    Schema,
    amount_of,
)
from jupyter_ext.launch_options.schema_merge import merged
from jupyter_ext.launch_options.schema_validator import BOUNDS, check_schema

WHERE = "metadata.fleet.launch_options"

_TOP = frozenset(
    {"$schema", "$comment", "type", "title", "description", "properties", "required"}
    | {"additionalProperties"}
)
_REFERENCES = frozenset(
    {"$ref", "$dynamicRef", "$id", "$anchor", "$dynamicAnchor", "$defs", "$vocabulary"}
)


class DeclarationError(ValueError):
    """A declaration that cannot be used; the text says where and what to change."""


@dataclass(frozen=True)
class Declaration:
    """The options of a kernelspec, in its order: by name what it accepts."""

    properties: Mapping[str, Schema]
    required: tuple[str, ...] = ()


def parse_declaration(declared: object, supported: Collection[str]) -> Declaration:
    """The options of a kernelspec whose process proxy has the options `supported`; none if nothing
    is declared. Raises DeclarationError."""
    if declared is None:
        return Declaration({})
    if not isinstance(declared, Mapping):
        raise DeclarationError(f"{WHERE} must be a JSON Schema (an object)")
    if other := sorted(declared.keys() - _TOP):
        raise DeclarationError(
            f"{WHERE}: {other[0]!r} is not possible here: describe each option in `properties`"
        )
    if declared.get("type", "object") != "object" or declared.get("additionalProperties"):
        raise DeclarationError(
            f"{WHERE} must have the type object and no additionalProperties: list the options in "
            "`properties`"
        )
    properties = declared.get("properties", {})
    if not isinstance(properties, Mapping):
        raise DeclarationError(f"{WHERE}.properties must be an object")
    found: dict[str, Schema] = {}
    for name, schema in properties.items():
        if name not in PROPERTIES:
            raise DeclarationError(
                f"{WHERE}: there is no option {name!r}: the options are {', '.join(PROPERTIES)}"
            )
        if name not in supported:
            raise DeclarationError(
                f"{WHERE}: kernels of this process proxy have no option {name!r}: their options "
                f"are {', '.join(one for one in PROPERTIES if one in supported)}"
            )
        if (usable := _usable(name, schema)) is False:
            raise DeclarationError(f"{WHERE}.{name}: nothing could be chosen")
        found[name] = usable
    required = declared.get("required", [])
    if not isinstance(required, list) or any(name not in found for name in required):
        raise DeclarationError(f"{WHERE}.required must be a list of options from `properties`")
    return Declaration(found, tuple(required))


def _usable(name: str, schema: Any) -> Schema:
    try:
        fragment = parse_fragment(name, schema)
    except ValueError as error:
        raise DeclarationError(f"{WHERE}.{name}: {error}") from error
    base: Schema = PROPERTIES[name]
    if isinstance(fragment, dict):
        lists = name in LISTED or (name == "environment" and "properties" in fragment)
        fragment = {"additionalProperties": False, **fragment} if lists else fragment
    if name == "spark":
        if not isinstance(fragment, dict) or fragment["additionalProperties"] is not False:
            raise DeclarationError(f"{WHERE}.spark must list Spark's settings in `properties`")
        # In the kernelspec's order, which is that of a form.
        members = {key: SPARK_MEMBERS.get(key, True) for key in _members(fragment)}
        base = merged(base, {"properties": members})
    return merged(base, fragment)


def _members(fragment: Mapping[str, Any]) -> Mapping[str, Any]:
    members: Mapping[str, Any] = fragment.get("properties", {})
    return members


def parse_fragment(name: str, schema: Any) -> Schema:
    """The JSON Schema for an option, with bounds that are written as quantities (`"maximum":
    "8Gi"`) as numbers. Raises ValueError."""
    if isinstance(schema, Mapping):
        parse_bounds = name in QUANTITIES or name == "spark"
        schema = _plain(schema, amount_of(name) if parse_bounds else None)
    if not isinstance(schema, bool | dict):
        raise ValueError("it must be a JSON Schema: an object, true or false")
    check_schema(schema)
    if isinstance(schema, dict) and name == "spark" and "patternProperties" in schema:
        raise ValueError("list Spark's settings in `properties`: patterns match too much")
    return schema


def _plain(schema: Mapping[str, Any], parse: Any) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _REFERENCES:
            raise ValueError(f"{key} is not possible: write the schema out")
        if key == "unevaluatedProperties":
            raise ValueError(f"{key} is not possible: use additionalProperties")
        if key == "pattern" and isinstance(value, str):
            check_pattern(value)
        if key in BOUNDS and isinstance(value, str) and parse is not None:
            amount = parse(value)
            value = int(amount) if amount == amount.to_integral_value() else float(amount)
        elif key in ("properties", "patternProperties", "dependentSchemas"):
            if isinstance(value, Mapping):
                for pattern in value if key == "patternProperties" else ():
                    check_pattern(pattern)
                value = {name: _sub(one, parse) for name, one in value.items()}
        elif key not in ("const", "enum", "default", "examples"):
            value = _sub(value, parse)
        result[key] = value
    return result


def _sub(value: Any, parse: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain(value, parse)
    if isinstance(value, list):
        return [_sub(one, parse) for one in value]
    return value
