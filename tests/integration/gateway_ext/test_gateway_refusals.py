"""Agents that a gateway does not let in, and launches that fail."""

import asyncio
import json
import os
import secrets
import subprocess
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import jwt
import pytest
import websocket

from gateway_ext.agent.process_identity import boot_id, started_at, this_host
from gateway_ext.ownership.new_kernel import NewKernel
from jupyter_ext.wire.proof import PROTOCOL, agent_proof
from tests.integration.gateway_ext.fleet_of_gateways import (
    Client,
    Gateways,
    agents_of,
    kernel_python,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.records_of import project_uids, records_as, write_launched
from tests.servers.folder_for_kernels import folder_for_kernels

STATE = {"process": "running", "execution_state": "idle"}
KEY = b"k" * 32
LAUNCH_SECONDS = 12
"""Long enough for the launches that succeed, short enough to wait for those that do not."""


@pytest.fixture
def kernel_id(gateways: Gateways) -> Iterator[str]:
    """A kernel whose agent has `KEY`; it is not there."""
    new = NewKernel(str(uuid.uuid4()), "demo", "", "ada", "python", {})
    asyncio.run(write_launched(gateways, "gateway-0", new, KEY))
    yield new.kernel_id
    # Who asks a gateway for it waits until an agent has come.
    asyncio.run(records_as(gateways, "gateway-0").delete(new.kernel_id, ""))


def introduce(gateways: Gateways, dialled: str, key: bytes, **changes: Any) -> dict[str, Any]:
    """What the gateway answers to a hello, which is right but for the changes."""
    url = f"{gateways.urls[0].replace('http', 'ws', 1)}/api/fleet/agents/{dialled}"
    connection = websocket.create_connection(url, timeout=20)
    try:
        nonce = json.loads(connection.recv())["nonce"]
        hello = {
            "type": "hello",
            "protocol": PROTOCOL,
            "kernel_id": dialled,
            "nonce": secrets.token_hex(16),
            "epoch": 0,
            "state": STATE,
            "sequence": 0,
            "proof": agent_proof(key, dialled, nonce, 0),
            **changes,
        }
        connection.send(json.dumps(hello))
        answer: dict[str, Any] = json.loads(connection.recv())
        # Then it is over.
        if answer["type"] == "refused":
            assert connection.recv() == ""
        return answer
    finally:
        connection.close()


def test_the_right_hello_is_let_in(gateways: Gateways, kernel_id: str) -> None:
    assert introduce(gateways, kernel_id, KEY)["type"] == "welcome"
    record = asyncio.run(records_as(gateways, "x").get(kernel_id))
    assert record is not None
    assert (record.owner, record.epoch) == ("gateway-0", 2)


@pytest.mark.parametrize(
    ("key", "changes", "reason", "words"),
    [
        (b"x" * 32, {}, "key", "the proof is wrong"),
        (KEY, {"proof": ""}, "key", "the proof is wrong"),
        (KEY, {"proof": "\ud800"}, "key", "the proof is wrong"),
        # The proof is over another epoch.
        (KEY, {"epoch": 7}, "key", "the proof is wrong"),
        (KEY, {"protocol": PROTOCOL - 1}, "protocol", f"speaks version {PROTOCOL}, not"),
        (KEY, {"protocol": PROTOCOL + 1}, "protocol", f"speaks version {PROTOCOL}, not"),
        (KEY, {"protocol": None}, "protocol", "cannot be read"),
        (KEY, {"kernel_id": str(uuid.uuid4())}, "protocol", "not a hello of this kernel"),
        (KEY, {"type": "welcome"}, "protocol", "not a hello of this kernel"),
        (KEY, {"state": "running"}, "protocol", "cannot be read"),
        (KEY, {"epoch": float("inf")}, "protocol", "cannot be read"),
        (KEY, {"state": json.loads("[" * 200 + "]" * 200)}, "protocol", "levels deep"),
        (KEY, {"state": [[]] * 60_000}, "protocol", "too much to read at once"),
    ],
)
def test_who_is_not_the_kernels_agent_is_refused_and_logged(
    gateways: Gateways,
    kernel_id: str,
    key: bytes,
    changes: dict[str, Any],
    reason: str,
    words: str,
) -> None:
    answer = introduce(gateways, kernel_id, key, **changes)
    assert (answer["type"], answer["reason"]) == ("refused", reason)
    assert words in answer["message"]
    assert f"kernel {kernel_id}: agent refused: {answer['message']}" in gateways.log(0)
    record = asyncio.run(records_as(gateways, "x").get(kernel_id))
    assert record is not None
    assert record.epoch == 1


@contextmanager
def sleeper(uid: int) -> Iterator[int]:
    """The number of a process of that user in a session of its own."""
    with subprocess.Popen(["sleep", "1000"], start_new_session=True, user=uid) as process:
        try:
            yield process.pid
        finally:
            process.kill()


def test_an_agent_is_not_believed_that_another_process_is_its_own(
    gateways: Gateways, kernel_id: str
) -> None:
    """Its kernel may lie for it, and gateways end the process that a record names."""
    root = os.geteuid() == 0
    uid = asyncio.run(project_uids(gateways).assign("demo")) if root else os.geteuid()

    def learnt() -> dict[str, Any] | None:
        record = asyncio.run(records_as(gateways, "x").get(kernel_id))
        assert record is not None
        return record.process

    def say(process: dict[str, Any]) -> None:
        assert introduce(gateways, kernel_id, KEY, process=process)["type"] == "welcome"

    with sleeper(uid) as pid, sleeper(os.geteuid()) as other:
        truth = {"pid": pid, "started": started_at(pid), "host": this_host(), "boot": boot_id()}
        lies = [{"started": -1}, {"pid": "one"}, {"host": "elsewhere"}, {"boot": "another"}]
        if root:  # Otherwise whatever a kernel may name is its own user's anyway.
            lies.append({"pid": other, "started": started_at(other)})
        for count, lie in enumerate(lies, 1):
            say({**truth, **lie})
            words = f"kernel {kernel_id}: its process stays unknown"
            wait_until(lambda words=words, count=count: gateways.log(0).count(words) == count)
        assert learnt() is None
        say(truth)
        wait_until(lambda: (learnt() or {}).get("pid") == pid)


def test_an_agent_gets_no_other_kernel(gateways: Gateways, kernel_id: str) -> None:
    """Its own key opens nothing else, be it of a kernel that exists or not."""
    for other in (gateways.start_kernel(0), str(uuid.uuid4())):
        answer = introduce(gateways, other, KEY)
        assert (answer["type"], answer["reason"]) == ("refused", "key")
        assert f"kernel {other}: agent refused" in gateways.log(0)
    # Nor is it a token, or signs one.
    claims = {
        "sub": "ada",
        "iss": "platform",
        "exp": time.time() + 60,
        "projects": {"demo": "owner"},
    }
    for token in (KEY.hex(), jwt.encode(claims, KEY, "HS256")):
        for path in (f"/api/kernels/{kernel_id}", "/api/kernels", "/api/fleet/gateways"):
            for url in gateways.urls:
                assert Client(token).call("GET", url + path).status_code == 401


@pytest.fixture(scope="module")
def launching() -> Iterator[Gateways]:
    """Gateways that wait only for a short while until a kernel runs."""
    with running_gateways(changes={"FleetGatewayApp": {"launch_seconds": LAUNCH_SECONDS}}) as some:
        yield some


KERNEL = "from ipykernel import kernelapp; kernelapp.launch_new_instance()"


@dataclass(frozen=True)
class Launch:
    """A kernel that was started under this id; until its file `flag` is there, it does not run."""

    kernel_id: str
    name: str
    flag: Path

    def begin(self, gateways: Gateways, number: int = 0) -> Any:
        """The answer of a gateway."""
        url = f"{gateways.urls[number]}/api/kernels"
        body = {"name": self.name, "kernel_id": self.kernel_id}
        return gateways.client().call("POST", url, json=body)

    @property
    def starts(self) -> Path:
        """The file for which the late agent waits."""
        return self.flag.with_name("starts")


def write_failing(gateways: Gateways, launch: Launch, until_then: str) -> None:
    """The kernelspec of kernels that run only once the launch's file is there."""
    code = (
        f"import os, sys, time\nif not os.path.exists({str(launch.flag)!r}): {until_then}\n{KERNEL}"
    )
    argv = [kernel_python(), "-c", code, "-f", "{connection_file}"]
    gateways._write_kernelspec(launch.name, {}, argv=argv)


def write_late(gateways: Gateways, launch: Launch) -> None:
    """The kernelspec of a kernel whose first agent is as out of reach as a container that starts
    late: it has left the session that the gateway ends and the process that was started, and has a
    folder of its own. It starts when it is told to."""
    folder = launch.flag.parent
    folder.chmod(0o777)
    agent = f"{kernel_python()} -m gateway_ext.agent"
    late = folder / "late.sh"
    moved = f's#"directory": "[^"]*"#"directory": "{folder}/k"#'
    late.write_text(f"until [ -e {launch.starts} ]; do sleep 0.1; done\nsed '{moved}' | {agent}\n")
    later = f"exec 3<&0; (setsid sh {late} <&3 &); exec sleep 1000"
    script = f"if mkdir {launch.flag} 2>/dev/null; then {later}; else exec {agent}; fi"
    config = {"agent_command": ["sh", "-c", script]}
    proxy = {"class_name": "gateway_ext.process_proxies.local.LocalAgentProxy", "config": config}
    gateways._write_kernelspec(launch.name, proxy)


@pytest.fixture(scope="module")
def launches(launching: Gateways) -> Iterator[dict[str, tuple[Launch, Any]]]:
    """Launches that fail, by the names of their kernelspecs, with the answers: they were begun
    together, so that all wait only once until their time is over."""
    with ExitStack() as stack:

        def launch(name: str) -> Launch:
            folder = stack.enter_context(folder_for_kernels("fleet-flag-"))
            folder.chmod(0o755)
            return Launch(str(uuid.uuid4()), name, folder / "flag")

        begun = [launch(name) for name in ("ends", "hangs", "late-false", "late-true")]
        ends, hangs, *late = begun
        write_failing(launching, ends, "sys.exit('no license for this machine')")
        write_failing(launching, hangs, "time.sleep(1000)")
        for one in late:
            write_late(launching, one)
        with ThreadPoolExecutor(len(begun)) as pool:
            answers = list(pool.map(lambda one: one.begin(launching), begun))
        yield {one.name: (one, answer) for one, answer in zip(begun, answers, strict=True)}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("ends", "no license for this machine"),
        ("hangs", f"did not start within {LAUNCH_SECONDS} s"),
    ],
)
def test_a_launch_that_fails_says_why_and_blocks_nothing(
    launching: Gateways, launches: dict[str, tuple[Launch, Any]], name: str, words: str
) -> None:
    launch, answer = launches[name]
    client, kernel_id = launching.client(), launch.kernel_id
    assert answer.status_code == 500, answer.text
    assert words in answer.json()["message"]
    assert answer.json()["state"] == "dead"
    model = client.call("GET", f"{launching.urls[1]}/api/kernels/{kernel_id}").json()
    assert (model["state"], model["owner"]) == ("dead", None)
    assert words in model["reason"]
    wait_until(lambda: not agents_of(kernel_id))
    folders = launching.directory / "k" / "k"
    assert not [folder for folder in folders.iterdir() if kernel_id[:8] in folder.name]
    # What was wrong has been fixed: the same start works, at whichever gateway.
    launch.flag.touch()
    answer = launch.begin(launching, 1)
    assert answer.status_code == 201, answer.text
    with client.channels(launching.urls[0], kernel_id) as channels:
        assert channels.run("print(1)") == "1\n"
    url = f"{launching.urls[0]}/api/kernels/{kernel_id}"
    assert client.call("DELETE", url).status_code == 204


