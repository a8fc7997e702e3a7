"""Kernels that take long to start, through labs: what pages and stock clients get meanwhile."""

import json
import os
import shutil
import signal
import subprocess
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Channels,
    Client,
    lab_python,
    wait_until,
)
from tests.integration.gateway_ext.test_gateway_launches import stock_server
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet
from tests.integration.jupyter_ext.kernels.gated_kernels import BROKEN, GATED, GatedKernels

pytestmark = pytest.mark.timeout(120)

CLIENTS = Path(__file__).parent / "stock_clients"
NODE_MODULES = REPOSITORY / "labextension" / "node_modules"


@pytest.fixture
def stock(fleet: Fleet) -> Client:
    """A client that knows nothing of launches."""
    return fleet.gateways.client()


@pytest.fixture
def page(fleet: Fleet) -> Client:
    """A page of ours."""
    client = fleet.gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    return client


def body(path: str, kernel: str = GATED) -> dict[str, Any]:
    name = path.rpartition("/")[2]
    return {"path": path, "name": name, "type": "notebook", "kernel": {"name": kernel}}


def begin(client: Client, url: str, path: str, kernel: str = GATED) -> dict[str, Any]:
    """The session that a page gets at once."""
    answer = client.call("POST", f"{url}/api/sessions", json=body(path, kernel))
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    assert model["kernel"]["state"] == "launching"
    assert model["kernel"]["execution_state"] == "starting"
    return model


MISSPELLED = (
    "launching=true",
    "launching=",
    "launching",
    "launching=01",
    "launching=1&launching=1",
    "LAUNCHING=1",
    "launching=1&Launching=0",
)


def end(client: Client, url: str) -> None:
    """Ends every session and kernel."""
    for session in client.call("GET", f"{url}/api/sessions").json():
        client.call("DELETE", f"{url}/api/sessions/{session['id']}")
    for kernel in client.call("GET", f"{url}/api/kernels").json():
        client.call("DELETE", f"{url}/api/kernels/{kernel['id']}")
    assert client.call("GET", f"{url}/api/kernels").json() == []


def status(channels: Channels, state: str) -> dict[str, Any]:
    """The next status of the kernel that says this."""
    while True:
        message = channels.receive()
        content: dict[str, Any] = message["content"]
        if message["header"]["msg_type"] == "status" and content["execution_state"] == state:
            return content


@pytest.mark.parametrize("v1", [True, False])
def test_cells_of_a_kernel_that_is_being_launched_run_in_order_once_it_runs(
    fleet: Fleet, gate: GatedKernels, page: Client, v1: bool
) -> None:
    with gate.closed():
        session = begin(page, fleet.urls[0], f"demo/early-{v1}.ipynb")
        kernel_id = session["kernel"]["id"]
        for url in fleet.urls:
            (listed,) = page.call("GET", f"{url}/api/sessions").json()
            (kernel,) = page.call("GET", f"{url}/api/kernels").json()
            assert listed["id"] == session["id"]
            assert listed["kernel"]["state"] == kernel["state"] == "launching"
            assert kernel["launch"]["phase"] in ("queued", "starting", "connecting")
        with page.channels(fleet.urls[1], kernel_id, v1=v1) as channels:
            assert status(channels, "starting")["launch"]["phase"]
            requests = [channels.execute(f"print({n})") for n in range(5)]
            gate.open()
            assert channels.print_of(requests) == [f"{n}\n" for n in range(5)]
    end(page, fleet.urls[0])


