"""What kernelspecs may declare."""

import json
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.launch_options.declaration import DeclarationError, parse_declaration
from jupyter_ext.launch_options.effective import effective_options
from jupyter_ext.launch_options.properties import PROPERTIES

ALL = PROPERTIES.keys()


def declared(**properties: Any) -> dict[str, Any]:
    return dict(parse_declaration({"type": "object", "properties": properties}, ALL).properties)


def test_nothing_is_declared() -> None:
    assert parse_declaration(None, ALL).properties == {}


def test_what_an_option_must_be_is_added() -> None:
    found = declared(queue={"enum": ["a", "b"]}, cpus={"maximum": 4})
    assert found["queue"]["type"] == "string"
    assert found["queue"]["enum"] == ["a", "b"]
    assert found["cpus"] == {
        "type": ["number", "string"],
        "format": "kubernetes-quantity",
        "maximum": 4,
    }


def test_bounds_may_be_quantities() -> None:
    found = declared(
        memory={"type": "string", "maximum": "8Gi", "exclusiveMinimum": "0.5Gi"},
        cpus={"minimum": "500m"},
        spark={"properties": {"spark.executor.memory": {"maximum": "4g"}}},
    )
    assert found["memory"]["maximum"] == 8 * 1024**3
    assert found["memory"]["exclusiveMinimum"] == 512 * 1024**2
    assert found["cpus"]["minimum"] == 0.5
    member = found["spark"]["properties"]["spark.executor.memory"]
    assert (member["maximum"], member["format"]) == (4 * 1024**3, "spark-size")


def test_of_resources_and_spark_only_what_is_listed() -> None:
    found = declared(
        resources={"properties": {"nvidia.com/gpu": {"maximum": 2}}},
        spark={"properties": {"spark.sql.shuffle.partitions": {}}},
        environment={},
    )
    assert found["resources"]["additionalProperties"] is False
    assert found["resources"]["properties"] == {
        "nvidia.com/gpu": {"type": "integer", "minimum": 0, "maximum": 2}
    }
    assert found["spark"]["additionalProperties"] is False
    order = ["spark.sql.ansi.enabled", "spark.executor.cores", "spark.driver.memory"]
    listed = declared(spark={"properties": {key: {} for key in order}})["spark"]["properties"]
    assert list(listed) == order
    assert found["environment"]["additionalProperties"]["type"] == "string"
    listed = declared(environment={"properties": {"MODE": {"enum": ["a"]}}})
    assert listed["environment"]["additionalProperties"] is False


@pytest.mark.parametrize(
    ("declaration", "words"),
    [
        ([], "must be a JSON Schema"),
        ({"properties": {"gpu": {}}}, "there is no option 'gpu': the options are image, cpus"),
        ({"properties": []}, "properties must be an object"),
        ({"properties": {"cpus": []}}, "launch_options.cpus: it must be a JSON Schema"),
        ({"properties": {"cpus": {"maximum": "many"}}}, "launch_options.cpus: 'many' is not a qu"),
        (
            {"properties": {"cpus": {"maximum": float("inf")}}},
            "cpus: maximum: Infinity is not a nu",
        ),
        ({"properties": {"queue": {"maximum": "1"}}}, "launch_options.queue: maximum: '1' is not"),
        ({"properties": {"queue": {"pattern": "("}}}, "the pattern '(' is wrong"),
        ({"properties": {"queue": {"$ref": "http://x/"}}}, r"\$ref is not possible"),
        ({"properties": {"queue": {"anyOf": [{"$ref": "#"}]}}}, r"\$ref is not possible"),
        ({"properties": {"queue": {"type": "integer"}}}, "queue: nothing could be chosen"),
        ({"properties": {"queue": False}}, "queue: nothing could be chosen"),
        ({"allOf": []}, "'allOf' is not possible here"),
        ({"type": "array"}, "must have the type object"),
        ({"additionalProperties": True}, "no additionalProperties"),
        ({"properties": {}, "required": ["cpus"]}, "required must be a list of options"),
        ({"properties": {"spark": {"additionalProperties": {}}}}, "must list Spark's settings"),
        ({"properties": {"spark": {"patternProperties": {"s": {}}}}}, "patterns match too much"),
        ({"properties": {"spark": True}}, "must list Spark's settings"),
    ],
)
def test_declarations_that_are_wrong_say_where(declaration: Any, words: str) -> None:
    escaped = words.replace("(", r"\(") if "pattern" in words and "wrong" in words else words
    with pytest.raises(DeclarationError, match=escaped):
        parse_declaration(declaration, ALL)


def test_an_option_that_the_process_proxy_does_not_have() -> None:
    with pytest.raises(DeclarationError, match="have no option 'image': their options are memory"):
        parse_declaration({"properties": {"image": {}}}, {"memory", "environment"})


SPECS = Path(__file__).parents[4] / "kernelspecs"


@pytest.mark.parametrize("file", sorted(SPECS.glob("**/kernel.json")), ids=lambda f: f.parent.name)
def test_the_shipped_kernelspecs_offer_options_and_valid_defaults(file: Path) -> None:
    declaration = parse_declaration(
        json.loads(file.read_text())["metadata"]["fleet"]["launch_options"], ALL
    )
    effective = effective_options(declaration, {})
    assert "environment" in effective.schema["properties"]
    defaults = {
        name: schema["default"]
        for name, schema in declaration.properties.items()
        if isinstance(schema, dict) and "default" in schema
    }
    assert defaults.items() <= effective.defaults.items()


def test_the_example_in_the_documentation_is_a_declaration() -> None:
    text = (SPECS.parent / "docs" / "clusters.md").read_text()
    [example] = [block for block in _json_blocks(text) if '"properties"' in block]
    fleet = json.loads(f"{{{example}}}")["metadata"]["fleet"]
    declaration = parse_declaration(fleet["launch_options"], ALL)
    assert effective_options(declaration, {}).defaults["memory"] == "2Gi"


def _json_blocks(text: str) -> list[str]:
    return [block.partition("```")[0] for block in text.split("```json\n")[1:]]
