"""The walk of docs/clusters.md from Hadoop's configuration to a running cell, on a real YARN."""

from __future__ import annotations

import json
from pathlib import Path

from tests.clusters.inside import ADDRESS
from tests.clusters.walk import assigned, commands
from tests.clusters.walking_fleet import walking_fleet
from tests.clusters.yarn.cluster import FINAL_STATES, Yarn
from tests.clusters.yarn.jars import java
from tests.clusters.yarn.yarn_fleet import spark_home, spark_options
from tests.integration.gateway_ext.fleet_of_gateways import kernel_python, wait_until
from tests.servers.short_folder import short_folder

HEADING = "From Hadoop's configuration to a running cell"
CELL = "A cell without the page"
SECONDS = 120.0


def with_small_drivers(kernelspec: Path, yarn: Yarn) -> None:
    """Fits a kernelspec to the test's cluster, in which everything is on one machine."""
    file = kernelspec / "kernel.json"
    document = json.loads(file.read_text())
    document["env"] |= {"SPARK_OPTS": spark_options(yarn), "SPARK_LOCAL_IP": "127.0.0.1"}
    file.write_text(json.dumps(document))


def test_the_walk_from_hadoops_configuration_to_a_running_cell(yarn: Yarn) -> None:
    first, *blocks = commands(HEADING)
    values = {
        "HADOOP": str(yarn.conf),
        "JAVA_HOME": str(Path(java()).resolve().parents[1]),
        "SPARK_HOME": str(spark_home()),
        "PYSPARK_PYTHON": kernel_python(),
    }
    assert assigned(first) == {"HOST", "FILES", *values}
    [cell] = commands(CELL)
    with short_folder("fleet-walk-") as home, walking_fleet(home) as reader:
        files = home / "files"
        reader.choose(HOST=ADDRESS, FILES=str(files), **values)
        printed = ""
        for block in blocks:
            printed += reader.run(block)
            if "cp -r kernelspecs" in block:
                with_small_drivers(files / "kernelspecs" / "spark_python_yarn", yarn)
            if "export KERNEL=" in block:
                printed = reader.run(cell)
        assert "a cell ran on " in printed
        [kernel] = json.loads(reader.run("jupyter fleet kernels --json"))
        [application] = yarn.applications(kernel["id"])
        # The driver registers with YARN when its Spark session is there.
        wait_until(lambda: yarn.application(kernel["id"])["state"] == "RUNNING", SECONDS)
        assert f" {application['id']} " in printed
        assert "kernel ended" in reader.run("jupyter fleet down --kernels")
        wait_until(lambda: yarn.application(kernel["id"])["state"] in FINAL_STATES, SECONDS)
        wait_until(lambda: not yarn.left(kernel["id"]), SECONDS)