def test_an_interrupt_during_the_launch_aborts_what_waits_and_a_restart_does_nothing(
    fleet: Fleet, gate: GatedKernels, page: Client
) -> None:
    with gate.closed():
        kernel_id = begin(page, fleet.urls[0], "demo/interrupted.ipynb")["kernel"]["id"]
        kernel = f"{fleet.urls[1]}/api/kernels/{kernel_id}"
        with page.channels(fleet.urls[0], kernel_id, v1=True) as channels:
            status(channels, "starting")
            info = channels.send("kernel_info_request", {})
            cells = [channels.execute("x = 1"), channels.execute("x = 2")]
            completion = channels.send("complete_request", {"code": "pri", "cursor_pos": 3})
            # The interrupt comes another way, through the gateways: it must not overtake them.
            channels.wait_until_read()
            assert page.call("POST", f"{kernel}/interrupt").status_code == 204
            for cell in cells:
                assert channels.finish(cell)[1] == {"status": "aborted"}
            # What is said of the launch meanwhile answers nobody.
            while (message := channels.receive())["parent_header"].get("msg_id") != completion:
                pass
            assert message["header"]["msg_type"] == "complete_reply"
            restarted = page.call("POST", f"{kernel}/restart")
            assert (restarted.status_code, restarted.json()["state"]) == (200, "launching")
            gate.open()
            # Without its answer a client would never use the kernel.
            while (message := channels.receive())["header"]["msg_type"] != "kernel_info_reply":
                pass
            assert message["parent_header"]["msg_id"] == info
            assert channels.run("print('x' in dir())") == "False\n"
    end(page, fleet.urls[0])


def test_a_session_that_is_deleted_during_the_launch_leaves_nothing(
    fleet: Fleet, gate: GatedKernels, page: Client
) -> None:
    with gate.closed():
        session = begin(page, fleet.urls[0], "demo/deleted.ipynb")
        with page.channels(fleet.urls[0], session["kernel"]["id"], v1=True) as channels:
            status(channels, "starting")
            url = f"{fleet.urls[1]}/api/sessions/{session['id']}"
            assert page.call("DELETE", url).status_code == 204
            opcode, data = channels._websocket.recv_data()
            assert opcode == websocket.ABNF.OPCODE_CLOSE
            assert int.from_bytes(data[:2], "big") == 4404
        for path in ("sessions", "kernels"):
            assert page.call("GET", f"{fleet.urls[0]}/api/{path}").json() == []


def test_a_person_who_cancels_a_launch_ends_no_kernel_that_runs_already(
    fleet: Fleet, gate: GatedKernels, page: Client
) -> None:
    first, second = fleet.urls[0], fleet.urls[1]
    gateways = fleet.gateways.urls
    # Each address, and what it cancels.
    places = [(second, "sessions"), *((url, "kernels") for url in (second, *gateways))]
    for number, (url, thing) in enumerate(places):
        path = f"demo/cancel-{number}.ipynb"
        with gate.closed():
            session = begin(page, first, path)
            ids = {"sessions": session["id"], "kernels": session["kernel"]["id"]}
            canceled = f"{url}/api/{thing}/{ids[thing]}"
            assert page.call("DELETE", f"{canceled}?launching=1").status_code == 204
        assert page.call("GET", f"{first}/api/kernels").json() == []
        session = begin(page, first, path)
        kernel = f"{first}/api/kernels/{session['kernel']['id']}"
        wait_until(lambda kernel=kernel: page.call("GET", kernel).json()["state"] == "running")
        ids = {"sessions": session["id"], "kernels": session["kernel"]["id"]}
        answer = page.call("DELETE", f"{url}/api/{thing}/{ids[thing]}?launching=1")
        assert answer.status_code == 409, answer.text
        assert "runs already" in answer.json()["message"]
        for query in MISSPELLED:
            answer = page.call("DELETE", f"{url}/api/{thing}/{ids[thing]}?{query}")
            assert answer.status_code == 400, query
            assert "?launching=1" in answer.json()["message"]
        assert page.call("GET", kernel).json()["state"] == "running"
        (listed,) = page.call("GET", f"{first}/api/sessions").json()
        assert listed["id"] == session["id"]
        end(page, first)


