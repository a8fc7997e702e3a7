"""What real kernels say is in the store while they run, and after their containers are gone."""

import json
import signal
import struct
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jupyter_ext.wire.journal_parts import MOST_PART_BYTES, PartHeader, pack_part
from jupyter_ext.wire.made_messages import make_message
from jupyter_ext.wire.messages import parse_part, split_v1
from tests.integration.gateway_ext.fleet_of_gateways import (
    Client,
    Gateways,
    kill_container,
    wait_until,
)
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs
from tests.servers.ports import free_ports
from tests.servers.seaweedfs import SeaweedFS, start_seaweedfs
from tests.servers.short_folder import short_folder

JOURNAL = "0123456789abcdef" * 2
OTHER_JOURNAL = "f" * 32
NOTEBOOK = "demo/a.ipynb"
MEMORY = 300 * 2**20
"""What a kernel may use, in bytes."""
SEGFAULT = "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)"
USE_TOO_MUCH = "held = [bytearray(b'x' * (20 * 2**20)) for _ in range(100)]; time.sleep(99)"
"""Its agent may see it only when it has all of that."""


@dataclass
class Answer:
    """What a lab says of a kernel's journal."""

    head: dict[str, Any]
    messages: list[tuple[str, dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    """Type, parent header and content of each."""

    @classmethod
    def of(cls, body: bytes) -> "Answer":
        (length,) = struct.unpack_from(">I", body)
        answer, place = cls(json.loads(body[4 : 4 + length])), 4 + length
        while place < len(body):
            (length,) = struct.unpack_from(">I", body, place)
            _, parts = split_v1(body[place + 4 : place + 4 + length])
            header, parent, _, content = map(parse_part, parts[:4])
            answer.messages.append((str(header["msg_type"]), parent, content))
            place += 4 + length
        return answer

    @property
    def text(self) -> str:
        return "".join(content["text"] for kind, _, content in self.messages if kind == "stream")

    def text_of(self, request: str) -> str:
        """What a cell printed, without what the kernel says of itself."""
        streams = [(parent, said) for kind, parent, said in self.messages if kind == "stream"]
        return "".join(said["text"] for parent, said in streams if parent.get("msg_id") == request)


class Fleet:
    """Two labs and two gateways, which keep what kernels say."""

    def __init__(
        self, directory: Path, store: SeaweedFS, ports: list[int] | None = None, **options: Any
    ) -> None:
        """`ports` are of the labs, `options` are more of the gateways."""
        self.store = store
        ports = ports or free_ports(2)
        token = directory / "gateway-token"
        changes = {
            "lab_urls": [f"http://127.0.0.1:{port}" for port in ports],
            "service_token_file": str(token),
            "kernel_memory": MEMORY,
            **options,
        }
        self.gateways = Gateways(directory, 2, changes={"FleetGatewayApp": changes})
        token.write_text(self.gateways.signer.sign("gateway", {}, 3600, service="gateway"))
        try:
            self.labs = Labs(
                directory, self.gateways.signer, self.gateways.urls, store, 2, ports=ports
            )
        except BaseException:
            self.gateways.stop()
            raise

    def stop(self) -> None:
        self.labs.stop()
        self.gateways.stop()

    def url(self, kernel_id: str, lab: int = 0) -> str:
        return f"{self.labs.urls[lab]}/api/fleet/kernels/{kernel_id}/journal"

    def kept(self, kernel_id: str, client: Client | None = None, lab: int = 0) -> Answer | None:
        """None as long as nothing is kept."""
        answer = (client or self.labs.client()).call("GET", self.url(kernel_id, lab))
        if answer.status_code in (404, 503):
            return None
        assert answer.status_code == 200, answer.text
        return Answer.of(answer.content)

    def text(self, kernel_id: str) -> str:
        found = self.kept(kernel_id)
        return "" if found is None else found.text

    def start_kernel(self, number: int = 0) -> str:
        return self.gateways.start_kernel(number, name="lossless", project="demo", path=NOTEBOOK)


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with short_folder("fleet-journals-") as directory, short_folder("fleet-s3-") as data:
        store = start_seaweedfs(data)
        try:
            fleet = Fleet(directory, store)
            try:
                yield fleet
            finally:
                fleet.stop()
        finally:
            store.stop()


def test_what_a_kernel_of_one_person_said_is_read_by_that_person_alone(fleet: Fleet) -> None:
    ann, bob, owner, max_ = (
        fleet.labs.client(user, **projects)
        for user, projects in (
            ("ann", {"demo": "editor"}),
            ("bob", {"demo": "editor"}),
            ("olga", {"demo": "owner"}),
            ("max", {"other": "owner"}),
        )
    )
    url, path = fleet.gateways.urls[0], "demo/own.ipynb"
    body = {"name": "lossless", "project": "@demo", "path": path}
    kernel_id = ann.call("POST", f"{url}/api/kernels", json=body).json()["id"]
    with ann.channels(url, kernel_id) as channels:
        channels.run("print('what ann holds')")

    def kept() -> Answer | None:
        found = fleet.kept(kernel_id, ann)
        return found if found is not None and "what ann holds" in found.text else None

    def is_anns() -> None:
        for client, status in ((bob, 403), (owner, 403), (max_, 404)):
            assert client.call("GET", fleet.url(kernel_id)).status_code == status
        service = fleet.labs.service("lab-1").call("GET", fleet.url(kernel_id))
        assert service.status_code in (403, 404)
        lists = f"{fleet.labs.urls[1]}/api/fleet/journals/{path}"
        assert bob.call("GET", lists).json() == {"journals": []}
        assert owner.call("GET", lists).json() == {"journals": []}
        (mine,) = ann.call("GET", lists).json()["journals"]
        assert (mine["kernel"], mine["project"], mine["only_for"]) == (kernel_id, "demo", "ann")

    found = wait_until(kept)
    assert (found.head["project"], found.head["only_for"]) == ("demo", "ann")
    is_anns()
    # Also once it has died, and once nothing is left of it but this.
    kill_container(kernel_id)
    kernel = f"{url}/api/kernels/{kernel_id}"
    wait_until(lambda: ann.call("GET", kernel).json()["state"] == "dead")
    is_anns()
    assert ann.call("DELETE", kernel).status_code == 204
    is_anns()
    assert kept() is not None


def test_what_a_killed_container_said_is_in_the_store(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel()
    url = fleet.gateways.urls[0]
    with fleet.gateways.client().channels(url, kernel_id) as channels:
        request = channels.execute(
            "import time\nfor n in range(10**6):\n  print(n, time.time(), flush=True)\n"
            "  time.sleep(0.02)"
        )
        said = channels.wait_for_output(request)
        # Lines come to the store while the cell runs.
        wait_until(lambda: "\n100 " in fleet.text(kernel_id), 60)
        # Not just when a part has come there.
        kept = fleet.text(kernel_id).count("\n")
        while said.count("\n") < kept + 25:
            said += channels.wait_for_output(request)
        killed = kill_container(kernel_id)
    found = fleet.kept(kernel_id)
    assert found is not None
    lines = found.text.splitlines()
    assert [int(line.split()[0]) for line in lines] == list(range(len(lines)))
    # Two seconds is what a quiet machine needs.
    assert killed - float(lines[-1].split()[1]) < 10
    assert (found.head["complete"], found.head["lost_seconds"]) == (False, 2.0)
    (record,) = found.head["requests"]
    assert (record["request"], record["state"]) == (request, "running")
    assert found.head["path"] == NOTEBOOK

    def end() -> Any:
        answer = fleet.kept(kernel_id)
        known = answer.head["end"] if answer is not None else None
        return known if known is not None and known["state"] == "dead" else None

    assert wait_until(end, 90)["reason"]
    listed = fleet.labs.client().call("GET", f"{fleet.labs.urls[1]}/api/fleet/journals/{NOTEBOOK}")
    assert kernel_id in [one["kernel"] for one in listed.json()["journals"]]


def test_a_kernel_that_was_shut_down_has_said_everything(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel()
    url = fleet.gateways.urls[0]
    with fleet.gateways.client().channels(url, kernel_id) as channels:
        channels.run("print('first')")
        text, reply = channels.finish(channels.execute("print('last'); 1/0"))
    assert (text, reply["status"]) == ("last\n", "error")
    answer = fleet.gateways.client().call("DELETE", f"{url}/api/kernels/{kernel_id}")
    assert answer.status_code == 204

    def complete() -> Answer | None:
        found = fleet.kept(kernel_id, lab=1)
        return found if found is not None and found.head["complete"] else None

    found = wait_until(complete, 30)
    assert found.text == "first\nlast\n"
    assert found.head["lost_seconds"] == 0.0
    assert [record["state"] for record in found.head["requests"]] == ["done", "done"]
    errors = [content["ename"] for kind, _, content in found.messages if kind == "error"]
    assert errors == ["ZeroDivisionError"]


@pytest.mark.parametrize(
    ("code", "reason", "cell"),
    [
        (SEGFAULT, "SIGSEGV (segmentation fault)", {"cellId": "a"}),
        # As nbclient, papermill and scheduled runs send it.
        (SEGFAULT, "SIGSEGV (segmentation fault)", {}),
        (USE_TOO_MUCH, "out of memory: ", {"cellId": "a"}),
    ],
    ids=["segmentation fault", "no cell id", "out of memory"],
)
def test_what_a_cell_in_which_its_kernel_died_said_is_in_the_store_with_the_reason(
    fleet: Fleet, code: str, reason: str, cell: dict[str, str]
) -> None:
    kernel_id = fleet.start_kernel()
    with fleet.gateways.client().channels(fleet.gateways.urls[0], kernel_id) as channels:
        # Its last line is in the kernel's memory when that ends.
        lines = "import time\nfor n in range(200): print(n, flush=n < 199)\n"
        request = channels.execute(f"{lines}{code}", **cell)
        text, reply = channels.finish(request)
    assert (reply["status"], reply["ename"]) == ("error", "KernelDied")
    assert reason in reply["evalue"]

    def replies() -> list[dict[str, Any]]:
        found = fleet.kept(kernel_id, lab=1)
        messages = [] if found is None else found.messages
        return [content for kind, _, content in messages if kind == "execute_reply"]

    assert wait_until(replies, 60) == [reply]
    found = fleet.kept(kernel_id, lab=1)
    assert found is not None
    assert found.text_of(request) == text == "".join(f"{n}\n" for n in range(200))
    (record,) = found.head["requests"]
    assert (record["request"], record["state"]) == (request, "done")


def test_nothing_is_lost_or_doubled_while_gateways_and_labs_are_killed(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel(0)
    client = fleet.gateways.client()
    with client.channels(fleet.gateways.urls[0], kernel_id) as channels:
        request = channels.execute(
            "import time\nfor n in range(400):\n  print(n, 'x' * 5000, flush=True)\n"
            "  time.sleep(0.02)\nprint('end')"
        )
        channels.wait_for_output(request)
        wait_until(lambda: fleet.text(kernel_id), 60)
    fleet.gateways.processes[0].kill()
    before = fleet.text(kernel_id)
    wait_until(lambda: len(fleet.text(kernel_id)) > len(before), 60)
    fleet.labs.processes[0].kill()
    fleet.gateways.start_again(0)
    fleet.labs.start_again(0)
    wait_until(lambda: fleet.text(kernel_id).endswith("end\n"), 90)
    found = fleet.kept(kernel_id)
    assert found is not None
    assert [line.split()[0] for line in found.text.splitlines()] == [*map(str, range(400)), "end"]
    assert found.head["missing"] == []


def test_what_is_said_while_the_store_is_away_comes_later(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel()
    url = fleet.gateways.urls[0]
    with fleet.gateways.client().channels(url, kernel_id) as channels:
        channels.run("print('before')")
        wait_until(lambda: "before" in fleet.text(kernel_id), 30)
        fleet.store.process.signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            # Neither the kernel nor its page waits for the store.
            text = channels.run(
                "import time\nfor n in range(100):\n  print(n, flush=True)\n  time.sleep(0.1)"
            )
            assert text.splitlines() == [str(n) for n in range(100)]
            assert time.monotonic() - begun > 9
        finally:
            fleet.store.process.signal(signal.SIGCONT)
    wait_until(lambda: fleet.text(kernel_id).endswith("\n99\n"), 90)
    assert fleet.text(kernel_id).splitlines() == ["before", *(str(n) for n in range(100))]


def test_only_gateways_write_and_only_viewers_of_the_project_read(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel()
    url = fleet.gateways.urls[0]
    with fleet.gateways.client().channels(url, kernel_id) as channels:
        channels.run("print('hello')")
    wait_until(lambda: fleet.text(kernel_id) == "hello\n", 30)
    labs, here = fleet.labs, fleet.url(kernel_id)
    part = pack_part(PartHeader(JOURNAL, 1, 1), [])
    ours = {"project": "demo", "path": NOTEBOOK}
    # Not even an owner of the project, and no lab.
    for client in (labs.client(), labs.service("lab-1")):
        assert client.call("POST", here, params=ours, data=part).status_code == 403
    assert Client(None).call("GET", here).status_code in (401, 403)
    assert labs.client("eve", other="owner").call("GET", here).status_code == 404
    viewer = fleet.kept(kernel_id, labs.client("vera", demo="viewer"))
    assert viewer is not None
    assert viewer.text == "hello\n"
    listing = f"{labs.urls[0]}/api/fleet/journals/{NOTEBOOK}"
    assert labs.client("eve", other="owner").call("GET", listing).status_code == 404
    gateway = fleet.gateways.service()
    # A gateway writes journals: it reads neither them nor files.
    for address in (here, listing, f"{labs.urls[0]}/api/contents/demo"):
        assert gateway.call("GET", address).status_code == 403
    journal = viewer.head["journal"]
    stolen = pack_part(PartHeader(journal, 10**6, 10**6), [])
    for query, body, status in (
        (ours, b"no part", 400),
        (ours, part + b"x", 400),
        (ours, bytes(MOST_PART_BYTES + 1), 413),
        ({"project": "../demo"}, part, 400),
        ({"path": NOTEBOOK}, part, 400),
        ({"project": "other"}, stolen, 409),
    ):
        answer = gateway.call("POST", here, params=query, data=body)
        assert answer.status_code == status, answer.text
    assert gateway.call("POST", here, params=ours, data=part).status_code == 204
    # The same numbers with other messages, which an agent never sends.
    said, changed = (
        pack_part(
            PartHeader(OTHER_JOURNAL, 1, 1), [(1, make_message("", "iopub", "status", b"{}", said))]
        )
        for said in ({"execution_state": "busy"}, {"execution_state": "idle"})
    )
    for body, status in ((said, 204), (said, 204), (changed, 409)):
        answer = gateway.call("POST", here, params=ours, data=body)
        assert answer.status_code == status, answer.text
    assert "is kept already" in answer.json()["message"]


def test_one_person_has_few_requests_for_journals_at_a_lab(fleet: Fleet) -> None:
    kernel_id = fleet.start_kernel()
    with fleet.gateways.client().channels(fleet.gateways.urls[0], kernel_id) as channels:
        channels.run("print('hello')")
    wait_until(lambda: fleet.text(kernel_id) == "hello\n", 30)
    call = partial(fleet.labs.client().call, "GET", fleet.url(kernel_id))
    with ThreadPoolExecutor(8) as readers:
        fleet.store.process.signal(signal.SIGSTOP)
        try:
            asked = [readers.submit(call) for _ in range(8)]
            refused, _ = wait(asked, return_when=FIRST_COMPLETED)
        finally:
            fleet.store.process.signal(signal.SIGCONT)
    first = refused.pop().result()
    assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
    assert "your other requests" in first.json()["message"]
    assert fleet.text(kernel_id) == "hello\n"
