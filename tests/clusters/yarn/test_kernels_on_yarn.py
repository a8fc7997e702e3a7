"""Kernels in the drivers of Spark applications on a real YARN, from their start to their end."""

from __future__ import annotations

import threading

from tests.clusters.yarn.yarn_fleet import SECONDS, YarnFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.process_proxies.cluster_fleet import refused_alone

PID = "import os; print(os.getpid())"
SPARK_JOB = "print(spark.range(1000).selectExpr('sum(id)').first()[0])"
PRINT_LINES = """
import time
for number in range(60):
    print(f"line {number}", flush=True)
    time.sleep(0.1)
"""
LINES = [f"line {number}" for number in range(60)]


def test_a_kernel_runs_spark_is_interrupted_restarted_and_deleted(fleet: YarnFleet) -> None:
    kernel_id = fleet.started("spark")
    pid = fleet.run(1, kernel_id, "x = 41; " + PID)
    assert fleet.run(0, kernel_id, SPARK_JOB) == "499500"
    application = fleet.yarn.application(kernel_id)
    assert application["state"] == "RUNNING"
    client = fleet.gateways.client()
    with fleet.channels(0, kernel_id) as channels:
        request = channels.execute("import time\nprint('begun', flush=True)\ntime.sleep(600)")
        while channels.receive()["header"]["msg_type"] != "stream":
            pass
        interrupt = f"{fleet.url(1, kernel_id)}/interrupt"
        assert client.call("POST", interrupt).status_code == 204
        _, reply = channels.finish(request)
        assert reply["ename"] == "KeyboardInterrupt"
        assert channels.run("print(x + 1)") == "42\n"
        # The driver's JVM is in the kernel's process group, and was not interrupted.
        assert channels.run(SPARK_JOB) == "499500\n"
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    assert fleet.run(0, kernel_id, PID) != pid
    assert fleet.run(0, kernel_id, SPARK_JOB) == "499500"
    # A restart starts another process in the same driver.
    [same] = fleet.yarn.applications(kernel_id)
    assert same["id"] == application["id"]
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
    assert fleet.yarn.application(kernel_id)["finalStatus"] == "SUCCEEDED"


def test_the_owner_is_killed_while_a_cell_prints(fleet: YarnFleet) -> None:
    kernel_id = fleet.started("spark", 0)
    gateways = fleet.gateways
    with fleet.channels(1, kernel_id) as channels:
        pid = channels.run(PID)
        request = channels.execute(PRINT_LINES)
        threading.Timer(1.5, gateways.processes[0].kill).start()
        text, reply = channels.finish(request)
        assert text.splitlines() == LINES
        assert reply["status"] == "ok"
        assert channels.run(PID) == pid
    wait_until(lambda: gateways.processes[0].exit_code is not None)
    gateways.start_again(0)
    assert fleet.run(0, kernel_id, PID) == pid.strip()


def test_the_resource_manager_is_restarted_under_a_kernel(fleet: YarnFleet) -> None:
    kernel_id = fleet.started("spark")
    pid = fleet.run(0, kernel_id, "x = 41; " + PID)
    fleet.yarn.restart_resource_manager()
    assert fleet.run(1, kernel_id, "print(x + 1); " + PID) == f"42\n{pid}"
    assert fleet.model(kernel_id)["state"] == "running"
    # The job's executors are those from before, once the driver has registered again.
    assert fleet.run(1, kernel_id, SPARK_JOB) == "499500"
    wait_until(lambda: fleet.model(kernel_id)["execution_state"] == "idle", SECONDS)
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_nobody_has_a_kernel_alone_where_all_applications_are_one_users(fleet: YarnFleet) -> None:
    assert fleet.yarn.applications(refused_alone(fleet, "spark")) == []
