"""Tickets of kernels at real gateways with real agents, and what goes through these to labs."""

import http.client
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until
from tests.integration.gateway_ext.lab_stand_in import LabStandIn
from tests.servers.short_folder import short_folder

pytestmark = pytest.mark.timeout(240)

MEGABYTE = bytes(2**20)
MUCH = 300
"""Megabytes."""


@dataclass
class Fleet:
    """Two gateways before a lab's stand-in."""

    gateways: Gateways
    lab: LabStandIn

    def kernel(self, number: int = 0) -> str:
        """A kernel whose agent has a ticket."""
        kernel_id = self.gateways.start_kernel(
            number, name="lossless", project="demo", path="demo/a"
        )
        wait_until(lambda: self.lab.tickets[kernel_id])
        # Its agent has used it, so that it has arrived.
        with self.gateways.client().channels(self.gateways.urls[number], kernel_id) as channels:
            channels.run("print('hello')")
        wait_until(lambda: self.parts(kernel_id), 60)
        return kernel_id

    def parts(self, kernel_id: str) -> list[str]:
        """The tokens with which the kernel's parts came."""
        return [token for path, token in self.lab.parts if f"/{kernel_id}/" in path]

    def call(
        self, kernel_id: str, *, ticket: str | None = None, number: int = 0
    ) -> http.client.HTTPConnection:
        """A connection on which a call of the kernel's agent has begun, with a long body."""
        connection = self.connection(number)
        connection.putrequest("POST", f"/api/fleet/kernels/{kernel_id}/journal?own")
        connection.putheader("Authorization", f"Bearer {ticket or self.lab.tickets[kernel_id][-1]}")
        connection.putheader("Content-Length", str(MUCH * len(MEGABYTE)))
        connection.endheaders()
        return connection

    def connection(self, number: int = 0) -> http.client.HTTPConnection:
        address = urlsplit(self.gateways.urls[number])
        return http.client.HTTPConnection(address.hostname or "", address.port, timeout=60)

    def refused(self, kernel_id: str, *, ticket: str | None = None, number: int = 0) -> int:
        """The status of a call that is answered before its body is complete."""
        connection = self.call(kernel_id, ticket=ticket, number=number)
        try:
            return connection.getresponse().status
        finally:
            connection.close()

    def memory(self, number: int = 0) -> int:
        """The most that a gateway has used since `forget_memory`, in bytes."""
        text = (self._process(number) / "status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", text)
        assert found is not None
        return int(found[1]) * 1024

    def forget_memory(self, number: int = 0) -> None:
        (self._process(number) / "clear_refs").write_text("5")

    def _process(self, number: int) -> Path:
        return Path(f"/proc/{self.gateways.processes[number].pid}")


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    lab = LabStandIn()
    with short_folder("fleet-pipes-") as directory:
        token = directory / "gateway-token"
        changes = {
            "lab_urls": ["http://127.0.0.1:1", lab.url],
            "service_token_file": str(token),
            "max_pipe_bytes": MUCH * len(MEGABYTE),
        }
        # Read at each call.
        token.write_text("the gateway's own")
        gateways = Gateways(directory, 2, changes={"FleetGatewayApp": changes})
        try:
            yield Fleet(gateways, lab)
        finally:
            lab.reads.set()
            gateways.stop()
            lab.stop()


