"""Two gateways that start kernels in scripted clusters, and what a person does with them."""

import json
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Gateways,
    kernel_python,
    running_gateways,
)
from tests.servers.kubernetes_api import ScriptedKubernetes
from tests.servers.yarn_resource_manager import ScriptedResourceManager

OURS = REPOSITORY / "kernelspecs" / "clusters"
IMAGE = "team/kernel:7"
LOST_SECONDS = 2.0
STOCK = "enterprise_gateway.services.processproxies."


def images() -> dict[str, str]:
    """The images that the cluster can pull."""
    return {IMAGE: kernel_python()}


class KernelFleet:
    """Gateways that start kernels in clusters, real or scripted."""

    def __init__(self, gateways: Gateways) -> None:
        self.gateways = gateways

    def url(self, number: int, kernel_id: str = "") -> str:
        """Where kernels are, or one of them."""
        return f"{self.gateways.urls[number]}/api/kernels{'/' * bool(kernel_id)}{kernel_id}"

    def add_kernelspec(
        self, name: str, source: Path, *, env: dict[str, str] | None = None, **config: Any
    ) -> None:
        """Copies a kernelspec, with values of its own in the process proxy's `config`."""
        folder = self.gateways.directory / "kernels" / name
        shutil.copytree(source, folder)
        document = json.loads((folder / "kernel.json").read_text())
        document["metadata"]["process_proxy"].setdefault("config", {}).update(config)
        document["env"] = {**document.get("env", {}), **(env or {})}
        (folder / "kernel.json").write_text(json.dumps(document))

    def add_stock_kernelspec(
        self,
        name: str,
        class_name: str,
        argv: list[str],
        *,
        language: str = "python",
        template: tuple[str, str] | None = None,
        env: dict[str, str] | None = None,
        **config: Any,
    ) -> None:
        """A kernelspec as Enterprise Gateway has them."""
        folder = self.gateways.directory / "kernels" / name
        (folder / "scripts").mkdir(parents=True)
        if template is not None:
            (folder / "scripts" / template[0]).write_text(template[1])
        document = {
            "language": language,
            "display_name": name,
            "metadata": {"process_proxy": {"class_name": STOCK + class_name, "config": config}},
            "env": env or {},
            "argv": [*argv, "--RemoteProcessProxy.kernel-id", "{kernel_id}"],
        }
        (folder / "kernel.json").write_text(json.dumps(document))

    def start(self, name: str, number: int = 0, kernel_id: str = "", **env: str) -> Any:
        """The answer to a POST."""
        body = {"name": name, "kernel_id": kernel_id or str(uuid.uuid4()), "env": env}
        return self.gateways.client().call("POST", self.url(number), json=body)

    def begin(self, name: str, number: int = 0) -> str:
        """The id of a kernel that is being launched."""
        body = {"name": name, "kernel_id": str(uuid.uuid4())}
        client = self.gateways.client()
        client.headers["X-Fleet-Start"] = "async"
        answer = client.call("POST", self.url(number), json=body)
        assert (answer.status_code, answer.json()["state"]) == (201, "launching"), answer.text
        assert answer.json()["execution_state"] == "starting"
        return body["kernel_id"]

    def phase(self, kernel_id: str, number: int = 0) -> str:
        """How far a launch is, as a gateway says; empty if it is over."""
        launch = self.model(kernel_id, number).get("launch")
        return launch["phase"] if launch else ""

    def started(self, name: str, number: int = 0, **env: str) -> str:
        """The id of a kernel that runs."""
        answer = self.start(name, number, **env)
        assert answer.status_code == 201, answer.text
        kernel_id: str = answer.json()["id"]
        return kernel_id

    def model(self, kernel_id: str, number: int = 0) -> Any:
        """What a gateway says of a kernel."""
        return self.gateways.client().call("GET", self.url(number, kernel_id)).json()

    def run(self, number: int, kernel_id: str, code: str) -> str:
        """What a cell prints."""
        with self.gateways.client().channels(self.gateways.urls[number], kernel_id) as channels:
            return channels.run(code).strip()

    def restart(self, kernel_id: str, number: int = 0) -> None:
        """Restarts a kernel."""
        url = f"{self.url(number, kernel_id)}/restart"
        assert self.gateways.client().call("POST", url).status_code == 200

    def end(self, kernel_id: str, number: int = 0) -> None:
        """Deletes a kernel, as soon as a gateway can."""
        deadline = time.monotonic() + 60
        while True:
            answer = self.gateways.client().call("DELETE", self.url(number, kernel_id))
            if answer.status_code != 503 or time.monotonic() > deadline:
                break
            time.sleep(0.2)
        assert answer.status_code == 204, answer.text


