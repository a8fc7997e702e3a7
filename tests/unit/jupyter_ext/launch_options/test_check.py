"""The options of a start: a refusal names the option, the value and what is allowed."""

from collections.abc import Iterator
from typing import Any

import pytest

from jupyter_ext.launch_options.check import (
    MOST_VALUES,
    OptionRefused,
    check_options,
    more_values_than,
    parse_options,
)
from jupyter_ext.launch_options.declaration import parse_declaration
from jupyter_ext.launch_options.effective import effective_options
from jupyter_ext.launch_options.properties import PROPERTIES

SCHEMA = effective_options(
    parse_declaration(
        {
            "properties": {
                "image": {"enum": ["a:1", "b:1"]},
                "cpus": {"minimum": 0.5, "maximum": 8},
                "cpus_limit": {"maximum": 8},
                "memory": {"maximum": "8Gi"},
                "memory_limit": {},
                "resources": {"properties": {"nvidia.com/gpu": {"maximum": 2}}},
                "queue": {"const": "team-a"},
                "scheduler": {},
                "priority_class": {},
                "tolerations": {"items": {"properties": {"key": {"enum": ["gpu"]}}}},
                "environment": {},
                "spark": {
                    "properties": {
                        "spark.executor.memory": {"maximum": "8g"},
                        "spark.executor.cores": {},
                        "spark.sql.ansi.enabled": {"type": "boolean"},
                    }
                },
            }
        },
        PROPERTIES,
    ),
    {},
).schema


def check(**options: Any) -> None:
    check_options(SCHEMA, options, kernelspec="pod", project="demo")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"image": "b:1", "cpus": 0.5, "memory": "8Gi", "queue": "team-a"},
        {"cpus": "500m", "cpus_limit": 2, "memory": 1024, "memory_limit": "1Mi"},
        {"resources": {"nvidia.com/gpu": 2}, "resources_": 1},
        {"tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}]},
        {"environment": {"A": "", "_b1": "x" * 4096}},
        {"spark": {"spark.executor.memory": "8g", "spark.sql.ansi.enabled": True}},
    ],
)
def test_what_is_allowed(options: dict[str, Any]) -> None:
    options.pop("resources_", None)
    check(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "c:1"}, 'launch_options.image "c:1" is not allowed: one of "a:1", "b:1"'),
        (
            {"cpus": 64},
            "launch_options.cpus 64 is not allowed: a number such as 2 or 0.5, at least 0.5, "
            "at most 8",
        ),
        # Neither as a text.
        ({"cpus": "64"}, 'launch_options.cpus "64" is not allowed'),
        ({"cpus": "8001m"}, 'launch_options.cpus "8001m" is not allowed'),
        ({"cpus": "much"}, 'launch_options.cpus "much" is not allowed'),
        ({"cpus": True}, "launch_options.cpus true is not allowed"),
        ({"cpus": float("inf")}, "launch_options.cpus Infinity is not allowed"),
        ({"cpus": float("nan")}, "launch_options.cpus NaN is not allowed"),
        (
            {"memory": "9Gi"},
            'launch_options.memory "9Gi" is not allowed: a quantity such as 512Mi or 4Gi, at most'
            " 8Gi",
        ),
        ({"memory": 2**40}, "at most 8Gi"),
        ({"queue": "team-b"}, 'launch_options.queue "team-b" is not allowed: only "team-a"'),
        ({"scheduler": "A\n"}, 'launch_options.scheduler "A\\n" is not allowed'),
        ({"scheduler": "a\n"}, 'launch_options.scheduler "a\\n" is not allowed'),
        (
            {"resources": {"nvidia.com/gpu": 3}},
            'launch_options.resources["nvidia.com/gpu"] 3 is not allowed: a whole number, at '
            "least 0, at most 2",
        ),
        ({"resources": {"nvidia.com/gpu": 1.5}}, "a whole number"),
        (
            {"resources": {"amd.com/gpu": 1}},
            'launch_options.resources["amd.com/gpu"] is not allowed: only nvidia.com/gpu',
        ),
        ({"resources": []}, "launch_options.resources [] is not allowed: an object"),
        (
            {"tolerations": [{"key": "gpu"}, {"key": "master"}]},
            'launch_options.tolerations[1].key "master" is not allowed: one of "gpu"',
        ),
        ({"tolerations": [{"Key": "gpu"}]}, "launch_options.tolerations[0].Key is not allowed"),
        ({"environment": {"KERNEL_ID": "1"}}, 'the name "KERNEL_ID" is not allowed: letters'),
        ({"environment": {"HOME": "/"}}, 'the name "HOME" is not allowed'),
        ({"environment": {"A=B": "/"}}, 'the name "A=B" is not allowed'),
        ({"environment": {"A": "\0"}}, "launch_options.environment.A is not allowed"),
        ({"environment": {"A": None}}, "secrets are not kept, so enter it again"),
        (
            {"spark": {"spark.executor.memory": "9g"}},
            'launch_options.spark["spark.executor.memory"] "9g" is not allowed: a size such as '
            "512m or 4g, at most 8Gi",
        ),
        ({"spark": {"spark.executor.memory": "9999"}}, '"9999" is not allowed'),
        ({"spark": {"spark.executor.cores": 0}}, "at least 1"),
        (
            {"spark": {"spark.files": "/etc/shadow"}},
            'launch_options.spark["spark.files"] is not allowed: only spark.executor.memory,',
        ),
        (
            {"gpu": 1},
            "launch_options.gpu is not allowed (there is no such option): the options of the "
            "kernelspec 'pod' in the project 'demo' are image, cpus,",
        ),
        ({"node_pool": "x"}, "launch_options.node_pool is not allowed: the options of"),
        ({"cpus": 4, "cpus_limit": 2}, "launch_options.cpus_limit 2 is not allowed: at least as"),
        ({"memory": "1Gi", "memory_limit": "512Mi"}, 'as memory, which is "1Gi"'),
    ],
)
def test_what_is_not_allowed(options: dict[str, Any], words: str) -> None:
    with pytest.raises(OptionRefused) as refused:
        check(**options)
    assert words in str(refused.value)


