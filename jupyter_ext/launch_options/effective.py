"""What a project may choose for kernels of a kernelspec: its declaration, narrowed by a policy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jupyter_ext.launch_options.declaration import Declaration
from jupyter_ext.launch_options.properties import Schema
from jupyter_ext.launch_options.quantities import bytes_text
from jupyter_ext.launch_options.schema_merge import merged
from jupyter_ext.launch_options.schema_validator import first_problem


@dataclass(frozen=True)
class Effective:
    """A JSON Schema for the options, and what a start gets that does not name an option."""

    schema: Mapping[str, Any]
    defaults: Mapping[str, Any]


def effective_options(declaration: Declaration, policy: Mapping[str, Schema]) -> Effective:
    """What `declaration` and `policy` accept both. An option of which nothing is left is not there;
    one of which a single value is left has it as its default."""
    properties: dict[str, Any] = {}
    defaults: dict[str, Any] = {}
    for name, declared in declaration.properties.items():
        schema = _offered(name, merged(declared, policy.get(name, True)))
        if schema is False:
            continue
        if schema is True:
            schema = {}
        default = _default(name, schema)
        properties[name] = {key: value for key, value in schema.items() if key != "default"}
        if default is not None:
            properties[name]["default"] = defaults[name] = default
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
    }
    if declaration.required:
        # Also one of which the policy leaves nothing: no kernel starts without it.
        schema["required"] = list(declaration.required)
    return Effective(schema, defaults)


def with_defaults(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a start, and the defaults of those that it does not name; of objects such as
    `resources` also of their members."""
    result = dict(options)
    for name, default in defaults.items():
        if name not in result:
            result[name] = default
        elif isinstance(default, Mapping) and isinstance(result[name], Mapping):
            result[name] = {**default, **result[name]}
    return result


def _offered(name: str, schema: Schema) -> Schema:
    """The schema with an `enum` of such values only as its other keywords accept."""
    if isinstance(schema, bool):
        return schema
    schema = dict(schema)
    if "enum" in schema:
        rest = {key: value for key, value in schema.items() if key != "enum"}
        schema["enum"] = [
            value for value in schema["enum"] if first_problem(name, rest, value) is None
        ]
        if not schema["enum"]:
            return False
    if isinstance(schema.get("properties"), dict):
        members = {key: _offered(name, value) for key, value in schema["properties"].items()}
        if schema.get("additionalProperties") is False:
            members = {key: value for key, value in members.items() if value is not False}
            if not members:
                return False
        schema["properties"] = members
    return schema


def _default(name: str, schema: dict[str, Any]) -> Any:
    """The default that the schema accepts, None if there is none: its own, or that of its members,
    or what is nearest to its own."""
    if "const" in schema:
        return schema["const"]
    enum = schema.get("enum")
    candidates = [schema["default"]] if "default" in schema else []
    if enum is not None and (len(enum) == 1 or candidates):
        candidates.append(enum[0])
    if candidates:
        for bound in ("maximum", "minimum"):
            if bound in schema:
                candidates += [schema[bound], *_texts(schema[bound])]
    elif members := schema.get("properties"):
        found = {
            key: default
            for key, member in members.items()
            if isinstance(member, dict) and (default := _default(name, member)) is not None
        }
        candidates = [found] if found else []
    return next((one for one in candidates if first_problem(name, schema, one) is None), None)


def _texts(amount: int | float) -> list[str]:
    """An amount as options that are texts have it: as a quantity, and as a size of Spark."""
    return [bytes_text(amount), f"{int(amount) // 1024**2}m"]