def test_a_failed_launch_is_told_on_the_socket_in_lists_and_after_a_reload(
    fleet: Fleet, gate: GatedKernels, page: Client
) -> None:
    with gate.closed():
        session = begin(page, fleet.urls[0], "demo/fails.ipynb", BROKEN)
        kernel_id = session["kernel"]["id"]
        with page.channels(fleet.urls[0], kernel_id, v1=True) as channels:
            status(channels, "starting")
            gate.open()
            reason = status(channels, "dead")["reason"]
            assert reason
    for url in fleet.urls:
        (listed,) = page.call("GET", f"{url}/api/sessions").json()
        assert listed["id"] == session["id"]
        assert (listed["kernel"]["state"], listed["kernel"]["reason"]) == ("dead", reason)
    # A page that opens a websocket only now learns it as well.
    with page.channels(fleet.urls[1], kernel_id, v1=True) as channels:
        assert status(channels, "dead")["reason"] == reason
    # "Start again", with another kernelspec.
    url = f"{fleet.urls[1]}/api/sessions/{session['id']}"
    answer = page.call("PATCH", url, json={"kernel": {"name": GATED}})
    assert answer.status_code == 200, answer.text
    again = answer.json()["kernel"]
    assert again["id"] != kernel_id
    wait_until(lambda: page.call("GET", url).json()["kernel"]["state"] == "running")
    end(page, fleet.urls[0])


def test_a_stock_client_is_told_why_the_launch_failed_and_keeps_no_session(
    fleet: Fleet, gate: GatedKernels, stock: Client
) -> None:
    url = fleet.urls[0]
    answer = stock.call("POST", f"{url}/api/sessions", json=body("demo/told.ipynb", BROKEN))
    assert answer.status_code == 500, answer.text
    (kernel,) = stock.call("GET", f"{url}/api/kernels").json()
    assert answer.json()["message"] == answer.json()["reason"] == kernel["reason"]
    assert stock.call("GET", f"{url}/api/sessions").json() == []
    answer = stock.call("POST", f"{url}/api/kernels", json={"name": BROKEN})
    assert (answer.status_code, answer.json()["reason"]) == (500, kernel["reason"])
    session = stock.call("POST", f"{url}/api/sessions", json=body("demo/told.ipynb")).json()
    answer = stock.call(
        "PATCH", f"{url}/api/sessions/{session['id']}", json={"kernel": {"name": BROKEN}}
    )
    assert (answer.status_code, answer.json()["message"]) == (500, kernel["reason"])
    listed = stock.call("GET", f"{url}/api/sessions/{session['id']}").json()
    assert listed["kernel"]["id"] == session["kernel"]["id"]
    assert listed["kernel"]["state"] == "running"
    end(stock, url)


def test_a_stock_client_that_asks_again_joins_its_launch(
    fleet: Fleet, gate: GatedKernels, stock: Client
) -> None:
    posted = body("demo/joined.ipynb")

    def post(url: str) -> requests.Response:
        return stock.call("POST", f"{url}/api/sessions", json=posted)  # type: ignore[no-any-return]

    with gate.closed(), ThreadPoolExecutor(1) as threads:
        first = threads.submit(post, fleet.urls[0])
        wait_until(lambda: stock.call("GET", f"{fleet.urls[1]}/api/sessions").json())
        # The lab is killed while it waits: the client repeats its request at the other one.
        fleet.labs.processes[0].signal(signal.SIGKILL)
        with pytest.raises(requests.ConnectionError):
            first.result()
        second = threads.submit(post, fleet.urls[1])
        # Asked directly, a kernel is waited for as long as the client says.
        (kernel,) = stock.call("GET", f"{fleet.urls[1]}/api/kernels").json()
        direct = {"name": GATED, "kernel_id": kernel["id"], "env": {"KERNEL_LAUNCH_TIMEOUT": "0.5"}}
        answer = stock.call("POST", f"{fleet.urls[1]}/api/kernels", json=direct)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1"), answer.text
        assert answer.json()["kernel_id"] == kernel["id"]
        assert set(answer.json()) == {"message", "reason", "kernel_id"}
        gate.open()
        answer = second.result()
    assert answer.status_code == 201, answer.text
    assert answer.json()["kernel"]["id"] == kernel["id"]
    assert answer.json()["kernel"]["state"] == "running"
    fleet.labs.start_again(0)
    (listed,) = stock.call("GET", f"{fleet.urls[0]}/api/sessions").json()
    assert listed["id"] == answer.json()["id"]
    assert len(stock.call("GET", f"{fleet.urls[0]}/api/kernels").json()) == 1
    end(stock, fleet.urls[0])


