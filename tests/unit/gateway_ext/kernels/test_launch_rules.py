"""Which launch options a gateway accepts for a kernel."""

import asyncio
import json
import logging
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.kernelspec import KernelSpec  # type: ignore[import-untyped]

from gateway_ext.kernels.launch_rules import LaunchRules, refuse_another_start
from gateway_ext.kernels.refusal import Refusal
from gateway_ext.ownership.new_kernel import NewKernel, Secrets
from gateway_ext.ownership.states import KernelState
from tests.unit.gateway_ext.sample_record import sample_record

PROXIES = "gateway_ext.process_proxies."
NEW = NewKernel("k", "demo", "", "ada", "pod", {})
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECORD = sample_record(KernelState.DEAD, kernel_name="pod", owner=None, now=NOW)
LOG = logging.getLogger("test")


def spec(
    proxy: str = "kubernetes_pod.KubernetesAgentProxy", env: Any = None, **options: Any
) -> Any:
    return KernelSpec(
        argv=["python", "-f", "{connection_file}"],
        language="python",
        env=env or {},
        metadata={
            "process_proxy": {"class_name": PROXIES + proxy},
            "fleet": {"launch_options": {"properties": options}},
        },
    )


POD = spec(cpus={"maximum": 8, "default": 1}, image={"enum": ["a:1", "b:1"]}, environment={})


def decided(
    rules: LaunchRules,
    kernelspec: Any = POD,
    env: dict[str, str] | None = None,
    project: str = "demo",
    shown: dict[str, Any] | None = None,
    **options: Any,
) -> NewKernel:
    new = replace(
        NEW,
        project=project,
        environment=env or {},
        launch_options=options,
        shown_defaults=shown,
    )
    return asyncio.run(rules.decided(new, kernelspec))


def policy(folder: Path, *, of_project: str = "*", **options: Any) -> str:
    file = folder / "policy.json"
    projects = {of_project: {"kernelspecs": {"*": options}}}
    file.write_text(json.dumps({"projects": projects}))
    return str(file)


ANY = LaunchRules("", 0, LOG)


def refused(*arguments: Any, **more: Any) -> Refusal:
    with pytest.raises(Refusal) as refusal:
        decided(*arguments, **more)
    return refusal.value


def test_options_and_defaults() -> None:
    assert decided(ANY).launch_options == {"cpus": 1}
    new = decided(ANY, cpus=2, environment={"MODE": "x", "TOKEN": "t"})
    assert new.launch_options == {"cpus": 2, "environment": {"MODE": "x", "TOKEN": "t"}}
    assert new.shown_options == {"cpus": 2, "environment": {"MODE": None, "TOKEN": None}}


def test_whoever_chooses_what_the_process_does_is_noted_and_who_takes_defaults_is_not(
    tmp_path: Path,
) -> None:
    bare = KernelSpec(argv=["python"], language="python")
    assert decided(ANY, bare).prepared_by == decided(ANY, cpus=2).prepared_by == ()
    assert decided(ANY, bare, env={"PYTHONPATH": "/x"}).prepared_by == ("ada",)
    assert decided(ANY, environment={"PYTHONPATH": "/x"}).prepared_by == ("ada",)
    operators = LaunchRules(policy(tmp_path, image={"default": "b:1"}), 0, LOG)
    assert decided(operators).launch_options["image"] == "b:1"
    assert decided(operators).prepared_by == decided(operators, image="b:1").prepared_by == ()
    assert decided(operators, image="a:1").prepared_by == ("ada",)
    shown = {"cpus": 1, "image": "a:1"}
    assert decided(operators, shown=shown).prepared_by == ("ada",)
    assert decided(LaunchRules("/nowhere.json", 0, LOG), bare, env={"A": "1"}).prepared_by == (
        "ada",
    )


def test_a_refusal_says_what_is_allowed() -> None:
    refusal = refused(ANY, image="c:1")
    assert refusal.status == 400
    assert refusal.message == 'launch_options.image "c:1" is not allowed: one of "a:1", "b:1"'
    assert refusal.extra["option"] == "image"
    assert refusal.extra["allowed"]["enum"] == ["a:1", "b:1"]  # type: ignore[index]


