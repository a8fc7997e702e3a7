"""Gateways whose kernels are Spark applications of a real YARN."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import requests

from tests.clusters.yarn.cluster import Yarn
from tests.clusters.yarn.jars import java
from tests.integration.gateway_ext.fleet_of_gateways import (
    Channels,
    Gateways,
    kernel_python,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.process_proxies.cluster_fleet import OURS, KernelFleet

LAUNCH_SECONDS = 240.0
SECONDS = 180.0
"""How long a test waits for the cluster."""
_JVM = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1"
_LOCAL = "127.0.0.1"


class YarnFleet(KernelFleet):
    """The gateways and the cluster."""

    def __init__(self, gateways: Gateways, yarn: Yarn) -> None:
        super().__init__(gateways)
        self.yarn = yarn

    def started(self, name: str, number: int = 0, **env: str) -> str:
        """See the base class. Waits for as long as a loaded machine may take."""
        kernel_id = str(uuid.uuid4())
        deadline = time.monotonic() + LAUNCH_SECONDS
        while True:
            # The same request again joins the launch.
            with contextlib.suppress(requests.Timeout):
                answer = self.start(name, number, kernel_id, **env)
                if answer.status_code != 503 or time.monotonic() > deadline:
                    assert answer.status_code == 201, answer.text
                    return kernel_id
                time.sleep(1.0)

    def restart(self, kernel_id: str, number: int = 0) -> None:
        """See the base class. A kernel that was dead gets another driver, which may take longer
        than a client waits."""
        url = f"{self.url(number, kernel_id)}/restart"
        assert self.gateways.client().call("POST", url).status_code in (200, 503)
        wait_until(lambda: self.model(kernel_id, number)["state"] == "running", LAUNCH_SECONDS)

    @contextlib.contextmanager
    def channels(self, number: int, kernel_id: str) -> Iterator[Channels]:
        """A websocket to a kernel whose jobs may wait for executors."""
        client, url = self.gateways.client(), self.gateways.urls[number]
        with client.channels(url, kernel_id) as channels:
            channels.wait_at_most(SECONDS)
            yield channels

    def run(self, number: int, kernel_id: str, code: str) -> str:
        """See the base class."""
        with self.channels(number, kernel_id) as channels:
            return channels.run(code).strip()

    def nothing_left(self, kernel_id: str) -> bool:
        """Whether the cluster has nothing of a kernel any more."""
        return not self.yarn.left(kernel_id)


def spark_home() -> Path:
    """Spark of the kernels' environment."""
    [home] = Path(kernel_python()).parents[1].glob("lib/python3*/site-packages/pyspark")
    return home


def spark_options(yarn: Yarn) -> str:
    """Small drivers and executors, all on this machine's loopback."""
    settings = {
        "spark.yarn.am.waitTime": "300s",
        "spark.yarn.jars": f"local:{spark_home()}/jars/*",
        "spark.yarn.stagingDir": f"file://{yarn.staging}",
        "spark.ui.enabled": "false",
        "spark.driver.memory": "512m",
        "spark.driver.memoryOverhead": "128m",
        "spark.driver.bindAddress": _LOCAL,
        "spark.driver.host": _LOCAL,
        "spark.driver.extraJavaOptions": f"'{_JVM}'",
        # An executor comes with the first job.
        "spark.dynamicAllocation.enabled": "true",
        "spark.dynamicAllocation.shuffleTracking.enabled": "true",
        "spark.dynamicAllocation.minExecutors": "0",
        "spark.dynamicAllocation.maxExecutors": "1",
        "spark.executor.cores": "1",
        "spark.executor.memory": "512m",
        "spark.executor.memoryOverhead": "128m",
        "spark.executor.extraJavaOptions": f"'{_JVM}'",
        "spark.executorEnv.SPARK_LOCAL_IP": _LOCAL,
        "spark.yarn.appMasterEnv.SPARK_LOCAL_IP": _LOCAL,
    }
    words = [f"--conf {name}={value}" for name, value in settings.items()]
    return " ".join([*words, "${KERNEL_EXTRA_SPARK_OPTS}"])


@contextlib.contextmanager
def yarn_fleet(yarn: Yarn, count: int = 2, **settings: Any) -> Iterator[YarnFleet]:
    """Gateways on a cluster; `settings` are those of YarnCluster."""
    changes = {
        "YarnCluster": settings,
        "EnterpriseGatewayApp": {"yarn_endpoint": yarn.proxy.url},
        "FleetGatewayApp": {
            "lost_seconds": 5.0,
            "launch_seconds": LAUNCH_SECONDS,
            "cluster_seconds": 2.0,
        },
    }
    environment = {
        "SPARK_HOME": str(spark_home()),
        "HADOOP_CONF_DIR": str(yarn.conf),
        "JAVA_HOME": str(Path(java()).resolve().parents[1]),
        "PYSPARK_PYTHON": kernel_python(),
        "SPARK_LOCAL_IP": _LOCAL,
    }
    with running_gateways(changes=changes, count=count) as gateways:
        fleet = YarnFleet(gateways, yarn)
        source = OURS / "spark_python_yarn"
        options = spark_options(yarn)
        fleet.add_kernelspec("spark", source, env={**environment, "SPARK_OPTS": options})
        yield fleet
