"""Kernels that take long to start: what clients see, and what they can do meanwhile."""

import json
import signal
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import wait_until
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.integration.gateway_ext.process_proxies.cluster_fleet import ClusterFleet
from tests.servers.scripted_http import Answer, Request

ROOM = "0/3 nodes are available: 3 Insufficient memory."
NO_ROOM = {
    "conditions": [
        {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": ROOM,
        }
    ]
}
PULLS = {
    "conditions": [
        {"type": "PodScheduled", "status": "True"},
        {"type": "PodReadyToStartContainers", "status": "True"},
    ],
    "containerStatuses": [
        {"name": "kernel", "state": {"waiting": {"reason": "ContainerCreating"}}}
    ],
}
RUNS = {"phase": "Running", "containerStatuses": [{"name": "kernel", "state": {"running": {}}}]}


@contextmanager
def pods_that(fleet: ClusterFleet, status: dict[str, Any]) -> Iterator[Callable[[str], None]]:
    """Pods that are made get this status and stay as they are, until their kernel is released."""
    kubernetes = fleet.kubernetes
    real = kubernetes.answer

    def answer(request: Request) -> Answer:
        made = real(request)
        if request.method == "POST" and request.path.endswith("/pods") and made.status == 201:
            kubernetes.set_status("pods", made.body["metadata"]["name"], **status)
        return made

    def release(kernel_id: str) -> None:
        name = fleet.pod(kernel_id)["metadata"]["name"]
        kubernetes.set_status("pods", name, phase="Pending", conditions=[], containerStatuses=[])

    kubernetes.answer = answer  # type: ignore[method-assign]
    try:
        yield release
    finally:
        kubernetes.answer = real  # type: ignore[method-assign]


def test_a_start_is_answered_at_once_and_says_how_far_it_is(fleet: ClusterFleet) -> None:
    with pods_that(fleet, NO_ROOM) as release:
        kernel_id = fleet.begin("pod")
        wait_until(lambda: fleet.phase(kernel_id, 1) == "scheduling")
        wait_until(lambda: ROOM in fleet.model(kernel_id, 1)["launch"]["message"])
        listed = fleet.gateways.client().call("GET", fleet.url(1)).json()
        assert kernel_id in [one["id"] for one in listed if one["state"] == "launching"]
        # Again: the same kernel, as it is.
        client = fleet.gateways.client()
        client.headers["X-Fleet-Start"] = "async"
        body = {"name": "pod", "kernel_id": kernel_id}
        again = client.call("POST", fleet.url(1), json=body)
        assert (again.status_code, again.json()["state"]) == (201, "launching")
        owner = f"{fleet.gateways.urls[1]}/api/fleet/kernels/{kernel_id}/owner"
        assert client.call("GET", owner).json()["url"] == fleet.gateways.urls[0]
        restart = client.call("POST", f"{fleet.url(1, kernel_id)}/restart")
        assert (restart.status_code, restart.json()["state"]) == (200, "launching")
        release(kernel_id)
        wait_until(lambda: fleet.model(kernel_id, 1)["state"] == "running")
    assert fleet.model(kernel_id, 1)["launch"] is None
    assert len(fleet.kubernetes.of_kernel("pods", kernel_id)) == 1
    fleet.end(kernel_id)


