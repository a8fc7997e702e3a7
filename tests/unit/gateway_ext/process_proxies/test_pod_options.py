"""Pods with launch options, compared with those that one would write by hand."""

from typing import Any

import pytest

from gateway_ext.process_proxies.agent_process import KernelspecUnusable, LaunchFailed
from gateway_ext.process_proxies.option_labels import OptionLabels, option_labels
from gateway_ext.process_proxies.pod_options import option_variables, with_pod_options

LABELS = OptionLabels("kueue.x-k8s.io/queue-name", "", "pool")
TEMPLATE: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"labels": {"app": "x"}},
    "spec": {
        "priority": 3,
        "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "containers": [
            {
                "name": "kernel",
                "image": "team/kernel:7",
                "resources": {
                    "requests": {"cpu": "500m", "memory": "1Gi"},
                    "limits": {"cpu": "1", "memory": "4Gi"},
                },
            },
            {"name": "sidecar", "image": "team/sidecar:1"},
        ],
    },
}


def test_every_option() -> None:
    options = {
        "image": "team/other:8",
        "cpus": 2.5,
        "cpus_limit": "4",
        "memory": "8Gi",
        "memory_limit": "16Gi",
        "resources": {"nvidia.com/gpu": 2, "rdma/hca": 1},
        "queue": "team-a",
        "priority_class": "high",
        "scheduler": "fleet-scheduler",
        "tolerations": [{"key": "gpu", "operator": "Equal", "value": "yes"}],
        "node_pool": "a100",
        # The kernel's alone: it is in no manifest.
        "environment": {"TOKEN": "t"},
    }
    assert with_pod_options(TEMPLATE, options, LABELS) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"labels": {"app": "x", "kueue.x-k8s.io/queue-name": "team-a"}},
        "spec": {
            "priorityClassName": "high",
            "schedulerName": "fleet-scheduler",
            "nodeSelector": {"disk": "ssd", "pool": "a100"},
            "tolerations": [
                {"key": "a", "operator": "Exists"},
                {"key": "gpu", "operator": "Equal", "value": "yes"},
            ],
            "containers": [
                {
                    "name": "kernel",
                    "image": "team/other:8",
                    "resources": {
                        "requests": {
                            "cpu": "2500m",
                            "memory": "8Gi",
                            "nvidia.com/gpu": "2",
                            "rdma/hca": "1",
                        },
                        "limits": {
                            "cpu": "4",
                            "memory": "16Gi",
                            "nvidia.com/gpu": "2",
                            "rdma/hca": "1",
                        },
                    },
                },
                {"name": "sidecar", "image": "team/sidecar:1"},
            ],
        },
    }


def test_without_options_the_template_stays() -> None:
    assert with_pod_options(TEMPLATE, {}, LABELS) == TEMPLATE
    assert with_pod_options(TEMPLATE, {"environment": {"A": "1"}}, LABELS)["spec"] == {
        **TEMPLATE["spec"]
    }


def test_the_template_is_not_changed() -> None:
    before = repr(TEMPLATE)
    with_pod_options(TEMPLATE, {"cpus": 9, "queue": "q", "image": "i"}, LABELS)
    assert repr(TEMPLATE) == before


def resources(before: Any, **options: Any) -> Any:
    pod = {"spec": {"containers": [{"resources": before} if before is not None else {}]}}
    return with_pod_options(pod, options, LABELS)["spec"]["containers"][0].get("resources")


@pytest.mark.parametrize(
    ("before", "options", "after"),
    [
        # A limit of the template is raised to what was chosen, and a chosen one lowers its request.
        (
            {"requests": {"cpu": 1}, "limits": {"cpu": 1}},
            {"cpus": 2},
            {"requests": {"cpu": "2"}, "limits": {"cpu": "2"}},
        ),
        (
            {"requests": {"memory": "4Gi"}},
            {"memory_limit": "1Gi"},
            {"requests": {"memory": "1Gi"}, "limits": {"memory": "1Gi"}},
        ),
        (
            {"requests": {"cpu": "1"}, "limits": {"cpu": "4"}},
            {"cpus": "500m"},
            {"requests": {"cpu": "500m"}, "limits": {"cpu": "4"}},
        ),
        (
            {"limits": {"cpu": "odd"}},
            {"cpus": 1},
            {"limits": {"cpu": "odd"}, "requests": {"cpu": "1"}},
        ),
        # None is chosen, of what the template has.
        (
            {"requests": {"nvidia.com/gpu": 1}, "limits": {"nvidia.com/gpu": 1}},
            {"resources": {"nvidia.com/gpu": 0}},
            {},
        ),
        (None, {"queue": "q"}, None),
        (None, {"memory": 1000}, {"requests": {"memory": "1000"}}),
        (
            {"claims": [{"name": "c"}]},
            {"cpus": 1},
            {"claims": [{"name": "c"}], "requests": {"cpu": "1"}},
        ),
    ],
)
def test_resources(before: Any, options: dict[str, Any], after: Any) -> None:
    assert resources(before, **options) == after


def test_a_template_without_a_container() -> None:
    for pod in ({}, {"spec": {}}, {"spec": {"containers": []}}, {"spec": {"containers": ["x"]}}):
        with pytest.raises(LaunchFailed, match="no container"):
            with_pod_options(pod, {"cpus": 1}, LABELS)


def test_variables_for_templates_and_kernels() -> None:
    assert option_variables({"image": "i:1", "cpus": 0.5, "memory": "2Gi", "queue": "q"}) == {
        "KERNEL_IMAGE": "i:1",
        "KERNEL_CPUS": "500m",
        "KERNEL_MEMORY": "2Gi",
    }


def labels(**fleet: Any) -> OptionLabels:
    return option_labels({"metadata": {"fleet": fleet}}, "cluster/queue", "cluster/pool")


def test_where_the_queue_and_the_node_pool_are() -> None:
    assert option_labels({}, "cluster/queue", "cluster/pool") == OptionLabels(
        "cluster/queue", "", "cluster/pool"
    )
    assert labels(queue_label="queue", node_pool_label="x.io/pool") == OptionLabels(
        "queue", "", "x.io/pool"
    )
    # A scheduler that reads an annotation needs no label.
    annotated = labels(queue_annotation="volcano.sh/queue-name")
    assert annotated == OptionLabels("", "volcano.sh/queue-name", "cluster/pool")
    pod = with_pod_options(TEMPLATE, {"queue": "q"}, annotated)
    assert pod["metadata"] == {
        "labels": {"app": "x"},
        "annotations": {"volcano.sh/queue-name": "q"},
    }


@pytest.mark.parametrize("key", ["a b", "-x", "x/y/z", 3, "X.IO/queue"])
def test_what_is_no_label(key: Any) -> None:
    with pytest.raises(KernelspecUnusable, match=r"metadata\.fleet\.queue_label"):
        labels(queue_label=key)
