"""What the API server says of the shipped pods in a namespace that admits `restricted` alone."""

from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes.client.exceptions import ApiException

from gateway_ext.process_proxies.manifests import (
    KernelObjects,
    make_pod,
    make_spark_application,
)
from gateway_ext.process_proxies.template_rendering import render, template_variables
from tests.clusters.kubernetes.cluster import Cluster
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS

NAMESPACE = "restricted"
KERNEL = KernelObjects("k-1", NAMESPACE, "4be4b4fc-0a2e-4a4e-a07d-5b8b1b8d0b6e", "demo", "01234567")


def variables(**more: str) -> dict[str, Any]:
    return template_variables(
        {
            "KERNEL_IMAGE": "kernel:1",
            "KERNEL_EXECUTOR_IMAGE": "executor:1",
            "KERNEL_SERVICE_ACCOUNT_NAME": "default",
            **more,
        }
    )


def python_pod(**more: str) -> dict[str, Any]:
    template = OURS / "python_kubernetes" / "kernel-pod.yaml.j2"
    return make_pod(render(template, variables(**more))[0], KERNEL, "python")


def spark_pods(**more: str) -> list[dict[str, Any]]:
    """The driver and an executor, with what Spark adds to the templates of the application."""
    template = OURS / "spark_python_operator" / "sparkoperator.k8s.io-v1beta2.yaml.j2"
    spec = make_spark_application(render(template, variables(**more))[0], KERNEL)["spec"]
    pods = []
    for part in ("driver", "executor"):
        pod = spec[part]["template"]
        pod["metadata"] = {"name": f"k-1-{part}"}
        pod["spec"]["containers"][0]["image"] = "spark:4"
        pod["spec"]["volumes"] = [
            {"name": "files", "secret": {"secretName": "k-1"}},
            {"name": "spark-conf-volume", "configMap": {"name": "spark"}},
            {"name": "spark-local-dir-1", "emptyDir": {}},
        ]
        pods.append(pod)
    return pods


@pytest.fixture(scope="module")
def admitting(cluster: Cluster) -> Iterator[Any]:
    """Creates a pod without keeping it."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    cluster.core.create_namespace({"metadata": {"name": NAMESPACE, "labels": labels}})
    cluster.wait_for_account(NAMESPACE)
    yield lambda pod: cluster.core.create_namespaced_pod(NAMESPACE, pod, dry_run="All")
    cluster.core.delete_namespace(NAMESPACE)


def test_the_shipped_pods_are_admitted(admitting: Any) -> None:
    for pod in (python_pod(), *spark_pods(), *spark_pods(KERNEL_UID="185", KERNEL_GID="185")):
        admitting(pod)


def test_pods_for_images_that_work_only_as_root_are_not(admitting: Any) -> None:
    for pod in (python_pod(KERNEL_RUN_AS_ROOT="true"), *spark_pods(KERNEL_RUN_AS_ROOT="true")):
        with pytest.raises(ApiException) as refused:
            admitting(pod)
        assert refused.value.status == 403
        assert "runAsNonRoot" in refused.value.body
