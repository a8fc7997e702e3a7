"""Kernels whose applications end without their gateways, and launches that fail, on a real YARN."""

from __future__ import annotations

import os
import signal
import uuid
from pathlib import Path

from tests.clusters.yarn.yarn_fleet import SECONDS, YarnFleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

PROCESSES = """
import os, subprocess
child = subprocess.Popen(["sleep", "3600"])
detached = subprocess.Popen(["sleep", "3600"], start_new_session=True)
print(os.getppid(), os.getpid(), child.pid, detached.pid)
"""


def is_there(pid: int) -> bool:
    """Whether a process runs; the driver's JVM does not collect those that have ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def test_an_application_that_is_killed_takes_the_kernel_along(fleet: YarnFleet) -> None:
    kernel_id = fleet.started("spark")
    pids = [int(word) for word in fleet.run(0, kernel_id, PROCESSES).split()]
    assert all(map(is_there, pids))
    fleet.yarn.kill(fleet.yarn.application(kernel_id))
    wait_until(lambda: not any(map(is_there, pids)), SECONDS)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
    # The agent's own words come first, YARN's stay.
    wait_until(lambda: "killed by user" in fleet.model(kernel_id, 1)["reason"], SECONDS)
    # The key of its agent was in a file there, and Spark had no time to remove it.
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('child' in globals())") == "False"
    assert len(fleet.yarn.applications(kernel_id)) == 2


def test_an_application_that_ends_without_its_container_is_the_end_of_the_kernel(
    fleet: YarnFleet,
) -> None:
    """Its node does not answer, so nothing there is killed, and the agent stays connected."""
    kernel_id = fleet.started("spark")
    agent, kernel, *_ = (int(word) for word in fleet.run(0, kernel_id, PROCESSES).split())
    [node] = fleet.yarn.node_managers
    node.signal(signal.SIGSTOP)
    try:
        fleet.yarn.kill(fleet.yarn.application(kernel_id))
        wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
        assert "killed by user" in fleet.model(kernel_id, 1)["reason"]
        wait_until(lambda: not is_there(agent) and not is_there(kernel), SECONDS)
    finally:
        node.signal(signal.SIGCONT)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_driver_that_is_killed_leaves_no_file_and_no_process(fleet: YarnFleet) -> None:
    kernel_id = fleet.started("spark")
    agent, *_ = (int(word) for word in fleet.run(0, kernel_id, PROCESSES).split())
    jvm = int(Path(f"/proc/{agent}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(jvm, signal.SIGKILL)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead", SECONDS)
    wait_until(lambda: "exitCode: 137" in fleet.model(kernel_id)["reason"], SECONDS)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def refusal(fleet: YarnFleet, name: str = "spark", **env: str) -> str:
    """Why a kernel does not start, which must be one line; nothing is left of it."""
    kernel_id = str(uuid.uuid4())
    answer = fleet.start(name, kernel_id=kernel_id, **env)
    assert answer.status_code == 500, answer.text
    message: str = answer.json()["message"]
    model = fleet.model(kernel_id, 1)
    assert (model["state"], model["reason"]) == ("dead", message)
    assert len(message) < 500
    assert "\n" not in message
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
    # All that was printed is kept for the operator.
    kept = (fleet.gateways.directory / "k" / "submit-logs" / f"{kernel_id}.log").read_text()
    assert "\tat org.apache" in kept
    return message


def test_an_unknown_queue_is_named_in_one_line(fleet: YarnFleet) -> None:
    message = refusal(fleet, KERNEL_EXTRA_SPARK_OPTS="--queue nowhere")
    assert "unknown queue: nowhere" in message


def test_a_queue_that_the_user_may_not_use_is_named_in_one_line(fleet: YarnFleet) -> None:
    message = refusal(fleet, KERNEL_EXTRA_SPARK_OPTS="--queue closed")
    assert "does not have permission to submit" in message
    assert "closed" in message


def test_a_driver_that_is_too_large_says_so_in_one_line(fleet: YarnFleet) -> None:
    message = refusal(fleet, KERNEL_EXTRA_SPARK_OPTS="--driver-memory 900g")
    assert "is above the max threshold" in message


def test_a_driver_waits_in_its_queue_and_says_for_what(fleet: YarnFleet) -> None:
    queue = {"KERNEL_EXTRA_SPARK_OPTS": "--queue small"}
    first = fleet.started("spark", **queue)
    second = str(uuid.uuid4())
    answer = fleet.start("spark", 1, second, **queue, KERNEL_LAUNCH_TIMEOUT="20")
    assert answer.status_code in (500, 503)
    wait_until(lambda: "AM resource limit exceeded" in str(fleet.model(second)), SECONDS)
    assert "in queue root.small" in str(fleet.model(second, 1))
    fleet.end(second)
    wait_until(lambda: fleet.nothing_left(second), SECONDS)
    assert fleet.run(0, first, "print(6 * 7)") == "42"
