"""A ResourceManager with NodeManagers on 127.0.0.1, and what it says of its applications."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import requests

from tests.clusters.yarn.audit import RecordingProxy
from tests.clusters.yarn.jars import jars_folder, java
from tests.servers.ports import free_ports
from tests.servers.process import ServerProcess

QUEUES = ("default", "small", "closed")
"""`small` has room for one driver at a time; nobody may submit to `closed`."""
FINAL_STATES = ("FINISHED", "FAILED", "KILLED")

_PLACES = ("staging/*/.sparkStaging", "node-*/local/usercache/*/appcache", "node-*/local/nmPrivate")
"""Where files of applications are."""
_READY_SECONDS = 180.0
_JVM = (
    "--add-opens=java.base/java.lang=ALL-UNNAMED",
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    "-Xss512k",
)
_SERVER = "org.apache.hadoop.yarn.server"
_LOG4J = """\
log4j.rootLogger=INFO,console
log4j.appender.console=org.apache.log4j.ConsoleAppender
log4j.appender.console.target=System.err
log4j.appender.console.layout=org.apache.log4j.PatternLayout
log4j.appender.console.layout.ConversionPattern=%d{HH:mm:ss,SSS} %p %c{1} %m%n
"""


class Yarn:
    """The cluster. Everything that it writes is below `directory`."""

    def __init__(self, directory: Path, nodes: int, node_mb: int) -> None:
        """`node_mb` is what each node gives to containers."""
        self.directory = directory
        self.conf = directory / "conf"
        self._nodes = nodes
        self._java = java()
        self._jars = jars_folder(time.monotonic() + 1.0)
        names = ("address", "scheduler.address", "resource-tracker.address", "admin.address")
        ports = free_ports(len(names) + 1 + nodes)
        self._web = f"http://127.0.0.1:{ports[len(names)]}"
        self._node_ports = ports[len(names) + 1 :]
        self._write_configuration(dict(zip(names, ports, strict=False)), node_mb)
        self.resource_manager = self._start_resource_manager()
        self.node_managers = [self._start_node(number) for number in range(nodes)]
        # What gateways get as the ResourceManager's address.
        self.proxy = RecordingProxy(self._web)

    @property
    def staging(self) -> Path:
        """Where Spark puts the files of applications."""
        return self.directory / "staging"

    def _write_configuration(self, ports: dict[str, int], node_mb: int) -> None:
        for folder in (self.conf, self.staging, self.directory / "tmp"):
            folder.mkdir()
        # Without checks of its disks a node does not make them either.
        for number in range(self._nodes):
            for name in ("local", "logs"):
                (self.directory / f"node-{number}" / name).mkdir(parents=True)
        (self.conf / "log4j.properties").write_text(_LOG4J)
        home = self.directory
        _write(
            self.conf / "core-site.xml",
            {
                "fs.defaultFS": "file:///",
                "hadoop.tmp.dir": str(home / "tmp"),
                "hadoop.http.staticuser.user": "nobody",
            },
        )
        scheduler = f"{_SERVER}.resourcemanager.scheduler.capacity.CapacityScheduler"
        checker = "yarn.nodemanager.disk-health-checker"
        store = f"{_SERVER}.resourcemanager.recovery.FileSystemRMStateStore"
        _write(
            self.conf / "yarn-site.xml",
            {
                **{f"yarn.resourcemanager.{one}": f"127.0.0.1:{ports[one]}" for one in ports},
                "yarn.resourcemanager.hostname": "127.0.0.1",
                "yarn.resourcemanager.bind-host": "127.0.0.1",
                "yarn.resourcemanager.webapp.address": self._web.removeprefix("http://"),
                "yarn.resourcemanager.scheduler.class": scheduler,
                "yarn.resourcemanager.recovery.enabled": "true",
                "yarn.resourcemanager.store.class": store,
                "yarn.resourcemanager.fs.state-store.uri": f"file://{home}/store",
                "yarn.resourcemanager.work-preserving-recovery.scheduling-wait-ms": "3000",
                "yarn.nodemanager.hostname": "127.0.0.1",
                "yarn.nodemanager.bind-host": "127.0.0.1",
                "yarn.nodemanager.address": "127.0.0.1:${node.port}",
                "yarn.nodemanager.localizer.address": "127.0.0.1:0",
                "yarn.nodemanager.webapp.address": "127.0.0.1:0",
                "yarn.nodemanager.collector-service.address": "127.0.0.1:0",
                "yarn.nodemanager.local-dirs": f"{home}/node-${{node.number}}/local",
                "yarn.nodemanager.log-dirs": f"{home}/node-${{node.number}}/logs",
                "yarn.nodemanager.resource.memory-mb": str(node_mb),
                "yarn.nodemanager.resource.cpu-vcores": "32",
                "yarn.nodemanager.vmem-check-enabled": "false",
                "yarn.nodemanager.pmem-check-enabled": "false",
                "yarn.nodemanager.disk-health-checker.enable": "false",
                # Even so a node takes no folder on a disk that is nearly full.
                f"{checker}.max-disk-utilization-per-disk-percentage": "100",
                "yarn.nodemanager.env-whitelist": "JAVA_HOME,PATH",
                # Several nodes have one host.
                "yarn.scheduler.include-port-in-node-name": "true",
                "yarn.scheduler.minimum-allocation-mb": "128",
                "yarn.scheduler.maximum-allocation-mb": "2048",
                # The application of others has a master that never registers.
                "yarn.am.liveness-monitor.expiry-interval-ms": "28000000",
                "yarn.acl.enable": "true",
                "yarn.admin.acl": "admin",
            },
        )
        prefix = "yarn.scheduler.capacity"
        root = f"{prefix}.root"
        _write(
            self.conf / "capacity-scheduler.xml",
            {
                f"{root}.queues": ",".join(QUEUES),
                f"{root}.acl_submit_applications": " ",
                f"{root}.acl_administer_queue": " ",
                f"{root}.default.capacity": "80",
                f"{root}.small.capacity": "10",
                f"{root}.closed.capacity": "10",
                f"{root}.default.acl_submit_applications": "*",
                f"{root}.small.acl_submit_applications": "*",
                f"{root}.default.maximum-capacity": "100",
                f"{root}.small.maximum-capacity": "100",
                f"{root}.default.user-limit-factor": "4",
                f"{root}.small.user-limit-factor": "4",
                f"{prefix}.maximum-am-resource-percent": "1.0",
                # Of a queue even the first driver starts, a second one waits.
                f"{root}.small.maximum-am-resource-percent": "0.01",
            },
        )

    def _command(self, server: str, memory: str, number: int = 0) -> list[str]:
        port = self._node_ports[number]
        return [
            self._java,
            f"-Xmx{memory}",
            *_JVM,
            f"-Dnode.number={number}",
            f"-Dnode.port={port}",
            "-cp",
            f"{self.conf}:{self._jars}/*",
            f"{_SERVER}.{server}",
        ]

    def _run(self, name: str, command: list[str]) -> ServerProcess:
        return ServerProcess(command, self.directory / f"{name}.log", directory=self.directory)

    def _start_resource_manager(self) -> ServerProcess:
        command = self._command("resourcemanager.ResourceManager", "384m")
        return self._run("resource-manager", command)

    def _start_node(self, number: int) -> ServerProcess:
        command = self._command("nodemanager.NodeManager", "256m", number)
        return self._run(f"node-{number}", command)

    def wait_until_ready(self) -> None:
        """Returns when every node can be given containers. Raises ServerDied."""

        def ready() -> bool:
            try:
                metrics = self._get("metrics")["clusterMetrics"]
            except (requests.RequestException, ValueError):
                return False
            return bool(metrics["activeNodes"] == self._nodes)

        for process in (self.resource_manager, *self.node_managers):
            process.wait_until(ready, _READY_SECONDS)

    def restart_resource_manager(self) -> None:
        """Kills it and starts it again; what runs goes on."""
        self.resource_manager.kill()
        self.resource_manager = self._start_resource_manager()
        self.wait_until_ready()

    def _get(self, path: str, **query: str) -> Any:
        url = f"{self._web}/ws/v1/cluster/{path}"
        return requests.get(url, params=query, timeout=30).json()

    def _all(self) -> list[dict[str, Any]]:
        answer = self._get("apps")
        return (answer["apps"] or {}).get("app") or []

    def applications(self, kernel_id: str) -> list[dict[str, Any]]:
        """The applications of a kernel, the oldest first."""
        answer = self._get("apps", applicationTags=f"fleet-kernel-{kernel_id}")
        found = (answer["apps"] or {}).get("app") or []
        return sorted(found, key=lambda one: str(one["id"]))

    def application(self, kernel_id: str) -> dict[str, Any]:
        """The newest application of a kernel."""
        return self.applications(kernel_id)[-1]

    def kill(self, application: dict[str, Any]) -> None:
        """As `yarn application -kill` by its user does."""
        answer = requests.put(
            f"{self._web}/ws/v1/cluster/apps/{application['id']}/state",
            params={"user.name": application["user"]},
            json={"state": "KILLED"},
            timeout=30,
        )
        assert answer.status_code in (200, 202), answer.text

    def left(self, kernel_id: str = "") -> list[str]:
        """What there still is of a kernel, or of all: applications that have not ended, their
        files, their processes."""
        others = self.of_others()
        applications = self.applications(kernel_id) if kernel_id else self._all()
        found = [
            f"{one['id']} is {one['state']}"
            for one in applications
            if one["id"] not in others and one["state"] not in FINAL_STATES
        ]
        names = [str(one["id"]) for one in applications] if kernel_id else ["application_*"]
        for place in _PLACES:
            for name in names:
                folders = self.directory.glob(f"{place}/{name}")
                found += [str(folder) for folder in folders if folder.name not in others]
        # The agent has its kernel's id, and what it starts inherits it.
        text = f"KERNEL_ID={kernel_id}"
        return [*found, *(f"process {pid}" for pid in self.processes_with(text))]

    def add_of_others(self) -> None:
        """Starts an application that is no kernel, and goes on for as long as the cluster."""
        apps = f"{self._web}/ws/v1/cluster/apps"
        user = {"user.name": "grace"}
        new = requests.post(f"{apps}/new-application", params=user, json={}, timeout=30).json()
        body = {
            "application-id": new["application-id"],
            "application-name": "nightly",
            "application-type": "OTHER",
            "max-app-attempts": 1,
            "am-container-spec": {"commands": {"command": "sleep 100000"}},
            "resource": {"memory": 128, "vCores": 1},
        }
        answer = requests.post(apps, params=user, json=body, timeout=30)
        assert answer.status_code == 202, answer.text

    def of_others(self) -> dict[str, str]:
        """The applications that are no kernels, with their states."""
        return {
            str(one["id"]): str(one["state"])
            for one in self._all()
            if "fleet-kernel-" not in str(one["applicationTags"])
        }

    def processes_with(self, text: str = "") -> list[int]:
        """The processes of containers that have `text` in their environment."""
        found = []
        folder = f"{self.directory}/node-"
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environment = (process / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if text in environment and folder in environment:
                found.append(int(process.name))
        return sorted(found)

    def stop(self) -> None:
        """Ends the servers, and with them their containers."""
        self.proxy.stop()
        for process in (*self.node_managers, self.resource_manager):
            process.stop(60.0)


@contextmanager
def running_yarn(directory: Path, nodes: int = 1, node_mb: int = 8192) -> Iterator[Yarn]:
    """A cluster that is ready. Fails if it leaves a process."""
    yarn = Yarn(directory, nodes, node_mb)
    try:
        yarn.wait_until_ready()
        yield yarn
    finally:
        yarn.stop()
        left = yarn.processes_with()
        for pid in left:
            # In no container any more, and whoever looks for them later finds none.
            os.kill(pid, 9)
    assert not left, f"processes of containers were left: {left}"


def _write(file: Path, settings: dict[str, str]) -> None:
    properties = "\n".join(
        f"<property><name>{name}</name><value>{escape(value)}</value></property>"
        for name, value in settings.items()
    )
    file.write_text(f"<configuration>\n{properties}\n</configuration>\n")