@pytest.mark.parametrize("same_id", [False, True])
def test_the_late_agent_of_a_launch_that_was_given_up_runs_no_second_kernel(
    launching: Gateways, launches: dict[str, tuple[Launch, Any]], same_id: bool
) -> None:
    launch, answer = launches[f"late-{same_id}".lower()]
    assert answer.status_code == 500, answer.text
    assert "did not start within" in answer.json()["message"]
    client, first = launching.client(), launch.kernel_id
    url = f"{launching.urls[0]}/api/kernels"
    told = f"kernel {first}: an agent is told to end"
    # The notebook starts again, as labs do: with another kernel, or the same one once more.
    second = first if same_id else str(uuid.uuid4())
    answer = replace(launch, kernel_id=second).begin(launching)
    assert answer.status_code == 201, answer.text
    with client.channels(launching.urls[1], second) as channels:
        channels.run("x = 41")
        assert told not in launching.log(0) + launching.log(1)
        launch.starts.touch()
        wait_until(lambda: told in launching.log(0) + launching.log(1))
        wait_until(lambda: len(agents_of(first)) == int(same_id))
        assert len(agents_of(second)) == 1
        assert channels.run("print(x + 1)") == "42\n"
    models = client.call("GET", url).json()
    states = {model["id"]: model["state"] for model in models if model["name"] == launch.name}
    assert states == {first: "dead", second: "running"}
    for kernel_id in states:
        assert client.call("DELETE", f"{url}/{kernel_id}").status_code == 204


