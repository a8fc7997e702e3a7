"""Which pods may be claimed for which kernels."""

from pathlib import Path
from typing import Any

import pytest

from gateway_ext.process_proxies.manifests import KernelObjects, make_pod
from gateway_ext.process_proxies.option_labels import option_labels
from gateway_ext.process_proxies.pod_options import with_pod_options
from gateway_ext.process_proxies.pod_shape import late_document, pod_shape, without_pool
from gateway_ext.process_proxies.template_rendering import render, template_variables

TEMPLATE = (
    Path(__file__).parents[4] / "kernelspecs" / "clusters" / "python_kubernetes"
) / "kernel-pod.yaml.j2"
POOLED = KernelObjects("pool-1", "fleet", "1", "", "a" * 16)
CLAIMED = KernelObjects("ada-2", "fleet", "2", "demo", "b" * 16)


def shape(
    kernel: KernelObjects,
    *,
    options: dict[str, Any] | None = None,
    more: dict[str, Any] | None = None,
    template: dict[str, Any] | None = None,
    **variables: str,
) -> str:
    environment = {
        "KERNEL_ID": kernel.kernel_id,
        "KERNEL_USERNAME": kernel.name.partition("-")[0],
        "KERNEL_PROJECT": kernel.project,
        "KERNEL_IMAGE": "team/kernel:7",
        "KERNEL_SERVICE_ACCOUNT_NAME": "default",
        **variables,
    }
    [made] = render(TEMPLATE, template_variables(environment))
    made = with_pod_options(made, options or {}, option_labels({}, "", ""))
    if template:
        made["spec"].update(template)
    return pod_shape(make_pod(made, kernel, "python"), kernel, more or {})


def test_pods_that_differ_in_whose_they_are_have_one_shape() -> None:
    assert shape(POOLED) == shape(CLAIMED)
    variable = [{"name": "KERNEL_USERNAME", "value": "ada"}]
    other = [{"name": "KERNEL_USERNAME", "value": ""}]

    def with_variable(env: list[dict[str, str]]) -> dict[str, Any]:
        return {"containers": [{"name": "kernel", "image": "i", "env": env}]}

    assert shape(CLAIMED, template=with_variable(variable)) == shape(
        POOLED, template=with_variable(other)
    )


@pytest.mark.parametrize(
    "asked",
    [
        {"options": {"image": "team/other:1"}},
        {"options": {"cpus": 2}},
        {"options": {"priority_class": "high"}},
        {"options": {"tolerations": [{"key": "gpu", "operator": "Exists"}]}},
        {"KERNEL_MEMORY": "2Gi"},
        {"KERNEL_SERVICE_ACCOUNT_NAME": "ada"},
        {"KERNEL_WORKING_DIR": "/home/ada"},
        {"more": {"agent": "another version"}},
        {"template": {"volumes": [{"name": "home", "nfs": {"path": "/home/ada"}}]}},
    ],
)
def test_whatever_else_differs_makes_another_shape(asked: dict[str, Any]) -> None:
    assert shape(CLAIMED, **asked) != shape(POOLED)


def test_another_namespace_is_another_shape() -> None:
    elsewhere = KernelObjects("ada-2", "research", "2", "research", "b" * 16)
    assert shape(elsewhere) != shape(POOLED)


@pytest.mark.parametrize(
    "told",
    [
        {"name": "LOGS", "value": "/logs/$(KERNEL_ID)"},
        {
            "name": "WHOSE",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.annotations['fleet-project']"}},
        },
        {
            "name": "WHICH",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['kernel_id']"}},
        },
    ],
)
def test_a_container_that_was_told_whose_it_is_in_its_own_words_is_never_claimed(
    told: dict[str, Any],
) -> None:
    def with_id(kernel: KernelObjects) -> dict[str, Any]:
        env = [{"name": "KERNEL_ID", "value": kernel.kernel_id}, told]
        return {"containers": [{"name": "kernel", "image": "i", "env": env}]}

    assert shape(CLAIMED, template=with_id(CLAIMED)) != shape(POOLED, template=with_id(POOLED))


@pytest.mark.parametrize("name", ["KERNEL_PROJECT", "KERNEL_ID"])
def test_a_container_whose_hook_uses_whose_it_is_is_never_claimed(name: str) -> None:
    run = {"exec": {"command": ["sh", "-c", f"ln -s /data/${{{name}}} /mine"]}}

    def with_hook(kernel: KernelObjects) -> dict[str, Any]:
        env = [
            {"name": "KERNEL_ID", "value": kernel.kernel_id},
            {"name": "KERNEL_PROJECT", "value": kernel.project},
        ]
        hooks = {"lifecycle": {"postStart": run}}
        return {"containers": [{"name": "kernel", "image": "i", "env": env, **hooks}]}

    assert shape(CLAIMED, template=with_hook(CLAIMED)) != shape(POOLED, template=with_hook(POOLED))


def test_another_size_of_a_pool_is_no_other_kernel() -> None:
    proxy = {"process_proxy": {"class_name": "x"}}
    declared = {**proxy, "fleet": {"transport": "ipc", "pool": {"size": 3}}}
    assert without_pool(declared) == {**proxy, "fleet": {"transport": "ipc"}}
    assert without_pool(proxy) == proxy


def test_what_a_claimed_agent_learns_is_what_a_cold_start_would_give_it() -> None:
    document = {
        "kernel_id": "2",
        "agent_key": "00" * 32,
        "gateways": ["http://gateway"],
        "kernelspec": {"argv": ["python"]},
        "environment": {"KERNEL_USERNAME": "ada", "SECRET": "of ada"},
        "orphan_seconds": 60.0,
        "prepared_by": ["ada"],
        "directory": "/tmp/x",
    }
    assert late_document(document) == {
        "kernel_id": "2",
        "kernelspec": {"argv": ["python"]},
        "environment": {"KERNEL_USERNAME": "ada", "SECRET": "of ada"},
        "orphan_seconds": 60.0,
        "prepared_by": ["ada"],
    }
