"""`jupyter fleet up` with a Kubernetes and a YARN cluster: scripted ones, with real agents and
kernels, which dial the advertised address."""

import json
import shutil
import sqlite3
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import requests

from jupyter_ext.fleet.tools import find_tools
from tests.integration.gateway_ext.fleet_of_gateways import Client
from tests.integration.jupyter_ext.fleet.conftest import FleetUnderTest, wait_until
from tests.servers.kubernetes_api import ScriptedKubernetes
from tests.servers.yarn_resource_manager import ScriptedResourceManager

ADDRESS = "127.0.0.2"
"""Programs that know only this address reach nothing that listens on 127.0.0.1."""
IMAGE = "team/kernel:7"
SPECS = Path(__file__).parents[4] / "kernelspecs" / "clusters"


def kernel_python() -> str:
    return str(find_tools(gateway_env=None, kernel_env=None, embedded_store=True).kernel_python)


class ClusterFleet:
    """A fleet with both clusters, and what an operator has on disk for them."""

    def __init__(self, fleet: FleetUnderTest, folder: Path) -> None:
        self.fleet = fleet
        self.local = ""
        """A kernel that was started before the fleet knew of clusters."""
        self.kubernetes = ScriptedKubernetes({IMAGE: kernel_python()})
        self.yarn = ScriptedResourceManager(kernel_python())
        self.kubeconfig = folder / "kubeconfig"
        self.kubernetes.write_kubeconfig(self.kubeconfig)
        self.yarn_conf = folder / "hadoop"
        self.yarn_conf.mkdir()
        address = self.yarn.url.removeprefix("http://")
        name = "yarn.resourcemanager.webapp.address"
        (self.yarn_conf / "yarn-site.xml").write_text(
            "<configuration><property>"
            f"<name>{name}</name><value>{address}</value>"
            "</property></configuration>"
        )
        self.kernelspecs = folder / "kernelspecs"
        self._add("python_kubernetes", lambda one: _config(one).update(image_name=IMAGE))
        spark = self.yarn.write_spark(folder / "spark")
        self._add("spark_python_yarn", lambda one: one["env"].update(SPARK_HOME=str(spark)))

    def _add(self, name: str, change: Any) -> None:
        shutil.copytree(SPECS / name, self.kernelspecs / name)
        file = self.kernelspecs / name / "kernel.json"
        document = json.loads(file.read_text())
        # No Spark session: the scripted cluster has no Spark.
        document["argv"] = [word for word in document["argv"] if "exec_lines" not in word]
        change(document)
        file.write_text(json.dumps(document))

    def up(self, *arguments: str) -> str:
        return self.fleet.run("up", "--detach", *arguments)

    def client(self) -> Client:
        return Client(self.fleet.run("token", "ada").strip())

    def gateway(self, number: int = 1) -> str:
        """As clusters know it."""
        url: str = self.fleet.processes()[f"gateway-{number}"]["advertised_url"]
        return url

    def start(self, name: str) -> str:
        body = {"name": name, "kernel_id": str(uuid.uuid4())}
        answer = self.client().call("POST", f"{self.gateway()}/api/kernels", json=body)
        assert answer.status_code == 201, answer.text
        kernel_id: str = answer.json()["id"]
        return kernel_id

    def declare_pool(self, size: int) -> None:
        """Says how many kernels are to wait in pods."""
        file = self.kernelspecs / "python_kubernetes" / "kernel.json"
        document = json.loads(file.read_text())
        document["metadata"]["fleet"]["pool"] = {"size": size}
        file.with_suffix(".new").write_text(json.dumps(document))
        file.with_suffix(".new").replace(file)

    def waiting(self) -> list[str]:
        """The ids of the kernels that are nobody's, as their pods say."""
        return [
            pod["metadata"]["labels"]["kernel_id"]
            for pod in self.kubernetes.named("pods")
            if pod["metadata"]["annotations"].get("fleet-project") == ""
        ]

    def run(self, kernel_id: str, code: str, number: int = 1) -> str:
        with self.client().channels(self.gateway(number), kernel_id) as channels:
            return channels.run(code).strip()

    def where(self) -> dict[str, str]:
        """What `jupyter fleet kernels` says: the place of each kernel."""
        head, *lines = self.fleet.run("kernels").splitlines()
        column = head.index("WHERE")
        return {line.split()[0]: line[column:].split()[0] for line in lines}

    def ready(self) -> int:
        """How many kernels can be claimed, as gateways have written down."""
        with closing(sqlite3.connect(self.fleet.data_dir.root / "gateway.sqlite")) as database:
            query = "SELECT count(*) FROM fleet_kernel WHERE pool IS NOT NULL AND state = 'running'"
            [found] = database.execute(query).fetchone()
        return int(found)

    def stop(self) -> None:
        self.kubernetes.stop()
        self.yarn.stop()