def test_the_pod_s_events_say_what_its_status_does_not(fleet: ClusterFleet) -> None:
    with pods_that(fleet, PULLS):
        kernel_id = fleet.begin("pod")
        wait_until(lambda: fleet.phase(kernel_id, 1) == "pulling")
        pod = fleet.pod(kernel_id)
        other = {"metadata": {**pod["metadata"], "uid": "of-an-earlier-pod"}}
        fleet.kubernetes.tell_of_pod(other, "Failed", "no such image", "Warning")
        pulling = f'Pulling image "{pod["spec"]["containers"][0]["image"]}"'
        fleet.kubernetes.tell_of_pod(pod, "Pulling", pulling)
        wait_until(lambda: fleet.model(kernel_id, 1)["launch"]["message"] == pulling)
        mount = 'MountVolume.SetUp failed for volume "data"'
        fleet.kubernetes.tell_of_pod(pod, "FailedMount", mount, "Warning")
        words = f"FailedMount: {mount}"
        wait_until(lambda: fleet.model(kernel_id, 1)["launch"]["message"] == words)
        fleet.end(kernel_id)
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_clients_join_one_launch_and_are_told_when_they_have_waited_enough(
    fleet: ClusterFleet,
) -> None:
    kernel_id = str(uuid.uuid4())
    answers: list[Any] = []

    def start(number: int) -> None:
        answers.append(fleet.start("pod", number, kernel_id))

    with pods_that(fleet, NO_ROOM) as release:
        late = fleet.start("pod", 0, kernel_id, KERNEL_LAUNCH_TIMEOUT="2")
        assert (late.status_code, late.headers["Retry-After"]) == (503, "1")
        assert late.json()["kernel_id"] == kernel_id
        assert ROOM in late.json()["message"]
        threads = [threading.Thread(target=start, args=(number,)) for number in (0, 1)]
        for thread in threads:
            thread.start()
        release(kernel_id)
        for thread in threads:
            thread.join()
    assert [(one.status_code, one.json()["id"]) for one in answers] == [(201, kernel_id)] * 2
    assert len(fleet.kubernetes.of_kernel("pods", kernel_id)) == 1
    fleet.end(kernel_id)


@pytest.mark.parametrize(
    ("status", "phase"), [(NO_ROOM, "scheduling"), (PULLS, "pulling"), (RUNS, "connecting")]
)
def test_a_launch_is_canceled_at_once_whatever_it_waits_for(
    fleet: ClusterFleet, status: dict[str, Any], phase: str
) -> None:
    with pods_that(fleet, status):
        kernel_id = fleet.begin("pod")
        wait_until(lambda: fleet.phase(kernel_id, 1) == phase)
        # At the gateway that does not launch it, while the cluster does not answer.
        fleet.kubernetes.script("DELETE", "/fleet/", Answer(503, b"busy", delay=1.0))
        fleet.end(kernel_id, 1)
        assert fleet.model(kernel_id)["reason"] == "Not Found"
        wait_until(lambda: fleet.nothing_left(kernel_id))
    again = fleet.start("pod", kernel_id=kernel_id)
    assert again.status_code == 409


def test_a_launch_is_canceled_while_the_cluster_makes_its_pod(fleet: ClusterFleet) -> None:
    real = fleet.kubernetes.answer
    made = threading.Event()

    def slow(request: Request) -> Answer:
        answer = real(request)
        if request.method == "POST" and request.path.endswith("/pods"):
            made.set()
            return replace(answer, delay=1.5)
        return answer

    fleet.kubernetes.answer = slow  # type: ignore[method-assign]
    try:
        kernel_id = fleet.begin("pod")
        assert made.wait(20)
        fleet.end(kernel_id)
    finally:
        fleet.kubernetes.answer = real  # type: ignore[method-assign]
    wait_until(lambda: fleet.nothing_left(kernel_id))


def test_a_launch_is_canceled_whose_gateway_is_frozen(fleet: ClusterFleet) -> None:
    gateway = fleet.gateways.processes[0]
    with pods_that(fleet, NO_ROOM):
        kernel_id = fleet.begin("pod")
        wait_until(lambda: ROOM in fleet.model(kernel_id, 1)["launch"]["message"])
        freeze(fleet.gateways, 0)
        try:
            fleet.end(kernel_id, 1)
            wait_until(lambda: fleet.nothing_left(kernel_id))
        finally:
            gateway.signal(signal.SIGCONT)
        wait_until(lambda: fleet.model(kernel_id)["reason"] == "Not Found")
        assert fleet.nothing_left(kernel_id)


def frames(fleet: ClusterFleet, number: int, kernel_id: str) -> websocket.WebSocket:
    """A websocket as labs open it."""
    client = fleet.gateways.client()
    return websocket.create_connection(
        f"{fleet.gateways.urls[number].replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
        f"?session_id=s&stream={uuid.uuid4().hex}&launching=1",
        header=client.headers,
        subprotocols=["fleet.v1"],
        timeout=30,
    )


