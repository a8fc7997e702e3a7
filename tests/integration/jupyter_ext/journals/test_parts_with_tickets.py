"""What real kernels say reaches real labs with tickets: through the front's listener for kernels,
or through the owner; and what labs refuse."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gateway_ext.agent.avoided_urls import LONGEST_SECONDS, SHORTEST_SECONDS
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.fronts import kernel_front_config
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.wire.journal_parts import PartHeader, pack_part
from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Client,
    Gateways,
    wait_until,
)
from tests.integration.jupyter_ext.journals.test_journals_of_kernels import JOURNAL, Fleet
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import start_seaweedfs
from tests.servers.short_folder import short_folder

pytestmark = pytest.mark.timeout(240)

NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
TEMPLATE = REPOSITORY / "deploy" / "nginx" / "kernels.conf.template"
ABOUT = {
    "project": "demo",
    "role": "editor",
    "user": "ada",
    "path": "demo/ä.ipynb",
    "kernel_name": "python",
}
PART = pack_part(PartHeader(JOURNAL, 1, 1), [])


class Front:
    """The front's listener for kernels, with a line in its log for each call."""

    def __init__(self, directory: Path, port: int, labs: list[int]) -> None:
        self.data_dir = DataDir.at(directory)
        self.data_dir.create()
        ports = {"front-kernels": port, "lab-1": labs[0], "lab-2": labs[1]}
        text = kernel_front_config(
            TEMPLATE.read_text(),
            Settings(ports=ports),
            self.data_dir,
            as_root=os.geteuid() == 0,
        )
        self.data_dir.kernel_front_config.write_text(text.replace(" if=$fleet_wrong", ""))
        self.log = directory / "log"
        self.start()

    def start(self) -> None:
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [
                    NGINX,
                    *("-e", "stderr"),
                    *("-p", self.data_dir.front),
                    *("-c", self.data_dir.kernel_front_config),
                ],
                stdout=log,
                stderr=sys.stderr,
            )

    def passed(self, kernel_id: str) -> int:
        """How many parts of the kernel labs have kept that came this way."""
        return self.log.read_text().count(f"POST /api/fleet/kernels/{kernel_id}/journal 204")

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()


class FleetWithFront(Fleet):
    """Labs and gateways, and the listener."""

    front: Front

    def ticket(self, kernel_id: str, client: Client | None = None, **changes: Any) -> Any:
        """A lab's answer to a gateway that asks for a ticket."""
        url = f"{self.labs.urls[0]}/api/fleet/kernels/{kernel_id}/ticket"
        about = {**ABOUT, "epoch": 5, **changes}
        caller = client or self.gateways.service()
        return caller.call("POST", url, json={k: v for k, v in about.items() if v is not None})

    def holder(self, kernel_id: str, **changes: Any) -> Client:
        """Whoever has the kernel's ticket."""
        answer = self.ticket(kernel_id, **changes)
        assert answer.status_code == 200, answer.text
        return Client(answer.json()["ticket"])

    def post(self, client: Client, kernel_id: str, part: bytes = PART, lab: int = 1) -> int:
        """The status with which a part is answered, at the other lab."""
        status: int = client.call("POST", self.url(kernel_id, lab), data=part).status_code
        return status

    def epoch(self, kernel_id: str) -> int:
        """The highest one with which a part came; 0 if all came without a ticket."""
        file = self.labs.database_url.removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as database:
            query = "SELECT max(epoch) FROM fleet_kernel_journal WHERE kernel_id = ?"
            (epoch,) = database.execute(query, (kernel_id.encode(),)).fetchone()
        return int(epoch or 0)

    def say(self, kernel_id: str, text: str, number: int = 0) -> None:
        """A kernel prints a line, and it comes to the store."""
        url = self.gateways.urls[number]
        with self.gateways.client().channels(url, kernel_id) as channels:
            channels.run(f"print({text!r})")
        wait_until(lambda: self.text(kernel_id).endswith(f"{text}\n"), 60)


@pytest.fixture(scope="module")
def fleet() -> Iterator[FleetWithFront]:
    with (
        short_folder("fleet-tickets-") as directory,
        short_folder("fleet-front-") as folder,
        short_folder("fleet-s3-") as data,
    ):
        port, *labs = free_ports(3)
        store = start_seaweedfs(data)
        front = Front(folder, port, labs)
        try:
            urls = [f"http://127.0.0.1:{port}"]
            fleet = FleetWithFront(directory, store, labs, kernel_lab_urls=urls)
            fleet.front = front
            try:
                _try_again_soon(fleet.gateways)
                yield fleet
            finally:
                fleet.stop()
        finally:
            front.stop()
            store.stop()