@pytest.mark.parametrize("seconds", ["soon", "-1", "nan", "1e9"])
def test_a_launch_time_out_that_is_none(launching: Gateways, seconds: str) -> None:
    client, url = launching.client(), f"{launching.urls[0]}/api/kernels"
    before = {model["id"] for model in client.call("GET", url).json()}
    began = time.monotonic()
    answer = client.call("POST", url, json={"env": {"KERNEL_LAUNCH_TIMEOUT": seconds}})
    assert answer.status_code == 400, answer.text
    assert "KERNEL_LAUNCH_TIMEOUT" in answer.json()["message"]
    assert time.monotonic() - began < LAUNCH_SECONDS
    assert {model["id"] for model in client.call("GET", url).json()} == before


def test_a_launch_that_fails_in_a_way_that_nobody_expects_blocks_no_notebook(
    gateways: Gateways,
) -> None:
    body = {"kernel_id": str(uuid.uuid4())}
    in_the_way = gateways.directory / "k" / "logs" / f"{body['kernel_id'].replace('-', '')}.log"
    in_the_way.mkdir(parents=True)
    url = f"{gateways.urls[0]}/api/kernels"
    assert gateways.client().call("POST", url, json=body).status_code == 500
    model = gateways.client().call("GET", f"{url}/{body['kernel_id']}").json()
    assert model["state"] == "dead"
    assert "Is a directory" in model["reason"]
    in_the_way.rmdir()
    assert gateways.client().call("POST", url, json=body).status_code == 201
    assert gateways.client().call("DELETE", f"{url}/{body['kernel_id']}").status_code == 204
