"""Where a kernel runs, from what its process proxy has recorded."""

from typing import Any

import pytest

from gateway_ext.kernels.kernel_location import kernel_location

POD = {"namespace": "kernels", "name": "ada-1", "uid": "u", "launch": "l"}


@pytest.mark.parametrize(
    ("process", "location"),
    [
        (None, None),
        ({}, None),
        ({"pid": 7, "host": "h", "proxy": "…local.LocalAgentProxy"}, {"kind": "local"}),
        (
            {**POD, "proxy": "…kubernetes_pod.KubernetesAgentProxy"},
            {"kind": "pod", "namespace": "kernels", "name": "ada-1"},
        ),
        (
            {**POD, "proxy": "…spark_operator.SparkOperatorProcessProxy"},
            {"kind": "sparkapplication", "namespace": "kernels", "name": "ada-1"},
        ),
        (
            {"application_id": "application_1_2", "tag": "t", "user": "ada"},
            {"kind": "yarn", "application_id": "application_1_2"},
        ),
        ({"application_id": "", "tag": "t"}, {"kind": "yarn", "application_id": ""}),
    ],
)
def test_the_location(process: dict[str, Any] | None, location: dict[str, str] | None) -> None:
    assert kernel_location(process) == location