def test_an_agent_gets_its_kernels_ticket_and_sends_parts_with_it(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    (said,) = [one for one in fleet.lab.described if one["id"] == kernel_id]
    assert said["epoch"] > 0
    assert {name: said[name] for name in ("project", "role", "user", "path", "kernel_name")} == {
        "project": "demo",
        "role": "editor",
        "user": "ada",
        "path": "demo/a",
        "kernel_name": "lossless",
    }
    assert fleet.parts(kernel_id)[-1] == f"Bearer {fleet.lab.tickets[kernel_id][-1]}"


def test_another_owner_gets_another_ticket_of_a_later_epoch(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    fleet.gateways.processes[0].kill()
    try:
        wait_until(lambda: len(fleet.lab.tickets[kernel_id]) > 1, 60)
        with fleet.gateways.client().channels(fleet.gateways.urls[1], kernel_id) as channels:
            channels.run("print('there')")
        wait_until(
            lambda: fleet.parts(kernel_id)[-1] == f"Bearer {fleet.lab.tickets[kernel_id][-1]}", 60
        )
        epochs = [one["epoch"] for one in fleet.lab.described if one["id"] == kernel_id]
        assert epochs == sorted(set(epochs))
    finally:
        fleet.gateways.start_again(0)


def test_a_ticket_is_renewed_before_its_time_is_over(fleet: Fleet) -> None:
    fleet.lab.seconds = 4.0
    try:
        kernel_id = fleet.kernel()
        with fleet.gateways.client().channels(fleet.gateways.urls[0], kernel_id) as channels:
            begun = time.monotonic()
            while time.monotonic() - begun < 8:
                channels.run("print('x')")
                time.sleep(0.5)
    finally:
        fleet.lab.seconds = 900.0
    tickets = [f"Bearer {one}" for one in fleet.lab.tickets[kernel_id]]
    assert len(tickets) > 3
    used = fleet.parts(kernel_id)
    # Never the gateway's own token, which would be the way of an agent without a ticket.
    assert set(used) <= set(tickets)
    assert len(set(used)) > 2


def test_while_labs_issue_no_tickets_the_gateway_sends_the_parts_itself(fleet: Fleet) -> None:
    fleet.lab.issues = False
    try:
        kernel_id = fleet.gateways.start_kernel(1, name="lossless", project="demo")
        with fleet.gateways.client().channels(fleet.gateways.urls[1], kernel_id) as channels:
            channels.run("print('hello')")
            wait_until(lambda: fleet.parts(kernel_id) == ["Bearer the gateway's own"], 60)
            fleet.lab.issues = True
            # The lab is upgraded.
            wait_until(lambda: fleet.lab.tickets[kernel_id], 60)
            channels.run("print('more')")
        wait_until(lambda: fleet.parts(kernel_id)[-1] == f"Bearer {kernel_id}-0", 60)
    finally:
        fleet.lab.issues = True


def test_labs_with_another_secret_are_noticed_and_another_ticket_is_got(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    fleet.lab.tickets[kernel_id][:] = ["forgotten"]
    with fleet.gateways.client().channels(fleet.gateways.urls[0], kernel_id) as channels:
        channels.run("print('more')")
    wait_until(lambda: fleet.parts(kernel_id)[-1] == f"Bearer {kernel_id}-1", 60)


def test_only_the_ticket_that_the_owner_gave_to_the_agent_opens_the_pipe(fleet: Fleet) -> None:
    kernel_id, other = fleet.kernel(), fleet.kernel()
    before = fleet.lab.received
    assert fleet.refused(kernel_id, ticket="forged") == 401
    assert fleet.refused(kernel_id, ticket=fleet.lab.tickets[other][-1]) == 401
    assert fleet.refused(kernel_id, ticket="the gateway's own") == 401
    owner = fleet.gateways.signer.sign("ada", {"demo": "owner"}, 60)
    assert fleet.refused(kernel_id, ticket=owner) == 401
    assert fleet.refused("of-nobody", ticket="t") == 503
    # The other gateway does not own the kernel.
    assert fleet.refused(kernel_id, number=1) == 503
    connection = fleet.connection()
    connection.request("POST", f"/api/fleet/kernels/{kernel_id}/journal", b"x")
    assert connection.getresponse().status == 401
    connection.close()
    # Nor is it a way to anything else of a lab.
    connection = fleet.connection()
    headers = {"Authorization": f"Bearer {fleet.lab.tickets[kernel_id][-1]}"}
    connection.request("POST", f"/api/fleet/kernels/{kernel_id}/ticket", b"{}", headers)
    assert connection.getresponse().status == 404
    connection.close()
    assert fleet.lab.received == before


def test_long_bodies_pass_in_both_directions_and_take_no_memory(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    before = fleet.lab.received
    fleet.forget_memory()
    least = fleet.memory()
    connection = fleet.call(kernel_id)
    for _ in range(MUCH):
        connection.send(MEGABYTE)
    answer = connection.getresponse()
    assert (answer.status, answer.read()) == (200, b"all of it")
    assert fleet.lab.received - before == MUCH * len(MEGABYTE)
    headers = {"Authorization": f"Bearer {fleet.lab.tickets[kernel_id][-1]}"}
    wanted = MUCH * len(MEGABYTE)
    path = f"/api/fleet/kernels/{kernel_id}/journal?own={wanted}"
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert (answer.status, answer.headers["ETag"]) == (200, '"5"')
    read = 0
    while piece := answer.read(2**20):
        read += len(piece)
    connection.close()
    assert read == wanted
    assert fleet.memory() - least < 15 * len(MEGABYTE)


def test_a_lab_that_does_not_read_stops_the_sender_and_not_the_gateway(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    fleet.lab.reads.clear()
    fleet.forget_memory()
    least = fleet.memory()
    connection = fleet.call(kernel_id)
    assert connection.sock is not None
    connection.sock.settimeout(1.0)
    sent = 0
    try:
        while sent < MUCH:
            connection.send(MEGABYTE)
            sent += 1
    except TimeoutError:
        pass
    finally:
        fleet.lab.reads.set()
        connection.close()
    # What is in buffers of the system.
    assert sent < 50
    assert fleet.memory() - least < 15 * len(MEGABYTE)


def test_whoever_ends_a_call_ends_it_for_the_other_side(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    cut = fleet.lab.cut
    connection = fleet.call(kernel_id)
    connection.send(MEGABYTE)
    connection.close()
    wait_until(lambda: fleet.lab.cut == cut + 1)
    # An answer that breaks off is never taken for a whole one.
    connection = fleet.connection()
    headers = {"Authorization": f"Bearer {fleet.lab.tickets[kernel_id][-1]}"}
    connection.request(
        "GET", f"/api/fleet/kernels/{kernel_id}/journal?own={10**6}h", headers=headers
    )
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        connection.getresponse().read()
    connection.close()


def test_a_kernel_has_few_calls_at_once_and_gets_its_places_back(fleet: Fleet) -> None:
    kernel_id = fleet.kernel()
    with ExitStack() as stack:
        for _ in range(4):
            connection = fleet.call(kernel_id)
            stack.callback(connection.close)
            connection.send(MEGABYTE)
        assert wait_until(lambda: fleet.refused(kernel_id) == 503)
        # Others have their own.
        other = fleet.kernel()
        connection = fleet.call(other)
        connection.send(MEGABYTE)
        connection.close()

    def passes() -> bool:
        connection = fleet.call(kernel_id)
        assert connection.sock is not None
        connection.sock.settimeout(0.5)
        try:
            # Nothing has been answered yet: the call goes on.
            return connection.sock.recv(1) == b""
        except TimeoutError:
            return True
        finally:
            connection.close()

    wait_until(passes)