def _try_again_soon(gateways: Gateways) -> None:
    """Agents try an address that has not answered again after 2 s instead of 30."""
    file = gateways.directory / "code/gateway_ext/agent/avoided_urls.py"
    theirs = f"SHORTEST_SECONDS, LONGEST_SECONDS = {SHORTEST_SECONDS}, {LONGEST_SECONDS}"
    text = file.read_text()
    assert theirs in text
    file.write_text(text.replace(theirs, "SHORTEST_SECONDS, LONGEST_SECONDS = 2.0, 4.0"))


def test_parts_go_through_the_listener_or_else_through_the_owner(fleet: FleetWithFront) -> None:
    kernel_id = fleet.start_kernel()
    fleet.say(kernel_id, "straight")
    # The front logs a call after its answer.
    wait_until(lambda: fleet.front.passed(kernel_id) > 0, 60)
    assert fleet.epoch(kernel_id) > 0
    fleet.front.stop()
    passed = fleet.front.passed(kernel_id)
    try:
        fleet.say(kernel_id, "through the owner")
        # Another owner is another way, and the parts after it have its epoch.
        epoch = fleet.epoch(kernel_id)
        fleet.gateways.processes[0].kill()
        fleet.say(kernel_id, "through the next one", number=1)
        wait_until(lambda: fleet.epoch(kernel_id) > epoch, 60)
    finally:
        fleet.gateways.start_again(0)
        fleet.front.start()
    assert fleet.front.passed(kernel_id) == passed

    def straight_again() -> bool:
        fleet.say(kernel_id, "and straight again", number=1)
        return fleet.front.passed(kernel_id) > passed

    wait_until(straight_again, 90, every=1.0)


def test_parts_reach_labs_while_no_gateway_is_there(fleet: FleetWithFront) -> None:
    kernel_id = fleet.start_kernel()
    go = fleet.gateways.home() / f"go-{kernel_id}"
    with fleet.gateways.client().channels(fleet.gateways.urls[0], kernel_id) as channels:
        request = channels.execute(
            f"import pathlib, time\nprint('first')\n"
            f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\nprint('last')"
        )
        channels.wait_for_output(request)
        wait_until(lambda: fleet.front.passed(kernel_id), 60)
    for process in fleet.gateways.processes:
        process.kill()
    try:
        go.touch()
        wait_until(lambda: fleet.text(kernel_id) == "first\nlast\n", 60)
    finally:
        for number in range(2):
            fleet.gateways.start_again(number)


def test_each_part_is_kept_once_while_everything_on_its_way_is_killed(
    fleet: FleetWithFront,
) -> None:
    kernel_id = fleet.start_kernel(0)
    client = fleet.gateways.client()
    with client.channels(fleet.gateways.urls[0], kernel_id) as channels:
        request = channels.execute(
            "import time\nfor n in range(600):\n  print(n, 'x' * 5000, flush=True)\n"
            "  time.sleep(0.02)\nprint('end')"
        )
        channels.wait_for_output(request)
        wait_until(lambda: fleet.text(kernel_id), 60)

    def more() -> None:
        before = len(fleet.text(kernel_id))
        wait_until(lambda: len(fleet.text(kernel_id)) > before, 60)

    fleet.labs.processes[1].kill()
    more()
    fleet.front.process.kill()
    fleet.front.process.wait()
    _end_workers(fleet.front)
    more()
    fleet.gateways.processes[0].kill()
    fleet.labs.start_again(1)
    fleet.labs.processes[0].kill()
    fleet.gateways.start_again(0)
    fleet.labs.start_again(0)
    fleet.front.start()
    wait_until(lambda: fleet.text(kernel_id).endswith("end\n"), 90)
    found = fleet.kept(kernel_id)
    assert found is not None
    assert [line.split()[0] for line in found.text.splitlines()] == [*map(str, range(600)), "end"]
    assert found.head["missing"] == []