def _config(kernelspec: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = kernelspec["metadata"]["process_proxy"]["config"]
    return config


@pytest.fixture(scope="module")
def clusters() -> Iterator[ClusterFleet]:
    """A fleet that was first started without clusters, and got them while it ran."""
    with tempfile.TemporaryDirectory(prefix="fleet-up-") as folder:
        fleet = FleetUnderTest(Path(folder) / "d")
        found = ClusterFleet(fleet, Path(folder))
        try:
            fleet.up("--labs", "1")
            found.local = _start_local(fleet)
            found.up(
                *("--kernelspecs", str(found.kernelspecs)),
                *("--kubeconfig", str(found.kubeconfig), "--kube-namespace", "fleet"),
                *("--yarn-conf", str(found.yarn_conf)),
                *("--advertise", ADDRESS),
            )
            yield found
        finally:
            fleet.end()
            found.stop()


def _start_local(fleet: FleetUnderTest) -> str:
    client = Client(fleet.run("token", "ada").strip())
    url = fleet.processes()["gateway-1"]["url"]
    answer = client.call("POST", f"{url}/api/kernels", json={})
    assert answer.status_code == 201, answer.text
    kernel_id: str = answer.json()["id"]
    with client.channels(url, kernel_id) as channels:
        channels.run("x = 41")
    return kernel_id


def test_kernels_start_in_both_clusters_and_are_listed_with_their_place(
    clusters: ClusterFleet,
) -> None:
    pod, application = clusters.start("python_kubernetes"), clusters.start("spark_python_yarn")
    assert clusters.run(pod, "import os; print(os.environ['FROM_IMAGE'])") == "yes"
    assert clusters.run(application, "print(6 * 7)", 2) == "42"
    [submitted] = clusters.yarn.submissions
    assert submitted["environment"]["HADOOP_CONF_DIR"] == str(clusters.yarn_conf)
    assert submitted["environment"]["YARN_CONF_DIR"] == str(clusters.yarn_conf)
    [object_] = clusters.kubernetes.of_kernel("pods", pod)
    assert object_["metadata"]["namespace"] == "fleet"
    [running] = clusters.yarn.of_kernel(application)
    assert clusters.where() == {
        clusters.local: "local",
        pod: f"fleet/{object_['metadata']['name']}",
        application: running["id"],
    }
    shown = clusters.fleet.run("status")
    assert "Kernels: 1 on this machine, 1 in Kubernetes, 1 in YARN" in shown
    assert f"{clusters.kubeconfig} (context x)" in shown
    assert f", {clusters.gateway()}" in shown


def test_a_kernel_from_before_goes_on_and_stays_the_default(clusters: ClusterFleet) -> None:
    url = clusters.fleet.processes()["gateway-2"]["url"]
    with clusters.client().channels(url, clusters.local) as channels:
        assert channels.run("print(x + 1)") == "42\n"
    kernelspecs = clusters.client().call("GET", f"{url}/api/kernelspecs").json()
    assert kernelspecs["default"] == "python"
    assert set(kernelspecs["kernelspecs"]) == {"python", "python_kubernetes", "spark_python_yarn"}


def test_what_listens_on_the_advertised_address_wants_a_token_or_a_ticket(
    clusters: ClusterFleet,
) -> None:
    for name, process in clusters.fleet.processes().items():
        if process["state"] == "external":
            continue
        url = process["url"].replace("127.0.0.1", ADDRESS)
        if process["role"] == "kernel-front":
            kernel = f"/api/fleet/kernels/{uuid.uuid4()}"
            for path in ("/", "/lab", "/api", "/api/contents", f"{kernel}/ticket"):
                assert requests.get(url + path, timeout=10).status_code == 404, path
            part = requests.post(f"{url}{kernel}/journal", data=b"part", timeout=10)
            assert part.status_code == 403
            continue
        if process["role"] != "gateway":
            with pytest.raises(requests.ConnectionError):
                requests.get(url, timeout=10)
            continue
        assert process["advertised_url"] == url, name
        for path in ("/api/kernels", "/api/kernelspecs", "/api/fleet/gateways"):
            assert requests.get(url + path, timeout=10).status_code in (401, 403), path
        left = clusters.client().call("GET", f"{url}/api/fleet/leftovers")
        assert left.status_code == 403


def test_options_that_cannot_work_change_nothing(clusters: ClusterFleet) -> None:
    before = clusters.fleet.settled()
    kept = clusters.fleet.data_dir.settings.read_bytes()
    for arguments, words in (
        (("--kubeconfig", "/nowhere"), "--kubeconfig /nowhere cannot be read"),
        (("--kube-context", "other"), "no context 'other' (--kube-context); its contexts are: x"),
        (("--kubeconfig", "", "--kube-context", "x"), "--kube-context needs --kubeconfig"),
        (("--yarn-conf", str(clusters.kernelspecs)), "yarn-site.xml cannot be read"),
        (("--kernelspecs", str(clusters.yarn_conf)), "has no kernelspec"),
        (("--advertise", "203.0.113.1"), "is not an address of this machine"),
        (("--advertise", f"http://{ADDRESS}"), "without a scheme"),
    ):
        assert words in clusters.fleet.run("up", "--detach", *arguments, code=1)
    assert clusters.fleet.data_dir.settings.read_bytes() == kept
    assert clusters.fleet.processes() == before


def test_a_renewed_kubeconfig_is_used_without_an_up(clusters: ClusterFleet) -> None:
    document = json.loads(clusters.kubeconfig.read_text())
    document["users"][0]["user"]["token"] = "renewed"
    other = {"name": "other", "context": {"cluster": "gone", "user": "u"}}
    document["contexts"].append(other)
    document["current-context"] = "other"
    clusters.kubeconfig.write_text(json.dumps(document))
    kernel_id = clusters.start("python_kubernetes")
    made = [one for one in clusters.kubernetes.requests if kernel_id in json.dumps(one.body)]
    assert {one.headers["authorization"] for one in made} == {"Bearer renewed"}


def test_kernels_in_clusters_survive_down(clusters: ClusterFleet) -> None:
    pod = clusters.start("python_kubernetes")
    clusters.run(pod, "x = 41")
    before = clusters.where()
    clusters.fleet.run("down")
    [object_] = clusters.kubernetes.of_kernel("pods", pod)
    assert object_["status"]["phase"] == "Running"
    # Without options: they are kept.
    clusters.up()
    wait_until(
        "all kernels have an owner", lambda: "(between owners)" not in clusters.fleet.run("kernels")
    )
    assert clusters.where() == before
    assert clusters.run(pod, "print(x + 1)") == "42"


def test_a_notebook_gets_a_kernel_that_waited_and_status_counts_those_that_wait(
    clusters: ClusterFleet,
) -> None:
    before = clusters.where()
    clusters.declare_pool(2)
    wait_until("two wait", lambda: clusters.fleet.status()["pooled"] == 2, 60)
    assert "; 2 waiting in pools" in clusters.fleet.run("status")
    # They are nobody's, so nobody sees them.
    assert clusters.where() == before
    wait_until("their agents are there", lambda: clusters.ready() == 2, 60)
    waiting = clusters.waiting()
    client, url = clusters.client(), clusters.fleet.processes()["lab-1"]["url"]
    client.headers["X-Fleet-Start"] = "async"
    session = {"path": "demo/pool.ipynb", "name": "pool.ipynb", "type": "notebook"}
    body = {**session, "kernel": {"name": "python_kubernetes"}}
    answer = client.call("POST", f"{url}/api/sessions", json=body)
    assert answer.status_code == 201, answer.text
    kernel_id = answer.json()["kernel"]["id"]
    with client.channels(url, kernel_id) as channels:
        mine = "import os; print(os.environ['KERNEL_ID'], os.environ['KERNEL_PROJECT'])"
        assert channels.run(mine).strip() == f"{kernel_id} demo"
    [pod] = wait_until(
        "its pod says so", lambda: clusters.kubernetes.of_kernel("pods", kernel_id), 30
    )
    assert pod["metadata"]["name"].endswith(tuple(waiting))
    assert clusters.where() == before | {kernel_id: f"fleet/{pod['metadata']['name']}"}
    wait_until("another one waits", lambda: clusters.fleet.status()["pooled"] == 2, 60)


def test_down_with_kernels_ends_them_and_those_that_wait_in_the_clusters_too(
    clusters: ClusterFleet,
) -> None:
    assert clusters.waiting()
    pod, application = clusters.start("python_kubernetes"), clusters.start("spark_python_yarn")
    assert {pod, application} < set(clusters.where())
    assert "kernels ended" in clusters.fleet.run("down", "--kernels")
    for plural in ("pods", "secrets"):
        wait_until(f"no {plural}", lambda plural=plural: not clusters.kubernetes.named(plural))
    states = {one["state"] for one in clusters.yarn.applications.values()}
    assert states <= {"FINISHED", "KILLED", "FAILED"}


def test_empty_values_take_the_options_back(clusters: ClusterFleet) -> None:
    names = ("kernelspecs", "kubeconfig", "yarn-conf", "advertise")
    clusters.up(*(word for name in names for word in (f"--{name}", "")))
    kept = json.loads(clusters.fleet.data_dir.settings.read_text())
    names = ("kernelspecs", "kubeconfig", "kube_context", "kube_namespace", "yarn_conf")
    assert {kept[name] for name in (*names, "advertise")} == {None}
    for name, process in clusters.fleet.processes().items():
        assert "advertised_url" not in process
        with pytest.raises(requests.ConnectionError):
            requests.get(process["url"].replace("127.0.0.1", ADDRESS), timeout=10)
        if process["role"] == "gateway":
            file = clusters.fleet.data_dir.gateway_config(name)
            assert not {"KubernetesCluster", "YarnCluster"} & set(json.loads(file.read_text()))