def token(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


def run(gate: GatedKernels, command: list[str], fleet: Fleet, **environment: str) -> Any:
    """What a client prints that runs while a launch is held up for a while."""
    client = fleet.gateways.client()
    with gate.closed():
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **environment},
        )
        url = f"{fleet.urls[0]}/api/kernels"
        wait_until(
            lambda: (
                process.poll() is not None
                or any(k["state"] == "launching" for k in client.call("GET", url).json())
            ),
            60,
        )
        assert process.poll() is None, process.communicate()
        gate.open()
        out, err = process.communicate(timeout=90)
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


@pytest.mark.parametrize("tool", ["nbclient", "papermill"])
def test_a_runner_runs_a_notebook_whose_kernel_takes_long_to_start(
    fleet: Fleet, gate: GatedKernels, stock: Client, tool: str, tmp_path: Path
) -> None:
    script = str(CLIENTS / f"{tool}_run.py")
    arguments = [fleet.urls[0], token(stock), GATED, "print(6 * 7)"]
    if tool == "papermill":
        arguments[3:] = ["print(6 * factor)", '{"factor": 7}', str(tmp_path)]
    result = run(gate, [lab_python(), script, *arguments], fleet)
    assert "outputs" in result, result
    assert [output["text"] for output in result["outputs"]] == ["42\n"]
    end(stock, fleet.urls[0])
    arguments[2] = BROKEN
    result = run(gate, [lab_python(), script, *arguments], fleet)
    assert "Error from Gateway" in result["error"]
    (kernel,) = stock.call("GET", f"{fleet.urls[0]}/api/kernels").json()
    assert kernel["reason"] in result["error"]
    end(stock, fleet.urls[0])


@pytest.mark.skipif(
    not (shutil.which("node") and (NODE_MODULES / "@jupyterlab" / "services").is_dir()),
    reason="needs node, and the page's packages (make install)",
)
def test_the_protocol_of_jupyterlab_and_vs_code_runs_a_cell_whose_kernel_takes_long_to_start(
    fleet: Fleet, gate: GatedKernels, stock: Client
) -> None:
    script = str(CLIENTS / "services_run.cjs")
    path = f"demo/{uuid.uuid4()}.ipynb"
    arguments = [fleet.urls[0], token(stock), path, GATED, "print(6 * 7)"]
    result = run(gate, ["node", script, *arguments], fleet, NODE_PATH=str(NODE_MODULES))
    assert (result["text"], result["status"]) == ("42\n", "ok"), result
    assert result["language"] == "python"
    assert stock.call("GET", f"{fleet.urls[0]}/api/kernels").json() == []
    arguments[3] = BROKEN
    result = run(gate, ["node", script, *arguments], fleet, NODE_PATH=str(NODE_MODULES))
    (kernel,) = stock.call("GET", f"{fleet.urls[0]}/api/kernels").json()
    assert kernel["reason"] in result["error"]
    end(stock, fleet.urls[0])


def test_a_stock_jupyter_server_has_kernels_at_a_lab_that_take_long_to_start(
    fleet: Fleet, gate: GatedKernels, stock: Client, tmp_path: Path
) -> None:
    with stock_server(fleet.labs, tmp_path) as (url, headers), ThreadPoolExecutor(1) as threads:

        def post(name: str) -> requests.Response:
            return requests.post(
                f"{url}/api/kernels", json={"name": name}, headers=headers, timeout=60
            )

        with gate.closed():
            started = threads.submit(post, GATED)
            kernels = f"{fleet.urls[1]}/api/kernels"
            (kernel,) = wait_until(lambda: stock.call("GET", kernels).json())
            assert (kernel["state"], started.done()) == ("launching", False)
            gate.open()
            answer = started.result()
        assert (answer.status_code, answer.json()["id"]) == (201, kernel["id"]), answer.text
        with Channels(url, kernel["id"], headers, False) as channels:
            assert channels.run("print(6 * 7)") == "42\n"
        ended = requests.delete(f"{url}/api/kernels/{kernel['id']}", headers=headers, timeout=60)
        assert ended.status_code == 204
        answer = post(BROKEN)
        (kernel,) = stock.call("GET", kernels).json()
        assert answer.status_code == 500
        # Its own answer has no room for the reason.
        assert kernel["reason"] in (tmp_path / "server.log").read_text()
    end(stock, fleet.urls[0])
