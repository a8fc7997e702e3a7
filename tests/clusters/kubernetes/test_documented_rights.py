"""What happens without each of the rights that the document names: what fails says which one it
needs."""

import uuid
from collections.abc import Callable

import pytest

from tests.clusters.kubernetes.cluster import KERNELS
from tests.clusters.kubernetes.documented_rights import Right, documented_rights
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet, environment
from tests.clusters.kubernetes.pooled_pods import pooled_pods
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS

SECONDS = 90.0
EXTRAS = """
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ kernel_pod_name | yaml_safe }}
---
apiVersion: v1
kind: Service
metadata:
  name: k-{{ kernel_id[:8] }}
spec:
  clusterIP: None
  selector:
    kernel_id: {{ kernel_id | yaml_safe }}
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: work
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 1Gi
"""


def denied(right: Right) -> str:
    """What the cluster says without the right."""
    group = f'in API group "{right.group}"'
    return f'cannot {right.verb} resource "{right.resource}" {group} in the namespace "{KERNELS}"'


def a_start_says_so(fleet: PodFleet, right: Right, name: str = "pod") -> None:
    kernel_id = str(uuid.uuid4())
    with fleet.cluster.without(right):
        answer = fleet.start(name, kernel_id=kernel_id)
    assert answer.status_code == 500, answer.text
    assert denied(right) in answer.json()["message"]
    assert denied(right) in fleet.model(kernel_id, 1)["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def a_pod_is_removed_later(fleet: PodFleet, right: Right) -> None:
    kernel_id = fleet.started("pod")
    before = logs(fleet).count(denied(right))
    with fleet.cluster.without(right):
        fleet.end(kernel_id)
        wait_until(lambda: logs(fleet).count(denied(right)) > before, SECONDS)
        assert f"pod/ada-{kernel_id}" in fleet.cluster.of_kernel(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def the_output_of_an_agent_is_missing(fleet: PodFleet, right: Right) -> None:
    if not (fleet.gateways.directory / "kernels" / "broken").exists():
        config = {"image_name": PYTHON_IMAGE, "python": "/usr/bin/ls"}
        source = OURS / "python_kubernetes"
        fleet.add_kernelspec("broken", source, env=environment(), **config)
    output = "unrecognized option '--document'"
    with fleet.cluster.without(right):
        answer = fleet.start("broken")
    assert "exit code 2" in answer.json()["message"]
    assert output not in answer.json()["message"]
    assert output in fleet.start("broken").json()["message"]


def an_extra_object_is_refused(fleet: PodFleet, right: Right) -> None:
    folder = fleet.gateways.directory / "kernels" / "extras"
    if not folder.exists():
        source = OURS / "python_kubernetes"
        config = {"image_name": PYTHON_IMAGE}
        fleet.add_kernelspec("extras", source, env=environment(), **config)
        with (folder / "kernel-pod.yaml.j2").open("a") as template:
            template.write(EXTRAS)
    try:
        a_start_says_so(fleet, right, "extras")
    finally:
        # It has users' data and so outlives every kernel.
        core = fleet.cluster.core
        for claim in core.list_namespaced_persistent_volume_claim(KERNELS).items:
            core.delete_namespaced_persistent_volume_claim(claim.metadata.name, KERNELS)


def a_kernel_starts_all_the_same(fleet: PodFleet, right: Right) -> None:
    with fleet.cluster.without(right):
        kernel_id = fleet.started("pod")
        assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"


def a_claimed_pod_keeps_the_labels_of_its_pool(fleet: PodFleet, right: Right) -> None:
    with pooled_pods(fleet, 1) as pool:
        [(member, number)] = pool.wait_for(1).items()
        before = logs(fleet).count(denied(right))
        with fleet.cluster.without(right):
            kernel_id = pool.claim(number)
            assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"
            wait_until(lambda: logs(fleet).count(denied(right)) > before, SECONDS)
            assert fleet.cluster.of_kernel(member)
        wait_until(lambda: fleet.cluster.of_kernel(kernel_id), SECONDS)
        fleet.end(kernel_id)


WITHOUT: dict[Right, Callable[[PodFleet, Right], None]] = {
    Right("pods", "create"): a_start_says_so,
    Right("pods", "get"): a_pod_is_removed_later,
    Right("pods", "delete"): a_pod_is_removed_later,
    Right("pods", "patch"): a_claimed_pod_keeps_the_labels_of_its_pool,
    Right("pods/log", "get"): the_output_of_an_agent_is_missing,
    Right("events", "list"): a_kernel_starts_all_the_same,
    Right("secrets", "create"): a_start_says_so,
    # Needed only after a call that was not answered.
    Right("secrets", "get"): a_kernel_starts_all_the_same,
    Right("configmaps", "create"): an_extra_object_is_refused,
    Right("services", "create"): an_extra_object_is_refused,
    Right("persistentvolumeclaims", "create"): an_extra_object_is_refused,
}
NOT_TRIED = {
    "sparkapplications": "there is no Spark operator here",
    "namespaces": "only with namespace_per_kernel",
    "rolebindings": "only with namespace_per_kernel",
}


@pytest.mark.parametrize("right", WITHOUT, ids=lambda right: f"{right.verb}-{right.resource}")
def test_what_happens_without_a_documented_right(fleet: PodFleet, right: Right) -> None:
    WITHOUT[right](fleet, right)


def test_every_documented_right_is_tried() -> None:
    wanted = {right for right in documented_rights() if right.resource not in NOT_TRIED}
    assert set(WITHOUT) == wanted


def test_a_running_kernel_goes_on_without_the_right_to_look_at_it(fleet: PodFleet) -> None:
    kernel_id = fleet.started("pod")
    with fleet.cluster.without(Right("pods", "get")):
        assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
        assert fleet.model(kernel_id)["state"] == "running"


def logs(fleet: PodFleet) -> str:
    """What both gateways have logged."""
    return fleet.gateways.log(0) + fleet.gateways.log(1)