def test_values_of_the_environment_are_not_repeated() -> None:
    with pytest.raises(OptionRefused) as refused:
        check(environment={"PASSWORD": "hunter2" * 1000})
    assert "hunter2" not in str(refused.value)
    with pytest.raises(OptionRefused) as refused:
        check(environment="hunter2")
    assert "hunter2" not in str(refused.value)


def test_long_names_are_cut() -> None:
    for options in ({"x" * 60_000: 1}, {"spark": {"spark." + "x" * 60_000: 1}}):
        with pytest.raises(OptionRefused) as refused:
            check(**options)
        assert len(str(refused.value)) < 2000


def test_a_refusal_has_the_schema_for_programs() -> None:
    with pytest.raises(OptionRefused) as refused:
        check(image="c:1")
    assert refused.value.option == "image"
    assert refused.value.allowed["enum"] == ["a:1", "b:1"]


def test_a_kernelspec_without_options() -> None:
    with pytest.raises(OptionRefused, match="in the project 'demo' has no launch options"):
        check_options({"properties": {}}, {"cpus": 1}, kernelspec="pod", project="demo")


def test_an_option_that_must_be_chosen() -> None:
    schema = {"properties": {"queue": {"enum": ["a", "b"]}}, "required": ["queue"]}
    with pytest.raises(OptionRefused, match=r'launch_options\.queue is missing: one of "a", "b"'):
        check_options(schema, {}, kernelspec="pod", project="demo")


@pytest.mark.parametrize("value", ["x", [], 1, {"image": "x" * 70_000}])
def test_what_are_no_options(value: Any) -> None:
    with pytest.raises(OptionRefused):
        parse_options(value)
    assert parse_options(None) == {}


def test_no_kernel_has_the_priority_of_the_cluster_s_own_pods() -> None:
    check(priority_class="batch")
    with pytest.raises(OptionRefused, match="not beginning with system-"):
        check(priority_class="system-node-critical")


def test_an_option_that_is_needed_is_needed_though_a_policy_leaves_nothing_of_it() -> None:
    declaration = parse_declaration(
        {"properties": {"queue": {"enum": ["a", "b"]}}, "required": ["queue"]}, PROPERTIES
    )
    schema = effective_options(declaration, {"queue": {"const": "shared"}}).schema
    with pytest.raises(OptionRefused, match="policy leaves no value for it in the project 'demo'"):
        check_options(schema, {}, kernelspec="pod", project="demo")


class Watched(list[Any]):
    """A list that lets nobody look at more of it than is worth it."""

    def __iter__(self) -> Iterator[Any]:
        for number, value in enumerate(super().__iter__()):
            assert number <= MOST_VALUES, "it is looked at to the end"
            yield value


@pytest.mark.parametrize(
    "options",
    [
        {"environment": {f"A{number}": "x" for number in range(MOST_VALUES)}},
        {"tolerations": Watched([{}] * 100_000)},
        {"tolerations": [Watched([[[]]] * 100_000)]},
        {f"option{number}": 1 for number in range(MOST_VALUES + 1)},
    ],
    ids=["members", "items", "items of items", "options"],
)
def test_options_that_take_long_to_check_are_refused_unseen(options: dict[str, Any]) -> None:
    with pytest.raises(OptionRefused, match=r"^launch_options has more than 1000 values: "):
        parse_options(options)


@pytest.mark.parametrize(
    ("document", "values"),
    [({}, 0), ({"a": 1}, 1), ({"a": [1, {"b": []}], "c": "text"}, 5), ([[], [[]]], 3)],
)
def test_values_are_counted_at_all_levels(document: Any, values: int) -> None:
    assert not more_values_than(values, document)
    assert values == 0 or more_values_than(values - 1, document)
