"""Kernels in YARN applications: the real agent and kernel, a scripted ResourceManager."""

import signal
import threading
import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.integration.gateway_ext.process_proxies.cluster_fleet import (
    OURS,
    ClusterFleet,
    refused_alone,
)
from tests.servers.scripted_http import Answer
from tests.servers.yarn_resource_manager import not_found

STOCK_OPTIONS = (
    "--master yarn --deploy-mode cluster --name ${KERNEL_ID:-ERROR__NO__KERNEL_ID} "
    "--conf spark.yarn.submit.waitAppCompletion=false --conf spark.yarn.maxAppAttempts=1 "
    "${KERNEL_EXTRA_SPARK_OPTS}"
)


@pytest.fixture(scope="module", autouse=True)
def _kernelspecs(shared_fleet: ClusterFleet, tmp_path_factory: pytest.TempPathFactory) -> None:
    home = str(shared_fleet.yarn.write_spark(tmp_path_factory.mktemp("spark")))
    argv = ["python", "-m", "gateway_ext.agent.python_kernel", "-f", "{connection_file}"]
    # The real kernelspec makes a Spark session first, and here is no Spark.
    shared_fleet.add_kernelspec(
        "yarn", OURS / "spark_python_yarn", env={"SPARK_HOME": home}, kernel_argv=argv
    )
    shared_fleet.add_stock_kernelspec(
        "stock_yarn",
        "yarn.YarnClusterProcessProxy",
        ["/nowhere/bin/run.sh", "--RemoteProcessProxy.spark-context-initialization-mode", "none"],
        env={"SPARK_HOME": home, "SPARK_OPTS": STOCK_OPTIONS},
    )
    shared_fleet.add_kernelspec("no_spark", OURS / "spark_python_yarn", kernel_argv=argv)


def the_application(fleet: ClusterFleet, kernel_id: str) -> dict[str, Any]:
    [application] = fleet.yarn.of_kernel(kernel_id)
    return application


def ended(fleet: ClusterFleet, kernel_id: str) -> bool:
    """Whether YARN runs nothing of a kernel any more."""
    final = ("FINISHED", "FAILED", "KILLED")
    return all(one["state"] in final for one in fleet.yarn.of_kernel(kernel_id))