def test_a_kernelspec_without_options() -> None:
    bare = KernelSpec(argv=["python"], language="python")
    assert decided(ANY, bare).launch_options == {}
    assert refused(ANY, bare, cpus=1).status == 400


@pytest.mark.parametrize(
    ("kernelspec", "words"),
    [
        (spec(gpu={}), "there is no option 'gpu'"),
        (spec("local.LocalAgentProxy", image={}), "their options are memory, environment"),
        (spec("yarn.YarnAgentProxy", image={}), "their options are queue, node_pool, environment"),
        (spec("spark_operator.SparkOperatorAgentProxy", cpus={}), "have no option 'cpus'"),
    ],
)
def test_a_wrong_kernelspec_starts_nothing_and_is_logged(
    kernelspec: Any, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    refusal = refused(ANY, kernelspec)
    assert refusal.status == 400
    assert words in refusal.message
    assert words in caplog.text


def test_variables_of_enterprise_gateway_count_more_than_defaults(tmp_path: Path) -> None:
    assert decided(ANY, env={"KERNEL_CPUS": "2"}).launch_options == {}
    assert decided(ANY, env={"KERNEL_CPUS_LIMIT": "2"}).launch_options == {}
    assert decided(ANY, spec(env={"KERNEL_CPUS": "4"}, cpus={"default": 1})).launch_options == {}
    assert decided(ANY, env={"KERNEL_CPUS": "2"}, cpus=3).launch_options == {"cpus": 3}
    # Those of a kernelspec are no way around a policy either.
    rules = LaunchRules(policy(tmp_path, cpus={"maximum": 2}), 0, LOG)
    fixed = spec(env={"KERNEL_CPUS": "4"}, cpus={"default": 1})
    assert decided(rules, fixed).launch_options == {"cpus": 1}


def test_a_start_gets_the_defaults_that_were_shown_or_says_that_it_cannot(tmp_path: Path) -> None:
    def now(**options: Any) -> LaunchRules:
        return LaunchRules(policy(tmp_path, **options), 0, LOG)

    assert decided(now(cpus={"default": 3})).launch_options == {"cpus": 3}
    changed = now(cpus={"default": 3})
    assert decided(changed, shown={"cpus": 1}).launch_options == {"cpus": 1}
    assert decided(changed, shown={"cpus": 1}, cpus=2).launch_options == {"cpus": 2}
    # Not allowed any more, or no option.
    refusal = refused(now(cpus={"minimum": 2}), shown={"cpus": 1})
    assert (refusal.status, refusal.extra["option"]) == (400, "cpus")
    assert refusal.message.startswith("launch_options.cpus 1 is not allowed: ")
    assert "at least 2" in refusal.message
    assert "cpus is not allowed" in refused(now(cpus=False), shown={"cpus": 1}).message
    # A default of which nobody was told.
    only = now(image={"const": "b:1"})
    refusal = refused(only, shown={"cpus": 1})
    assert (refusal.status, refusal.extra["option"]) == (400, "image")
    assert '"b:1"' in refusal.message
    assert decided(only, shown={"cpus": 1, "image": "b:1"}).launch_options["image"] == "b:1"
    assert decided(only, shown={"cpus": 1}, image="b:1").launch_options["image"] == "b:1"
    members = spec(resources={"properties": {"a.b/c": {"default": 1}, "a.b/d": {"default": 2}}})
    assert "a.b/d" in refused(ANY, members, shown={"resources": {"a.b/c": 1}}).message


def test_a_policy_narrows_for_its_project_alone(tmp_path: Path) -> None:
    rules = LaunchRules(policy(tmp_path, of_project="demo", cpus={"maximum": 2}), 0, LOG)
    assert "at most 2" in refused(rules, cpus=4).message
    assert decided(rules, project="other", cpus=4).launch_options == {"cpus": 4}


def test_what_a_policy_forbids_is_no_option(tmp_path: Path) -> None:
    rules = LaunchRules(policy(tmp_path, image=False), 0, LOG)
    assert "the options of the kernelspec 'pod' in the project 'demo' are cpus, environment" in (
        refused(rules, image="a:1").message
    )
    assert decided(rules).launch_options == {"cpus": 1}


@pytest.mark.parametrize("name", ["KERNEL_CPUS", "KERNEL_IMAGE", "KERNEL_EXTRA_SPARK_OPTS"])
def test_no_variable_gets_around_a_policy(tmp_path: Path, name: str) -> None:
    rules = LaunchRules(policy(tmp_path, of_project="demo", cpus={"maximum": 2}), 0, LOG)
    refusal = refused(rules, env={name: "64"})
    assert (refusal.status, name in refusal.message) == (400, True)
    assert decided(rules, env={name: "64", "KERNEL_MINE": "1"}, project="other").environment


def test_without_a_readable_policy_only_plain_starts(tmp_path: Path) -> None:
    file = tmp_path / "policy.json"
    file.write_text("{")
    rules = LaunchRules(str(file), 0, LOG)
    assert decided(rules).launch_options == {}
    refusal = refused(rules, cpus=1)
    assert refusal.status == 500
    assert "the gateway's log says why" in refusal.message
    assert str(tmp_path) not in refusal.message
    # Nor is there a way around it.
    assert refused(rules, env={"KERNEL_CPUS": "64"}).status == 500
    assert decided(rules, env={"KERNEL_MINE": "1"}).environment == {"KERNEL_MINE": "1"}
    policy(tmp_path, cpus={"maximum": 2})
    assert decided(rules, cpus=2).launch_options == {"cpus": 2}


LOCAL = spec("local.LocalAgentProxy", memory={})


def test_memory_on_this_machine_is_bounded(tmp_path: Path) -> None:
    limited = LaunchRules("", 4 * 1024**3, LOG)
    assert decided(limited, LOCAL, memory="4Gi").launch_options == {"memory": "4Gi"}
    assert "at most 4Gi" in refused(limited, LOCAL, memory="5Gi").message
    assert "at least 100Mi" in refused(ANY, LOCAL, memory="1Mi").message
    assert decided(ANY, LOCAL, memory="64Gi").launch_options == {"memory": "64Gi"}
    # An operator may allow more to a project.
    rules = LaunchRules(policy(tmp_path, memory={"maximum": "8Gi"}), 4 * 1024**3, LOG)
    assert decided(rules, LOCAL, memory="8Gi").launch_options == {"memory": "8Gi"}
    assert "at most 8Gi" in refused(rules, LOCAL, memory="9Gi").message


def test_a_kernel_that_is_launched_again_obeys_the_present_policy(tmp_path: Path) -> None:
    stored = Secrets(b"", {}, {"cpus": 4})
    assert asyncio.run(ANY.again(RECORD, stored, POD)) == {"cpus": 4}
    rules = LaunchRules(policy(tmp_path, cpus={"maximum": 2}), 0, LOG)
    with pytest.raises(Refusal, match="at most 2"):
        asyncio.run(rules.again(RECORD, stored, POD))


def test_the_same_id_with_other_options_or_in_another_project_is_a_conflict() -> None:
    options = {"cpus": 2, "image": "a:1", "environment": {"A": None}}
    record = replace(RECORD, launch_options=options)
    asked = NewKernel("k", "demo", "", "ada", "pod", {})
    for same in ({}, {"cpus": 2}, {"environment": {"A": "1"}}):
        refuse_another_start(replace(asked, launch_options=same), record)
    for other in (
        replace(asked, launch_options={"cpus": 3}),
        replace(asked, launch_options={"queue": "x"}),
        replace(asked, launch_options={"environment": {"B": "1"}}),
        replace(asked, project="other"),
    ):
        with pytest.raises(Refusal) as refusal:
            refuse_another_start(other, record)
        assert refusal.value.status == 409
