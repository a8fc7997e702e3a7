"""Checks the options of a start, and says in words what is allowed instead."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import ValidationError

from jupyter_ext.launch_options.patterns import matches
from jupyter_ext.launch_options.properties import (
    KUBERNETES_QUANTITY,
    MEMORY,
    PATTERN_WORDS,
    PROPERTIES,
    SPARK_SIZE,
)
from jupyter_ext.launch_options.quantities import bytes_text, kubernetes_amount
from jupyter_ext.launch_options.schema_validator import first_problem

FIELD = "launch_options"
SHOWN_FIELD = "launch_defaults"
LARGEST = 64 * 1024
"""Bytes of JSON."""
MOST_VALUES = 1000
"""Members and items at all levels together. To validate as many takes some 10 ms, in which the
event loop does nothing else."""

_SHOWN = 200
_NAMES = {
    "environment": "letters, digits and _, and none that begins with KERNEL_, FLEET_ or JPY_, nor "
    "HOME, USER or LOGNAME",
    "resources": "vendor/resource, for example nvidia.com/gpu",
    "spark": "a setting of Spark, which begins with spark.",
}
_OF_TEXTS = (
    ("minLength", "at least {} characters"),
    ("maxLength", "at most {} characters"),
    ("pattern", "matching {}"),
)
_TYPES = {
    "string": "a text",
    "number": "a number",
    "integer": "a whole number",
    "object": "an object",
    "array": "a list",
    "boolean": "true or false",
}


class OptionRefused(ValueError):
    """An option may not be chosen so; the text names it, the value and what is allowed.

    `option` is its name, empty if it is about all of them; `allowed` its schema, None if there is
    no such option.
    """

    def __init__(self, message: str, option: str = "", allowed: Any = None) -> None:
        super().__init__(message)
        self.option = option
        self.allowed = allowed


def parse_options(value: object, field: str = FIELD) -> dict[str, Any]:
    """The `launch_options` of a request, empty if there are none; raises OptionRefused."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise OptionRefused(f"{field} must be an object: option to value")
    if more_values_than(MOST_VALUES, value):
        raise OptionRefused(f"{field} has more than {MOST_VALUES} values: choose fewer")
    if len(json.dumps(value)) > LARGEST:
        raise OptionRefused(f"{field} has more than {LARGEST} bytes")
    return value


def more_values_than(most: int, document: dict[str, Any] | list[Any]) -> bool:
    """Whether a JSON document has more members and items at all levels; looks at no more than
    that."""
    containers = [document]
    seen = 0
    while containers:
        container = containers.pop()
        for value in container.values() if isinstance(container, dict) else container:
            seen += 1
            if seen > most:
                return True
            if isinstance(value, dict | list):
                containers.append(value)
    return False


def parse_shown(value: object) -> dict[str, Any] | None:
    """The `launch_defaults` of a request: what its user was shown that a start gets which does not
    name these options. None if it does not say; raises OptionRefused."""
    return None if value is None else parse_options(value, SHOWN_FIELD)


def check_options(
    schema: Mapping[str, Any], options: Mapping[str, Any], *, kernelspec: str, project: str
) -> None:
    """Raises OptionRefused unless a project may start a kernel with these options; `schema` is
    that of `effective_options`."""
    properties: Mapping[str, Any] = schema.get("properties", {})
    for name, value in options.items():
        if name not in properties:
            raise OptionRefused(_no_option(name, properties, kernelspec, project), name)
        problem = first_problem(name, properties[name], value)
        if problem is not None:
            raise OptionRefused(_refused(name, problem), name, properties[name])
    for name in schema.get("required", []):
        if name in options:
            continue
        if name not in properties:
            raise OptionRefused(
                f"{FIELD}.{name} is needed by the kernelspec {kernelspec!r}, and the operator's "
                f"launch policy leaves no value for it in the project {project!r}: ask an operator",
                name,
            )
        raise OptionRefused(
            f"{FIELD}.{name} is missing: {_allowed(name, properties[name])}", name, properties[name]
        )
    for name in ("cpus", "memory"):
        _check_limit(name, options, properties)


