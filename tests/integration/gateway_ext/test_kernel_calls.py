"""Code in kernels asks the fleet, through real agents and gateways."""

import json
import os
import signal

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, running_gateways

KEEP_ASKING = """
import json, time
from gateway_ext.kernel_tools.fleet_calls import launch_details
owners, end = [], time.monotonic() + 40
while time.monotonic() < end and len(set(owners)) < 2:
    owners.append((launch_details()["owner"], launch_details()["epoch"]))
    if len(owners) == 1:
        print("asked", flush=True)
    time.sleep(0.1)
print(json.dumps(owners))
"""
FLOOD = """
import collections, json, os, socket
def ask(count):
    counted = collections.Counter()
    with socket.socket(socket.AF_UNIX) as one, one.makefile("rwb") as lines:
        one.connect(os.environ["FLEET_SOCKET"])
        for number in range(count):
            lines.write(json.dumps({"id": number, "call": "launch-details"}).encode() + b"\\n")
        lines.flush()
        for _ in range(count):
            counted[json.loads(lines.readline()).get("status", 200)] += 1
    return counted
print(json.dumps(ask(500)))
"""


def test_a_cell_asks_what_its_kernel_is_and_who_started_it(gateways: Gateways) -> None:
    body = {"name": "lossless", "env": {"KERNEL_PATH": "demo/a.ipynb"}}
    kernel_id = gateways.start_kernel(0, **body)
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    model = gateways.client().call("GET", url).json()
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        said = json.loads(
            channels.run(
                "import json\n"
                "from gateway_ext.kernel_tools.fleet_calls import launch_details\n"
                "print(json.dumps(launch_details()))"
            )
        )
        assert said.pop("started").startswith("20")
        assert said == {
            "kernel_id": kernel_id,
            "project": "demo",
            "path": model["path"],
            "username": "ada",
            "kernel_name": "lossless",
            "launch_options": {},
            "owner": "gateway-0",
            "epoch": model["epoch"],
        }
        shown = channels.run("%fleet")
        assert f"lossless, {kernel_id}" in shown
        assert "by ada" in shown
        assert "gateway-0, epoch" in shown


def test_only_the_project_s_own_user_reaches_a_kernel_s_socket(gateways: Gateways) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root gives projects users of their own")
    mine = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[0], mine) as channels:
        path = channels.run("import os; print(os.environ['FLEET_SOCKET'])").strip()
        uid = int(channels.run("print(os.getuid())"))
    assert uid != 0
    assert os.stat(path).st_uid == uid
    stranger = gateways.client(user="eve", other="owner")
    started = stranger.call("POST", f"{gateways.urls[0]}/api/kernels", json={})
    assert started.status_code == 201, started.text
    with stranger.channels(gateways.urls[0], started.json()["id"]) as channels:
        said = channels.run(
            "import os, socket\n"
            "try:\n"
            f"    socket.socket(socket.AF_UNIX).connect({path!r})\n"
            "except OSError as error:\n"
            "    print(type(error).__name__)"
        )
    # Within walls it is not even there.
    assert said in ("FileNotFoundError\n", "PermissionError\n")


def test_a_flood_of_calls_is_refused_and_delays_no_other_kernel(gateways: Gateways) -> None:
    hostile, other = gateways.start_kernel(0), gateways.start_kernel(0)
    url = f"{gateways.urls[0]}/api/kernels/{hostile}"
    before = gateways.client().call("GET", url).json()["epoch"]
    with (
        gateways.client().channels(gateways.urls[0], hostile) as channels,
        gateways.client().channels(gateways.urls[0], other) as quiet,
    ):
        request = channels.execute(FLOOD)
        # The other kernel has a bound of its own.
        for _ in range(5):
            said = quiet.run(
                "from gateway_ext.kernel_tools.fleet_calls import launch_details\n"
                "print(launch_details()['kernel_id'])"
            )
            assert said == f"{other}\n"
        text, reply = channels.finish(request)
        assert reply["status"] == "ok", reply
        counted = json.loads(text)
        assert set(counted) == {"200", "429"}
        assert counted["200"] >= 32
        assert sum(counted.values()) == 500
        # The client's own function waits until it may.
        assert channels.run(
            "from gateway_ext.kernel_tools.fleet_calls import launch_details\n"
            "print(launch_details()['kernel_id'])"
        ) == (f"{hostile}\n")
    assert gateways.client().call("GET", url).json()["epoch"] == before


def test_calls_are_answered_while_their_owner_is_killed(own_gateways: Gateways) -> None:
    gateways = own_gateways
    kernel_id = gateways.start_kernel(0)
    with gateways.client().channels(gateways.urls[1], kernel_id) as channels:
        request = channels.execute(KEEP_ASKING)
        channels.wait_for_output(request)
        gateways.processes[0].signal(signal.SIGKILL)
        text, reply = channels.finish(request)
        # No call raised an error.
        assert reply["status"] == "ok", reply
        owners = json.loads(text)
    assert {owner for owner, _ in owners} == {"gateway-0", "gateway-1"}
    epochs = [epoch for _, epoch in owners]
    assert epochs == sorted(epochs)
    gateways.start_again(0)


def test_an_operator_can_forbid_all_calls() -> None:
    with running_gateways(changes={"FleetGatewayApp": {"kernel_calls": []}}, count=1) as gateways:
        kernel_id = gateways.start_kernel(0, name="lossless")
        with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
            _, reply = channels.finish(channels.execute("%fleet"))
        assert reply["status"] == "error"
        assert "FleetGatewayApp.kernel_calls" in reply["evalue"]
