"""The session of a Spark driver that outlives the processes of its kernel. Needs Java 17."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.integration.agent.scripted_gateway import REPOSITORY

if shutil.which("java") is None:
    pytest.skip("Spark needs Java 17", allow_module_level=True)

pytestmark = pytest.mark.long

SESSION = """
from gateway_ext.kernel_tools.spark_session import *
views = sorted(table.name for table in spark.catalog.listTables())
print("said", sc.applicationId, spark.range(1000).selectExpr("sum(id)").first()[0], views)
print("said", sc.parallelize([1, 2, 3]).map(lambda x: 2 * x).sum(), sql("select 7").first()[0])
spark.range(3).createOrReplaceTempView("mine")
"""


class Driver:
    """A driver's JVM, and processes that use it one after the other."""

    def __init__(self) -> None:
        from pyspark.java_gateway import launch_gateway

        os.environ["PYSPARK_SUBMIT_ARGS"] = (
            "--master local[1] --conf spark.ui.enabled=false "
            # Otherwise Hive makes a database in the working directory.
            "--conf spark.sql.catalogImplementation=in-memory pyspark-shell"
        )
        self._gateway = launch_gateway()
        parameters = self._gateway.gateway_parameters
        self._environment = {
            **os.environ,
            "PYSPARK_GATEWAY_PORT": str(parameters.port),
            "PYSPARK_GATEWAY_SECRET": parameters.auth_token,
            "PYSPARK_PYTHON": sys.executable,
            "PYTHONPATH": str(REPOSITORY),
        }

    def run(self, code: str) -> list[str]:
        """What a process of the kernel says."""
        done = subprocess.run(
            [sys.executable, "-c", code],
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        said = [line.split("said ", 1)[1] for line in done.stdout.splitlines() if "said " in line]
        assert len(said) == 2, done.stderr
        return said

    def stop(self) -> None:
        """Ends the JVM."""
        self._gateway.shutdown()
        self._gateway.proc.stdin.close()
        self._gateway.proc.wait(30)


@pytest.fixture(scope="module")
def driver() -> Iterator[Driver]:
    driver = Driver()
    yield driver
    driver.stop()


@pytest.mark.parametrize("end", ["", "import os; os._exit(1)"])
def test_a_restarted_kernel_joins_the_context_with_a_session_of_its_own(
    driver: Driver, end: str
) -> None:
    before, doubled = driver.run(SESSION + end)
    assert before.endswith("499500 []")
    assert doubled == "12 7"
    assert driver.run(SESSION) == [before, doubled]


def test_a_context_that_was_stopped_is_replaced_where_the_driver_allows_it(driver: Driver) -> None:
    before, _ = driver.run(SESSION + "spark.stop()")
    after, doubled = driver.run(SESSION)
    assert after.split()[0] != before.split()[0]
    assert doubled == "12 7"