def check_shown(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> None:
    """Raises OptionRefused if a start with `options`, which has what its user chose and was shown,
    would get more by the `defaults` of today."""
    for name, default in defaults.items():
        given = options.get(name)
        if name in options and not (isinstance(given, Mapping) and isinstance(default, Mapping)):
            continue
        added = {key: default[key] for key in default if key not in given} if given else default
        if added:
            raise OptionRefused(
                f"{FIELD}.{name} has a default by now that was not shown, {_shown(added)}: look at "
                "the options again",
                name,
            )


def _check_limit(name: str, options: Mapping[str, Any], properties: Mapping[str, Any]) -> None:
    limit = f"{name}_limit"
    if name not in options or limit not in options:
        return
    if kubernetes_amount(options[limit]) < kubernetes_amount(options[name]):
        raise OptionRefused(
            f"{FIELD}.{limit} {_shown(options[limit])} is not allowed: at least as much as {name}, "
            f"which is {_shown(options[name])}",
            limit,
            properties[limit],
        )


def _no_option(name: str, properties: Mapping[str, Any], kernelspec: str, project: str) -> str:
    name = name[:_SHOWN]
    place = f"the kernelspec {kernelspec!r} in the project {project!r}"
    if not properties:
        return f"{FIELD}.{name} is not allowed: {place} has no launch options"
    known = "" if name in PROPERTIES else " (there is no such option)"
    return (
        f"{FIELD}.{name} is not allowed{known}: the options of {place} are {', '.join(properties)}"
    )


def _refused(name: str, problem: ValidationError) -> str:
    path = [name, *problem.absolute_path]
    schema, value = problem.schema, problem.instance
    if "propertyNames" in problem.absolute_schema_path:
        return f"{_path(path)}: the name {_shown(value)} is not allowed: {_NAMES[name]}"
    if problem.validator == "additionalProperties" and isinstance(value, dict):
        members = schema.get("properties", {})
        patterns = schema.get("patternProperties", {})
        extra = next(
            member
            for member in value
            if member not in members and not any(matches(one, member) for one in patterns)
        )
        return (
            f"{_path([*path, extra])} is not allowed: "
            f"{'only ' + ', '.join(members) if members else 'nothing can be chosen there'}"
        )
    if problem.validator == "required":
        missing = [member for member in problem.validator_value if member not in value]
        return f"{_path([*path, missing[0]])} is missing"
    secret = name == "environment"
    if secret and value is None and len(path) > 1:
        return f"{_path(path)} has no value: secrets are not kept, so enter it again"
    words = "" if secret else f" {_shown(value)}"
    return f"{_path(path)}{words} is not allowed: {_allowed(name, schema)}"


def _path(path: list[Any]) -> str:
    text = FIELD
    for part in (part[:_SHOWN] if isinstance(part, str) else part for part in path):
        plain = isinstance(part, str) and part.isidentifier()
        text += f".{part}" if plain else f"[{json.dumps(part)}]"
    return text


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _allowed(name: str, schema: Any) -> str:
    """What a schema accepts, in words."""
    if not isinstance(schema, Mapping):
        return "nothing can be chosen there"
    if "const" in schema:
        return f"only {_shown(schema['const'])}"
    if "enum" in schema:
        return f"one of {', '.join(_shown(value) for value in schema['enum'])}"
    is_size = name in MEMORY or schema.get("format") == SPARK_SIZE
    words = []
    if schema.get("format") == KUBERNETES_QUANTITY:
        words.append("a quantity such as 512Mi or 4Gi" if is_size else "a number such as 2 or 0.5")
    elif schema.get("format") == SPARK_SIZE:
        words.append("a size such as 512m or 4g")
    elif "type" in schema:
        types = schema["type"]
        names = [types] if isinstance(types, str) else types
        words.append(" or ".join(_TYPES.get(one, one) for one in names))
    for key, before in (
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
    ):
        if key in schema:
            bound = schema[key]
            words.append(f"{before} {bytes_text(bound) if is_size else bound}")
    is_text = schema.get("type") == "string" and "format" not in schema
    for key, what in (
        ("maxItems", "at most {} items"),
        ("maxProperties", "at most {} members"),
        *(_OF_TEXTS if is_text else ()),
    ):
        if key == "pattern" and schema.get(key) in PATTERN_WORDS:
            words.append(PATTERN_WORDS[schema[key]])
        elif key in schema:
            words.append(what.format(schema[key]))
    if "allOf" in schema:
        words.append(f"what {_shown(schema['allOf'])} accepts")
    return ", ".join(words) or "another value"