def _end_workers(front: Front) -> None:
    """A killed master leaves its worker, which holds the port."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            worker = (process / "cmdline").read_bytes().startswith(b"nginx: worker")
            if worker and os.readlink(process / "fd" / "1") == str(front.log):
                os.kill(int(process.name), 9)
        except OSError:
            continue


def test_a_lab_takes_the_tickets_of_every_lab_for_their_kernels_alone(
    fleet: FleetWithFront,
) -> None:
    holder = fleet.holder("t-1")
    assert fleet.post(holder, "t-1") == 204
    found = fleet.kept("t-1")
    assert found is not None
    assert (found.head["path"], found.head["username"]) == ("demo/ä.ipynb", "ada")
    # What a query says is nothing to whoever has a ticket.
    url = f"{fleet.url('t-1')}?project=other&path=other/a&username=eve"
    part = pack_part(PartHeader("e" * 32, 1, 1), [])
    assert holder.call("POST", url, data=part).status_code == 204
    found = fleet.kept("t-1")
    assert found is not None
    assert found.head["project"] == "demo"
    assert fleet.post(holder, "t-2") == 403
    for method, path in (
        ("GET", "/api/fleet/kernels/t-1/journal"),
        ("POST", "/api/fleet/kernels/t-1/ticket"),
        ("GET", "/api/contents/demo"),
        ("GET", "/api/kernels"),
        ("POST", "/api/sessions"),
        ("GET", "/api/me"),
        ("GET", "/lab"),
        ("GET", "/metrics"),
    ):
        answer = holder.call(method, f"{fleet.labs.urls[0]}{path}", allow_redirects=False)
        assert answer.status_code == 403, (method, path)
    # Nor at a gateway that did not give it to an agent.
    gateway = fleet.gateways.urls[0]
    assert holder.call("GET", f"{gateway}/api/kernels").status_code == 401
    assert holder.call("POST", f"{gateway}/api/fleet/kernels/t-1/journal").status_code == 503


def test_tampered_expired_and_outdated_tickets_are_refused(fleet: FleetWithFront) -> None:
    assert fleet.post(fleet.holder("t-3", epoch=6), "t-3") == 204
    assert fleet.post(fleet.holder("t-3", epoch=5), "t-3") == 409
    assert fleet.post(fleet.holder("t-3", epoch=6, project="other"), "t-3") == 409
    assert fleet.post(fleet.holder("t-3", epoch=7), "t-3") == 204
    assert fleet.post(fleet.holder("t-3", epoch=6), "t-3") == 409
    token = str(fleet.ticket("t-3").json()["ticket"])
    head, claims, signature = token.split(".")
    for changed in (f"{head}.{claims}.{signature[::-1]}", f"{head}.{claims[::-1]}.{signature}"):
        assert fleet.post(Client(changed), "t-3") == 401
    assert fleet.post(Client(f"{head}.{claims}."), "t-3") == 401
    # Not as a cookie or in a query either.
    bare = Client(None)
    url = f"{fleet.url('t-3')}?token={token}"
    cookies = {"jupyter-fleet-login": token}
    assert bare.call("POST", url, data=PART, cookies=cookies).status_code in (401, 403)


def test_one_kernel_has_few_parts_at_a_lab_and_others_do_not_wait_for_it(
    fleet: FleetWithFront,
) -> None:
    holder = fleet.holder("t-6")
    parts = [pack_part(PartHeader(JOURNAL, number, number), []) for number in range(1, 11)]
    with ThreadPoolExecutor(10) as senders:
        fleet.store.process.signal(signal.SIGSTOP)
        try:
            sent = [senders.submit(fleet.post, holder, "t-6", part) for part in parts]
            refused, _ = wait(sent, return_when=FIRST_COMPLETED)
            assert {one.result() for one in refused} == {503}
        finally:
            fleet.store.process.signal(signal.SIGCONT)
        statuses = {one.result() for one in sent}
    assert 503 in statuses
    # None is lost for good.
    assert [fleet.post(holder, "t-6", part) for part in parts] == [204] * 10


def test_only_gateways_get_tickets_and_only_whole_ones(fleet: FleetWithFront) -> None:
    labs = fleet.labs
    for client in (labs.client(), labs.service("lab-1"), fleet.holder("t-4"), Client(None)):
        assert fleet.ticket("t-4", client).status_code in (401, 403)
    for wrong in (
        {"project": "../x"},
        {"role": "root"},
        {"user": None},
        {"epoch": 0},
        {"epoch": "5"},
        {"epoch": 2**63},
        {"path": ["a"]},
    ):
        answer = fleet.ticket("t-4", **wrong)
        assert answer.status_code == 400, (wrong, answer.text)
    answer = fleet.ticket("t-4")
    assert answer.json()["seconds"] == 900.0
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_ticket_ends_at_every_lab(fleet: FleetWithFront) -> None:
    labs = fleet.labs
    # The labs share a secret, and whoever issues says for how long.
    labs._changes = {"JupyterFleet": {"ticket_seconds": 1.0}}
    labs.processes[0].stop()
    labs.start_again(0)
    try:
        answer = fleet.ticket("t-5")
        assert answer.json()["seconds"] == 1.0
        holder = Client(answer.json()["ticket"])
        wait_until(lambda: fleet.post(holder, "t-5") == 401)
        refused = holder.call("POST", fleet.url("t-5", 1), data=PART)
        assert "expired" in json.dumps(refused.json())
    finally:
        labs._changes = {}
        labs.processes[0].stop()
        labs.start_again(0)