def test_the_socket_of_a_launch_says_how_it_goes_on(fleet: ClusterFleet) -> None:
    with pods_that(fleet, NO_ROOM) as release:
        kernel_id = fleet.begin("pod")
        wait_until(lambda: ROOM in fleet.model(kernel_id, 1)["launch"]["message"])
        socket = frames(fleet, 0, kernel_id)
        first = json.loads(socket.recv())
        assert (first["type"], first["state"]) == ("launch", "launching")
        assert first["launch"] == fleet.model(kernel_id)["launch"]
        # At another gateway: look the owner up.
        other = frames(fleet, 1, kernel_id)
        assert other.recv_data()[0] == websocket.ABNF.OPCODE_CLOSE
        client = fleet.gateways.client()
        interrupt = client.call("POST", f"{fleet.url(1, kernel_id)}/interrupt")
        assert interrupt.status_code == 204
        assert json.loads(socket.recv()) == {"type": "interrupted"}
        release(kernel_id)
        notices = []
        while isinstance(frame := socket.recv(), str):
            notices.append(json.loads(frame))
        *launches, journal = notices
        phases = {notice["launch"]["phase"] for notice in launches}
        assert phases <= {"scheduling", "pulling", "starting", "connecting"}
        assert journal["type"] == "journal"
        # The stream of the agent, on the same socket: its first frame has no message.
        assert len(frame) == 16
        socket.close()
    fleet.end(kernel_id)


def test_messages_of_stock_clients_wait_in_order_and_are_aborted_by_an_interrupt(
    fleet: ClusterFleet,
) -> None:
    client = fleet.gateways.client()
    with pods_that(fleet, NO_ROOM) as release:
        kernel_id = fleet.begin("pod")
        wait_until(lambda: ROOM in fleet.model(kernel_id, 1)["launch"]["message"])
        with client.channels(fleet.gateways.urls[1], kernel_id) as channels:
            starting = channels.receive()
            assert starting["content"] == {"execution_state": "starting"}
            dropped = channels.execute("print('dropped')")
            channels.wait_until_read()
            assert client.call("POST", f"{fleet.url(1, kernel_id)}/interrupt").status_code == 204
            text, reply = channels.finish(dropped)
            assert (text, reply["status"]) == ("", "aborted")
            requests = [channels.execute(f"x = {n}; print(x)") for n in range(5)]
            release(kernel_id)
            assert channels.print_of(requests) == [f"{n}\n" for n in range(5)]
    fleet.end(kernel_id)


def test_a_failed_launch_says_why_on_its_sockets_and_can_be_started_again(
    fleet: ClusterFleet,
) -> None:
    client = fleet.gateways.client()
    with pods_that(fleet, NO_ROOM):
        kernel_id = fleet.begin("pod")
        wait_until(lambda: ROOM in fleet.model(kernel_id, 1)["launch"]["message"])
        name = fleet.pod(kernel_id)["metadata"]["name"]
        socket = frames(fleet, 0, kernel_id)
        with client.channels(fleet.gateways.urls[1], kernel_id) as channels:
            channels.receive()
            evicted = {"phase": "Failed", "reason": "Evicted", "message": "no disk left"}
            fleet.kubernetes.set_status("pods", name, **evicted)
            words = "Evicted: no disk left"
            dead = channels.receive()["content"]
            assert dead["execution_state"] == "dead"
            assert words in dead["reason"]
        texts = []
        while isinstance(frame := socket.recv_data(), tuple) and frame[0] == 1:
            texts.append(json.loads(frame[1]))
        assert texts[-1]["type"] == "dead"
        assert words in texts[-1]["reason"]
        assert (frame[0], int.from_bytes(frame[1][:2], "big")) == (8, 4404)
    model = fleet.model(kernel_id, 1)
    assert (model["state"], model["execution_state"]) == ("dead", "dead")
    assert words in model["reason"]
    # Who comes later hears it as well.
    later = frames(fleet, 1, kernel_id)
    assert words in json.loads(later.recv())["reason"]
    wait_until(lambda: fleet.nothing_left(kernel_id))
    fleet.restart(kernel_id, 1)
    assert fleet.run(0, kernel_id, "print(6 * 7)") == "42"
    fleet.end(kernel_id)
