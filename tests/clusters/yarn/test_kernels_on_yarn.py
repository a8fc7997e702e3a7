"""Kernels in the drivers of Spark applications on a real YARN."""

from __future__ import annotations

from tests.clusters.yarn.yarn_fleet import YarnFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

END_SECONDS = 120.0


def test_a_kernel_runs_cells_and_spark_jobs_and_deleting_it_leaves_nothing(
    fleet: YarnFleet,
) -> None:
    kernel_id = fleet.started("spark")
    assert fleet.run(1, kernel_id, "import os; x = 41; print(os.getpid())")
    assert fleet.run(0, kernel_id, "print(spark.range(1000).selectExpr('sum(id)').first()[0])") == (
        "499500"
    )
    assert fleet.yarn.application(kernel_id)["state"] == "RUNNING"
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), END_SECONDS)
    assert fleet.yarn.application(kernel_id)["finalStatus"] == "SUCCEEDED"