def test_a_kernel_in_an_application(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("yarn", KERNEL_MINE="yes")
    code = "import os; x = 41; print(os.environ['KERNEL_MINE'], os.environ['KERNEL_USERNAME'])"
    assert fleet.run(1, kernel_id, code) == "yes ada"
    assert kernel_id in fleet.run(0, kernel_id, "%fleet")
    # On no command line and in no environment that others may read.
    options = fleet.yarn.submissions[-1]
    assert options["arguments"] == ["--document", "start.json"]
    assert not any("agent_key" in str(value) for value in options.values())
    submitted = Path(options["script"]).parent
    assert not submitted.exists()
    # The application is killed by somebody: the kernel is dead, with YARN's words.
    application = the_application(fleet, kernel_id)
    words = "Application application_1 was killed by user ops at 10.0.0.7"
    fleet.yarn.change(application["id"], state="KILLED", finalStatus="KILLED", diagnostics=words)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert words in fleet.model(kernel_id, 1)["reason"]
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    first, second = fleet.yarn.of_kernel(kernel_id)
    assert first["applicationTags"] != second["applicationTags"]
    fleet.end(kernel_id)
    wait_until(lambda: ended(fleet, kernel_id))


def test_nobody_has_a_kernel_alone_where_all_applications_are_one_users(
    fleet: ClusterFleet,
) -> None:
    assert fleet.yarn.of_kernel(refused_alone(fleet, "yarn")) == []


def test_a_kernelspec_of_enterprise_gateway(fleet: ClusterFleet) -> None:
    extra = "--executor-memory 2g --conf spark.sql.shuffle.partitions=7"
    kernel_id = fleet.started("stock_yarn", KERNEL_EXTRA_SPARK_OPTS=extra)
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    options = fleet.yarn.submissions[-1]
    assert options["name"] == kernel_id
    assert options["executor_memory"] == "2g"
    assert "spark.sql.shuffle.partitions=7" in options["conf"]
    fleet.end(kernel_id)
    wait_until(lambda: ended(fleet, kernel_id))


def test_launches_that_fail_say_why_and_leave_nothing(fleet: ClusterFleet) -> None:
    for name, env, words in (
        ("yarn", {"KERNEL_EXTRA_SPARK_OPTS": "--queue nowhere"}, "to unknown queue: nowhere"),
        ("no_spark", {}, "set SPARK_HOME in the kernelspec's env"),
    ):
        kernel_id = str(uuid.uuid4())
        answer = fleet.start(name, kernel_id=kernel_id, **env)
        assert answer.status_code == 500
        assert words in answer.json()["message"]
        assert words in fleet.model(kernel_id, 1)["reason"]
        assert ended(fleet, kernel_id)
    answer = fleet.start("yarn", KERNEL_EXTRA_SPARK_OPTS="--files /etc/shadow")
    assert (answer.status_code, "may not be chosen here" in answer.text) == (403, True)


def test_a_launch_that_was_refused_ends_nobody_s_application(fleet: ClusterFleet) -> None:
    """It had no tag yet, and YARN answers an empty tag with every application."""
    fleet.yarn.add_of_others("application_1_0001")
    kernel_id = str(uuid.uuid4())
    answer = fleet.start("yarn", kernel_id=kernel_id, KERNEL_EXTRA_SPARK_OPTS="--files /etc/shadow")
    assert answer.status_code == 403
    assert fleet.model(kernel_id)["state"] == "dead"
    assert fleet.yarn.applications["application_1_0001"]["state"] == "RUNNING"
    lists = [one for one in fleet.yarn.asked("GET", "/apps") if one.path.endswith("/apps")]
    assert all(one.query.get("applicationTags") for one in lists)
    assert not fleet.yarn.asked("PUT", "application_1_0001")


def test_an_application_that_is_not_the_kernel_s_is_left_alone(fleet: ClusterFleet) -> None:
    """What is found is compared before it is ended, even when it is found by its id."""
    kernel_id = fleet.started("yarn")
    application_id = the_application(fleet, kernel_id)["id"]
    fleet.yarn.change(application_id, user="eve")
    with fleet.yarn.lock:
        # Nobody but YARN could end it now.
        container = fleet.yarn._containers.pop(application_id)
        container.kill()
    fleet.end(kernel_id)
    words = f"kernel {kernel_id}: YARN application {application_id} is left alone"
    wait_until(lambda: any(words in fleet.gateways.log(number) for number in (0, 1)))
    assert fleet.yarn.applications[application_id]["state"] == "RUNNING"
    assert not fleet.yarn.asked("PUT", application_id)


def test_an_application_that_ended_without_its_container_is_the_end_of_the_kernel(
    fleet: ClusterFleet,
) -> None:
    """Its node does not answer: the agent stays connected and would go on."""
    kernel_id = fleet.started("yarn")
    application_id = the_application(fleet, kernel_id)["id"]
    with fleet.yarn.lock:
        container = fleet.yarn._containers.pop(application_id)
    assert fleet.model(kernel_id)["state"] == "running"
    words = "Application application_1 was killed by user ops at 10.0.0.7"
    fleet.yarn.change(application_id, state="KILLED", finalStatus="KILLED", diagnostics=words)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert words in fleet.model(kernel_id, 1)["reason"]
    wait_until(lambda: container.exit_code is not None)
    container.remove()
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    fleet.end(kernel_id)
    wait_until(lambda: ended(fleet, kernel_id))


def test_no_room_in_the_queue(fleet: ClusterFleet) -> None:
    limit = "Queue's AM resource limit exceeded."
    kernel_id = str(uuid.uuid4())
    fleet.yarn.runs = False
    answers: list[Any] = []

    def start() -> None:
        answers.append(fleet.start("yarn", kernel_id=kernel_id, KERNEL_LAUNCH_TIMEOUT="3"))

    try:
        thread = threading.Thread(target=start)
        thread.start()
        wait_until(lambda: fleet.yarn.of_kernel(kernel_id))
        fleet.yarn.change(the_application(fleet, kernel_id)["id"], diagnostics=limit)
        thread.join()
        # Its client has waited long enough; the kernel waits on.
        assert answers[0].status_code == 503
        assert answers[0].json()["kernel_id"] == kernel_id
        wait_until(lambda: limit in fleet.model(kernel_id, 1)["launch"]["message"])
        fleet.end(kernel_id, 1)
        wait_until(lambda: the_application(fleet, kernel_id)["state"] == "KILLED")
    finally:
        fleet.yarn.runs = True


def test_a_resource_manager_that_is_away_or_starts_kills_nothing(fleet: ClusterFleet) -> None:
    kernel_id = fleet.started("yarn")
    application_id = the_application(fleet, kernel_id)["id"]
    info = {"clusterInfo": {"state": "STARTED", "haState": "STANDBY"}}
    fleet.yarn.script("GET", "/info", Answer(200, info), forever=True)
    answers = [Answer(cut=True), Answer(503, b"no"), Answer(200, b"This is standby RM.")]
    fleet.yarn.script("GET", "/apps", *answers, not_found(application_id), forever=True)
    with fleet.yarn.lock:
        fleet.yarn._containers[application_id].kill()
    asked = len(fleet.yarn.asked("GET", "/apps"))
    # Each of the answers has been given.
    wait_until(lambda: len(fleet.yarn.asked("GET", "/apps")) >= asked + len(answers) + 1, 60)
    assert fleet.model(kernel_id)["state"] == "running"
    # Now it has read all that it knew, and this is not among it.
    fleet.yarn.end_scripts()
    fleet.yarn.script("GET", f"/apps/{application_id}", not_found(application_id), forever=True)
    wait_until(lambda: fleet.model(kernel_id)["state"] == "dead")
    assert f"does not know application {application_id}" in fleet.model(kernel_id)["reason"]
    fleet.end(kernel_id)


def test_a_submission_that_its_gateway_never_heard_of_goes_on(fleet: ClusterFleet) -> None:
    """Frozen while spark-submit was at work, and then for longer than it counts as living."""
    kernel_id = str(uuid.uuid4())
    fleet.yarn.runs = False
    thread = threading.Thread(target=lambda: fleet.start("yarn", kernel_id=kernel_id))
    thread.start()
    wait_until(lambda: fleet.yarn.of_kernel(kernel_id))
    gateway = fleet.gateways.processes[0]
    freeze(fleet.gateways, 0)
    try:
        fleet.yarn.runs = True
        wait_until(lambda: fleet.model(kernel_id, 1).get("state") == "running")
        assert fleet.run(1, kernel_id, "print(6 * 7)") == "42"
    finally:
        gateway.signal(signal.SIGCONT)
    thread.join()
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    assert len(fleet.yarn.of_kernel(kernel_id)) == 1
    fleet.end(kernel_id)
    wait_until(lambda: ended(fleet, kernel_id))