def refused_alone(fleet: KernelFleet, name: str) -> str:
    """Nobody is offered a kernel alone by this kernelspec, nor gets one; the id of one that was
    asked for."""
    ann, url = fleet.gateways.client("ann", demo="editor"), fleet.gateways.urls[0]
    rules = f"{url}/api/fleet/kernelspecs/{name}/launch-options?project=demo"
    assert ann.call("GET", rules).json()["personal"] is False
    body = {"name": name, "project": "@demo", "kernel_id": str(uuid.uuid4())}
    answer = ann.call("POST", fleet.url(0), json=body)
    assert (answer.status_code, "for one person" in answer.text) == (400, True)
    assert ann.call("GET", fleet.url(0, body["kernel_id"])).status_code == 404
    return body["kernel_id"]


class ClusterFleet(KernelFleet):
    """The gateways and their scripted clusters."""

    def __init__(
        self, gateways: Gateways, kubernetes: ScriptedKubernetes, yarn: ScriptedResourceManager
    ) -> None:
        super().__init__(gateways)
        self.kubernetes = kubernetes
        self.yarn = yarn

    def nothing_left(self, kernel_id: str) -> bool:
        """Whether Kubernetes has nothing of a kernel any more."""
        kinds = ("pods", "secrets", "configmaps", "namespaces", "rolebindings", "sparkapplications")
        return not any(self.kubernetes.of_kernel(kind, kernel_id) for kind in kinds)

    def pod(self, kernel_id: str) -> Any:
        """The kernel's pod."""
        [pod] = self.kubernetes.of_kernel("pods", kernel_id)
        return pod


@contextmanager
def cluster_fleet(
    kubernetes: ScriptedKubernetes,
    yarn: ScriptedResourceManager,
    folder: Path,
    *,
    database_url: str | None = None,
    count: int = 2,
    fleet_changes: dict[str, Any] | None = None,
    **settings: Any,
) -> Iterator[ClusterFleet]:
    """A fleet of `count` gateways on clusters; `settings` are those of KubernetesCluster."""
    kubernetes.write_kubeconfig(folder / "kubeconfig")
    changes = {
        "KubernetesCluster": {
            "kubeconfig": str(folder / "kubeconfig"),
            "namespace": "fleet",
            "project_namespaces": {"research": "fleet-{project}"},
            "pull_patience_seconds": 0.5,
            "request_seconds": 2.0,
            **settings,
        },
        "YarnCluster": {"request_seconds": 2.0},
        "EnterpriseGatewayApp": {"yarn_endpoint": yarn.url},
        "FleetGatewayApp": {
            "lost_seconds": LOST_SECONDS,
            "launch_seconds": 20.0,
            "cluster_seconds": 1.0,
            **(fleet_changes or {}),
        },
    }
    with running_gateways(database_url, changes, count) as gateways:
        fleet = ClusterFleet(gateways, kubernetes, yarn)
        pod, operator = OURS / "python_kubernetes", OURS / "spark_python_operator"
        fleet.add_kernelspec("pod", pod, image_name=IMAGE, env={"FROM_SPEC": "${FROM_IMAGE}"})
        fleet.add_kernelspec("no_image", pod, image_name="team/nothing:7")
        fleet.add_kernelspec("operator", operator, image_name=IMAGE)
        fleet.add_kernelspec("no_driver", operator, image_name="team/nothing:7")
        yield fleet
