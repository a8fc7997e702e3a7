"""Kernels in the drivers of SparkApplications: the real agent and kernel, a scripted operator."""

import uuid

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import IMAGE, ClusterFleet
from tests.servers.kubernetes_api import status
from tests.servers.scripted_http import Answer

STOCK_TEMPLATE = """
apiVersion: "sparkoperator.k8s.io/v1beta2"
kind: SparkApplication
metadata:
  name: {{ kernel_resource_name | yaml_safe }}
spec:
  restartPolicy:
    type: OnFailure
  type: Python
  image: {{ kernel_image | yaml_safe }}
  mainApplicationFile: "local:///usr/local/bin/kernel-launchers/python/scripts/launch_ipykernel.py"
  arguments:
    - "--response-address"
    - {{ eg_response_address | yaml_safe }}
  driver:
    env:
    serviceAccount: {{ kernel_service_account_name | yaml_safe }}
    labels:
      app: enterprise-gateway
    volumeMounts:
    volumes:
  executor:
    image: {{ kernel_executor_image | yaml_safe }}
    instances: 2
"""


def application(fleet: ClusterFleet, kernel_id: str) -> dict[str, object]:
    [found] = fleet.kubernetes.of_kernel("sparkapplications", kernel_id)
    return found


def test_a_kernel_in_a_driver(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("operator", KERNEL_MINE="yes")
    code = "import os; x = 41; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_USERNAME'])"
    assert fleet.run(1, kernel_id, code) == "yes ada"
    assert application(fleet, kernel_id)["spec"]["restartPolicy"] == {"type": "Never"}  # type: ignore[index]
    # The driver dies: the kernel is dead, with the operator's words.
    [pod] = fleet.kubernetes.of_kernel("pods", kernel_id)
    fleet.kubernetes.containers[pod["metadata"]["uid"]].kill()
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert "FAILED: driver container failed with ExitCode" in fleet.model(kernel_id, 1)["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id))
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    uid = application(fleet, kernel_id)["metadata"]["uid"]  # type: ignore[index]
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))
    assert fleet.kubernetes.asked("DELETE", kernel_id)[-1].body["preconditions"] == {"uid": uid}


def test_a_kernelspec_of_enterprise_gateway(fleet: ClusterFleet) -> None:
    fleet.add_stock_kernelspec(
        "stock_operator",
        "spark_operator.SparkOperatorProcessProxy",
        ["python", "/nowhere/scripts/launch_custom_resource.py"],
        template=("sparkoperator.k8s.io-v1beta2.yaml.j2", STOCK_TEMPLATE),
        image_name=IMAGE,
        executor_image_name="team/executor:7",
    )
    kernel_id = fleet.started("stock_operator")
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    spec = application(fleet, kernel_id)["spec"]
    assert spec["executor"]["image"] == "team/executor:7"  # type: ignore[index]
    assert spec["driver"]["labels"]["app"] == "enterprise-gateway"  # type: ignore[index]
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


def failed(fleet: ClusterFleet, name: str) -> str:
    """The message of a start that fails; nothing is left of it."""
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(name, kernel_id=kernel_id)
    assert answer.status_code == 500
    assert fleet.model(kernel_id, 1)["state"] == "dead"
    wait_until(lambda: fleet.nothing_left(kernel_id))
    message: str = answer.json()["message"]
    return message


def test_launches_that_fail_say_why_and_leave_nothing(fleet: ClusterFleet) -> None:
    assert "its driver: ImagePullBackOff: Back-off pulling" in failed(fleet, "no_driver")
    missing = Answer(404, b"404 page not found\n", content_type="text/plain")
    fleet.kubernetes.script("POST", "/sparkapplications", missing)
    assert "404 page not found" in failed(fleet, "operator")
    denied = "admission webhook denied the request: no quota"
    fleet.kubernetes.script("POST", "/sparkapplications", status(403, denied))
    assert denied in failed(fleet, "operator")
