"""The walk of docs/clusters.md from a kubeconfig to a running cell, on a real cluster."""

from __future__ import annotations

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from kubernetes.client import ApiException

from tests.clusters.inside import ADDRESS
from tests.clusters.kubernetes.audit import violation
from tests.clusters.kubernetes.cluster import KERNELS, Cluster
from tests.clusters.kubernetes.documented_rights import documented_rights
from tests.clusters.kubernetes.identities import ADMIN
from tests.clusters.kubernetes.image import PYTHON_IMAGE
from tests.clusters.walk import Reader, assigned, commands
from tests.clusters.walking_fleet import walking_fleet
from tests.integration.gateway_ext.fleet_of_gateways import kernel_python, wait_until
from tests.servers.short_folder import short_folder

HEADING = "From a kubeconfig to a running cell"
CELL = "A cell without the page"
PROJECTS = "A namespace for each project"
OF_DEMO = "kernels-demo"
ACCOUNT_NAMESPACE, ACCOUNT = "jupyter-fleet", "gateways"
LABEL = "pod-security.kubernetes.io/"
SECONDS = 90.0


FOLDERS = {"usr": Path("/usr"), "kernel": Path(kernel_python()).parents[1]}
"""The machine's programs and the kernels' environment, by the name of a claim of volumes with them:
the image has neither, and the level `restricted` allows no folder of the machine in a pod."""


@contextmanager
def claims(cluster: Cluster, namespace: str) -> Iterator[None]:
    """Volumes with `FOLDERS` for the pods of a namespace."""
    of_all = {"accessModes": ["ReadOnlyMany"], "storageClassName": ""}
    size = {"storage": "1Gi"}
    for name, folder in FOLDERS.items():
        volume = {**of_all, "capacity": size, "hostPath": {"path": str(folder)}}
        cluster.core.create_persistent_volume(
            {"metadata": {"name": f"{namespace}-{name}"}, "spec": volume}
        )
        claim = {**of_all, "resources": {"requests": size}, "volumeName": f"{namespace}-{name}"}
        cluster.core.create_namespaced_persistent_volume_claim(
            namespace, {"metadata": {"name": name}, "spec": claim}
        )
    try:
        yield
    finally:
        for name in FOLDERS:
            cluster.core.delete_namespaced_persistent_volume_claim(name, namespace)
            cluster.core.delete_persistent_volume(f"{namespace}-{name}")


@contextmanager
def taken_back(cluster: Cluster) -> Iterator[None]:
    """Removes what the walk has an administrator create; other tests use the namespace."""
    try:
        yield
    finally:
        labels = cluster.core.read_namespace(KERNELS).metadata.labels or {}
        ours = {name: None for name in labels if name.startswith(LABEL)}
        cluster.core.patch_namespace(KERNELS, {"metadata": {"labels": ours}})
        with cluster.plane.client() as api, suppress(ApiException):
            client.NetworkingV1Api(api).delete_namespaced_network_policy("kernels", KERNELS)
        for name in (ACCOUNT_NAMESPACE, OF_DEMO):
            with suppress(ApiException):
                cluster.core.delete_namespace(name)


