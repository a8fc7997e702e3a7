"""Kernels as pods of a real Kubernetes, from their start to their end."""

import threading
import uuid

from tests.clusters.kubernetes.image import MISSING_IMAGE
from tests.clusters.kubernetes.pod_fleet import PodFleet, pod_fleet
from tests.integration.gateway_ext.fleet_of_gateways import wait_until

PID = "import os, socket; print(socket.gethostname(), os.getpid())"
PRINT_LINES = """
import os, socket, time
print(socket.gethostname(), os.getpid(), flush=True)
for number in range(60):
    print(f"line {number}", flush=True)
    time.sleep(0.1)
"""
LINES = [f"line {number}" for number in range(60)]
SECONDS = 90.0
"""How long a test waits for the cluster."""


def test_a_kernel_starts_is_interrupted_restarted_and_deleted(fleet: PodFleet) -> None:
    kernel_id = fleet.started("pod")
    where = fleet.run(1, kernel_id, "x = 41; " + PID)
    pod = fleet.cluster.pod(kernel_id)
    # The name of a pod is that of its host, cut at 63 characters.
    assert pod.metadata.name.startswith(where.split()[0])
    client = fleet.gateways.client()
    with client.channels(fleet.gateways.urls[0], kernel_id) as channels:
        request = channels.execute("import time\nprint('begun', flush=True)\ntime.sleep(600)")
        while channels.receive()["header"]["msg_type"] != "stream":
            pass
        interrupt = f"{fleet.url(1, kernel_id)}/interrupt"
        assert client.call("POST", interrupt).status_code == 204
        _, reply = channels.finish(request)
        assert reply["ename"] == "KeyboardInterrupt"
        assert channels.run("print(x + 1)") == "42\n"
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print('x' in globals())") == "False"
    # A restart starts another process in the same pod.
    assert fleet.cluster.pod(kernel_id).metadata.uid == pod.metadata.uid
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_the_owner_is_killed_while_a_cell_prints(fleet: PodFleet) -> None:
    with pod_fleet(fleet.cluster) as own:
        kernel_id = own.started("pod", 0)
        gateways = own.gateways
        with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
            where = channels.run("x = 41; " + PID).strip()
            request = channels.execute(PRINT_LINES)
            threading.Timer(1.5, gateways.processes[0].kill).start()
            text, reply = channels.finish(request)
            assert text.splitlines() == [where, *LINES]
            assert reply["status"] == "ok"
            assert channels.run("print(x + 1)") == "42\n"
        gateways.start_again(0)
        assert own.run(0, kernel_id, PID) == where
        own.end(kernel_id, 1)
        wait_until(lambda: own.nothing_left(kernel_id), SECONDS)


def test_a_quota_refuses_in_the_clusters_words(fleet: PodFleet) -> None:
    kernel_id = str(uuid.uuid4())
    with fleet.cluster.quota(pods="0"):
        # A quota counts from when a controller has looked at it.
        wait_until(
            lambda: (
                fleet.cluster.core.read_namespaced_resource_quota("team", "kernels").status.hard
            ),
            SECONDS,
        )
        answer = fleet.start("pod", kernel_id=kernel_id)
    assert answer.status_code == 500
    assert "exceeded quota: team, requested: pods=1, used: pods=0, limited: pods=0" in answer.text
    assert fleet.model(kernel_id, 1)["state"] == "dead"
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_missing_image_is_named_with_the_reason(fleet: PodFleet) -> None:
    kernel_id = str(uuid.uuid4())
    answer = fleet.start("missing_image", kernel_id=kernel_id)
    assert answer.status_code == 500
    assert MISSING_IMAGE in answer.text
    assert "ErrImagePull" in answer.text or "ImagePullBackOff" in answer.text
    assert fleet.model(kernel_id, 1)["state"] == "dead"
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)


def test_a_pod_that_fits_no_node_waits_and_says_why(fleet: PodFleet) -> None:
    kernel_id = str(uuid.uuid4())
    answer = fleet.start("huge", kernel_id=kernel_id, KERNEL_LAUNCH_TIMEOUT="5")
    assert answer.status_code in (500, 503)
    wait_until(lambda: "Insufficient memory" in str(fleet.model(kernel_id)), SECONDS)
    fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id), SECONDS)
