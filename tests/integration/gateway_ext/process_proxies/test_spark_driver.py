"""A kernel in a real Spark driver: what YARN and the Spark operator run is spark-submit's child."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import kernel_python, wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import (
    OURS,
    ClusterFleet,
    cluster_fleet,
)
from tests.servers.container import Container
from tests.servers.kubernetes_api import ScriptedKubernetes
from tests.servers.yarn_resource_manager import ScriptedResourceManager


class ResourceManagerWithSpark(ScriptedResourceManager):
    """Its applications are run by the real spark-submit, on this machine alone."""

    def run(self, wanted: dict[str, Any]) -> Container:
        """See the base class."""
        place = "/cwd-of-the-container"
        files = {**wanted["files"], **wanted["bundles"], "agent.py": wanted["script"]}
        submit = str(Path(kernel_python()).parent / "spark-submit")
        bundles = ",".join(f"{place}/{name}" for name in wanted["bundles"])
        document = f"{place}/{wanted['arguments'][-1]}"
        return Container(
            kernel_python(),
            [
                *[submit, "--master", "local[1]", "--py-files", bundles],
                *[f"{place}/agent.py", "--document", document],
            ],
            {
                "JAVA_HOME": os.environ.get("JAVA_HOME", ""),
                "PYSPARK_PYTHON": kernel_python(),
                "SPARK_LOCAL_IP": "127.0.0.1",
            },
            {place: files},
        )


@pytest.fixture
def fleet(kubernetes: ScriptedKubernetes, tmp_path: Path) -> Iterator[ClusterFleet]:
    yarn = ResourceManagerWithSpark(kernel_python())
    with cluster_fleet(kubernetes, yarn, tmp_path) as fleet:
        home = str(yarn.write_spark(tmp_path / "spark"))
        fleet.add_kernelspec("yarn", OURS / "spark_python_yarn", env={"SPARK_HOME": home})
        yield fleet
    yarn.stop()


@pytest.mark.long
def test_a_kernel_has_the_driver_s_session(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("yarn", KERNEL_LAUNCH_TIMEOUT="85")
    assert fleet.run(1, kernel_id, "print(spark.range(10).count())") == "10"
    [application] = fleet.yarn.of_kernel(kernel_id)
    assert application["state"] == "RUNNING"
    fleet.end(kernel_id)

    def over() -> bool:
        [application] = fleet.yarn.of_kernel(kernel_id)
        return application["state"] in ("FINISHED", "KILLED")

    wait_until(over)