def with_programs(kernelspec: Path, **environment: str) -> None:
    """Gives a kernelspec the volumes and more environment, and says where Python is in them."""
    file = kernelspec / "kernel.json"
    document: dict[str, Any] = json.loads(file.read_text())
    document["metadata"]["process_proxy"]["config"]["python"] = kernel_python()
    volumes = [{"name": one, "persistentVolumeClaim": {"claimName": one}} for one in FOLDERS]
    mounts = [
        {"name": name, "mountPath": str(folder), "readOnly": True}
        for name, folder in FOLDERS.items()
    ]
    document["env"] = {
        **document.get("env", {}),
        "KERNEL_VOLUMES": json.dumps(volumes),
        "KERNEL_VOLUME_MOUNTS": json.dumps(mounts),
        "KERNEL_CPUS": "10m",
        "KERNEL_MEMORY": "80Mi",
        **environment,
    }
    file.write_text(json.dumps(document))


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="the walk is typed with kubectl")
def test_the_walk_from_a_kubeconfig_to_a_running_cell(cluster: Cluster) -> None:
    first, *blocks = commands(HEADING)
    assert assigned(first) == {"HOST", "IMAGE", "FILES"}
    [cell], [policy], [projects] = commands(CELL), commands("Kubernetes"), commands(PROJECTS)
    user = f"system:serviceaccount:{ACCOUNT_NAMESPACE}:{ACCOUNT}"
    with (
        short_folder("fleet-walk-") as home,
        claims(cluster, KERNELS),
        taken_back(cluster),
        walking_fleet(home, KUBECONFIG=str(cluster.plane.kubeconfig(ADMIN))) as reader,
    ):
        files = home / "files"
        reader.choose(HOST=ADDRESS, IMAGE=PYTHON_IMAGE, FILES=str(files))
        printed = _walk(reader, blocks, cell, files / "kernelspecs")
        assert "networkpolicy.networking.k8s.io/kernels created" in reader.run(policy)
        reader.run("kubectl apply --dry-run=server -f deploy/kubernetes/spark-operator.yaml")
        pod = _pod(cluster, KERNELS)
        assert f"a cell ran on {pod}" in printed
        assert f"{KERNELS}/{pod}" in printed
        assert f"\n{pod} " in printed
        labels = cluster.core.read_namespace(KERNELS).metadata.labels
        assert labels[f"{LABEL}enforce"] == "restricted"
        assert (files / "kubeconfig").stat().st_mode & 0o777 == 0o600
        assert "kernel ended" in reader.run("jupyter fleet down --kernels")
        wait_until(lambda: not cluster.of_all_kernels(), SECONDS)

        # The same cell in a kernel that has waited for it.
        with_pool(files / "kernelspecs" / "python_kubernetes", 1)
        reader.run("jupyter fleet up --detach")
        wait_until(lambda: ready(home / "data") == 1, SECONDS)
        assert "1 waiting in pools" in reader.run("jupyter fleet status")
        waiting = _pod(cluster, KERNELS)
        assert f"a cell ran on {waiting}" in reader.run(cell)
        assert "kernel ended" in reader.run("jupyter fleet down --kernels")
        wait_until(lambda: not cluster.of_all_kernels(), SECONDS)
        with_pool(files / "kernelspecs" / "python_kubernetes", 0)

        # A user whom the image does not know, and who has no home in it.
        with_programs(files / "kernelspecs" / "python_kubernetes", KERNEL_UID="4242")
        reader.run(projects)
        with claims(cluster, OF_DEMO):
            reader.run("jupyter fleet up --detach --kube-namespace 'kernels-{project}'")
            printed = reader.run(cell)
            assert f"a cell ran on {_pod(cluster, OF_DEMO)}" in printed
            assert "kernel ended" in reader.run("jupyter fleet down --kernels")
            wait_until(lambda: not cluster.of_all_kernels(), SECONDS)
    found = [violation(entry, documented_rights()) for entry in cluster.audit.entries(user)]
    assert found
    assert not [one for one in found if one is not None]


def with_pool(kernelspec: Path, size: int) -> None:
    """Says in a kernelspec how many kernels are to wait."""
    file = kernelspec / "kernel.json"
    document: dict[str, Any] = json.loads(file.read_text())
    document["metadata"]["fleet"]["pool"] = {"size": size}
    file.write_text(json.dumps(document))


def ready(data: Path) -> int:
    """How many kernels wait in pools and can be claimed, as the gateways have written down."""
    with closing(sqlite3.connect(data / "gateway.sqlite")) as database:
        query = "SELECT count(*) FROM fleet_kernel WHERE pool IS NOT NULL AND state = 'running'"
        [found] = database.execute(query).fetchone()
    return int(found)


def _pod(cluster: Cluster, namespace: str) -> str:
    """The name of the one kernel's pod, which is its host's name."""
    [pod] = cluster.core.list_namespaced_pod(namespace, label_selector="kernel_id").items
    assert pod.spec.security_context.run_as_non_root
    name: str = pod.metadata.name
    return name


def _walk(reader: Reader, blocks: list[str], cell: str, kernelspecs: Path) -> str:
    """What the commands print from the cell on."""
    printed = ""
    for block in blocks:
        printed += reader.run(block)
        if "cp -r kernelspecs" in block:
            with_programs(kernelspecs / "python_kubernetes")
        if "export KERNEL=" in block:
            printed = reader.run(cell)
    return printed
