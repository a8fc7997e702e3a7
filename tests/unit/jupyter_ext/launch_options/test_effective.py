"""What a project may choose: a kernelspec's declaration and an operator's policy together."""

from typing import Any

import pytest

from jupyter_ext.launch_options.declaration import parse_declaration, parse_fragment
from jupyter_ext.launch_options.effective import Effective, effective_options, with_defaults
from jupyter_ext.launch_options.properties import PROPERTIES

DECLARED = {
    "properties": {
        "image": {"enum": ["small:1", "big:1"], "default": "small:1", "title": "Image"},
        "cpus": {"minimum": 0.5, "maximum": 16, "default": 8},
        "memory": {"type": "string", "maximum": "64Gi", "default": "16Gi"},
        "queue": {},
        "resources": {"properties": {"nvidia.com/gpu": {"maximum": 8, "default": 0}}},
        "environment": {},
    },
    "required": ["queue"],
}


def effective(**policy: Any) -> Effective:
    fragments = {name: parse_fragment(name, schema) for name, schema in policy.items()}
    return effective_options(parse_declaration(DECLARED, PROPERTIES), fragments)


def test_without_a_policy_everything_that_is_declared() -> None:
    found = effective()
    assert list(found.schema["properties"]) == list(DECLARED["properties"])
    assert found.schema["additionalProperties"] is False
    assert found.schema["required"] == ["queue"]
    assert found.schema["properties"]["image"]["title"] == "Image"
    assert found.defaults == {
        "image": "small:1",
        "cpus": 8,
        "memory": "16Gi",
        "resources": {"nvidia.com/gpu": 0},
    }


def test_what_a_policy_forbids_is_not_there() -> None:
    found = effective(queue=False, resources=False, cpus={"maximum": 0.1, "exclusiveMinimum": 0.1})
    assert "queue" not in found.schema["properties"]
    # No kernel starts without it, whoever took it away.
    assert found.schema["required"] == ["queue"]
    assert "resources" not in found.defaults
    # A member alone, too: then nothing is left of these resources.
    one = effective(resources={"properties": {"nvidia.com/gpu": False}})
    assert "resources" not in one.schema["properties"]


def test_a_policy_narrows() -> None:
    found = effective(cpus={"maximum": 4}, image={"enum": ["big:1", "other:1"]})
    assert found.schema["properties"]["cpus"]["maximum"] == 4
    assert found.schema["properties"]["image"]["enum"] == ["big:1"]


def test_an_enum_has_only_what_the_other_keywords_accept() -> None:
    found = effective(image={"pattern": "^big"})
    assert found.schema["properties"]["image"]["enum"] == ["big:1"]
    assert "image" not in effective(image={"pattern": "^none"}).schema["properties"]


@pytest.mark.parametrize(
    ("name", "fragment", "default"),
    [
        ("cpus", {"maximum": 4}, 4),
        ("cpus", {"default": 2}, 2),
        ("cpus", {"minimum": 12}, 16),
        ("memory", {"maximum": "8Gi"}, "8Gi"),
        ("image", {"enum": ["big:1"]}, "big:1"),
        ("queue", {"const": "team-a"}, "team-a"),
        ("queue", {"enum": ["team-a"]}, "team-a"),
        ("resources", {"properties": {"nvidia.com/gpu": {"const": 1}}}, {"nvidia.com/gpu": 1}),
    ],
)
def test_a_default_is_always_allowed(name: str, fragment: Any, default: Any) -> None:
    found = effective(**{name: fragment})
    assert found.defaults[name] == default
    assert found.schema["properties"][name]["default"] == default


def test_nothing_is_the_default_of_several() -> None:
    assert "queue" not in effective(queue={"enum": ["a", "b"]}).defaults


def test_defaults_fill_in_members_too() -> None:
    defaults = {"cpus": 1, "spark": {"a": 1, "b": 2}}
    assert with_defaults({"spark": {"b": 3}}, defaults) == {"cpus": 1, "spark": {"a": 1, "b": 3}}
    assert with_defaults({"cpus": 4, "spark": "?"}, defaults) == {"cpus": 4, "spark": "?"}
