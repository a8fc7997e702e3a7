"""Gateways on MariaDB, and without it: a database that is away stops changes, not work."""

import asyncio
import os
import re
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.integration.gateway_ext.fleet_of_gateways import (
    Gateways,
    agents_of,
    gateway_python,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.records_of import records_as
from tests.integration.gateway_ext.test_fork_servers import servers_of
from tests.servers.mariadb import MariaDB

CALLS = 30
"""More than a gateway has threads for the database."""
IMPATIENT = """
from jupyter_ext.database import engine
engine.RUN_SECONDS = 10.0
from gateway_ext.__main__ import main
main()
"""


class ImpatientGateways(Gateways):
    """They wait 10 s for an answer of a database that hangs instead of 30."""

    def command(self, number: int) -> list[str]:
        return [gateway_python(), "-c", IMPATIENT]


def test_a_database_that_hangs_holds_nobody_for_ever(own_mariadb: MariaDB) -> None:
    """Frozen, as behind a network that loses everything: connections are open, nothing answers."""
    changes = {"FleetGatewayApp": {"drain_seconds": 3.0}}
    with running_gateways(own_mariadb.url, changes, kind=ImpatientGateways) as gateways:
        client = gateways.client()
        kernel_id = gateways.start_kernel(0)
        url = f"{gateways.urls[0]}/api/kernels"

        def call(number: int) -> tuple[int, str | None]:
            match number % 3:
                case 0:
                    answer = client.call("POST", url, json={})
                case 1:
                    answer = client.call("DELETE", f"{url}/{kernel_id}")
                case _:
                    answer = client.call("GET", url)
            return answer.status_code, answer.headers.get("Retry-After")

        with client.channels(gateways.urls[0], kernel_id) as channels:
            channels.run("x = 41")
            own_mariadb.process.signal(signal.SIGSTOP)
            try:
                with ThreadPoolExecutor(CALLS) as pool:
                    # The client itself gives up after 90 s.
                    calls = [pool.submit(call, number) for number in range(CALLS)]
                    # Nor does it hold up a gateway's end, which it would for 20 s.
                    gateways.processes[1].signal(signal.SIGTERM)
                    gateways.processes[1]._process.wait(12)
                    answered = 0
                    while answered < 10 or not all(one.done() for one in calls):
                        # Neither cells nor what needs no database wait for it.
                        assert channels.run("x += 1; print('on')") == "on\n"
                        assert client.call("GET", f"{gateways.urls[0]}/api").status_code == 200
                        answered += 1
                        time.sleep(0.2)
                assert [one.result() for one in calls] == [(503, "1")] * CALLS
            finally:
                own_mariadb.process.signal(signal.SIGCONT)
            wait_until(lambda: client.call("GET", url).status_code == 200, 60)
            # What was refused is not done later.
            assert [kernel["id"] for kernel in client.call("GET", url).json()] == [kernel_id]
            assert channels.run("print(x > 50)") == "True\n"


def test_cells_go_on_while_the_database_is_away(own_mariadb: MariaDB) -> None:
    with running_gateways(own_mariadb.url) as gateways:
        client = gateways.client()
        kernel_id = gateways.start_kernel(0)
        url = f"{gateways.urls[0]}/api/kernels"
        with client.channels(gateways.urls[1], kernel_id) as channels:
            assert channels.run("x = 41; print(x)") == "41\n"
            own_mariadb.kill()
            wait_until(lambda: client.call("GET", url).status_code == 503)
            # What was open goes on, and at the owner new pages are let in.
            assert channels.run("x += 1; print(x)") == "42\n"
            with client.channels(gateways.urls[0], kernel_id) as page:
                assert page.run("x += 1; print(x)") == "43\n"
            answer = client.call("POST", f"{url}/{kernel_id}/interrupt")
            assert answer.status_code == 204
            # What would change something is refused for the moment, and nothing is said to be gone.
            for method, path in (
                ("POST", url),
                ("DELETE", f"{url}/{kernel_id}"),
                ("GET", f"{gateways.urls[1]}/api/kernels/{kernel_id}"),
            ):
                answer = client.call(method, path, json={} if method == "POST" else None)
                assert answer.status_code == 503, answer.text
                assert answer.headers["Retry-After"]
                # Nobody is told where it is; the log says it.
                assert "the database is unavailable" in answer.json()["message"]
                assert not re.search(r"127\.0\.0\.1|localhost|mysql|\.sock|@", answer.text)
            address = own_mariadb.url.rpartition("@")[2]
            assert f"@{address} cannot be reached" in gateways.log(0)

            own_mariadb.start_again()
            wait_until(lambda: client.call("GET", url).status_code == 200, 60)
            assert [kernel["id"] for kernel in client.call("GET", url).json()] == [kernel_id]
            gateways.processes[0].signal(signal.SIGKILL)
            assert channels.run("x += 1; print(x)") == "44\n"
        gateways.start_again(0)


def test_what_a_person_does_to_a_running_kernel_is_answered_while_the_database_hangs(
    own_mariadb: MariaDB,
) -> None:
    """A lab that is not answered in time asks again: what the person runs by then would be
    interrupted, or lost with the process, as well."""
    with running_gateways(own_mariadb.url) as gateways:
        client = gateways.client()
        kernel_id = gateways.start_kernel(0)
        url = f"{gateways.urls[0]}/api"
        own_mariadb.process.signal(signal.SIGSTOP)
        try:
            # As long as labs wait: GatewayClient.call_timeout, FleetKernelManager.start_timeout.
            for action, status, seconds in (("interrupt", 204, 10), ("restart", 200, 60)):
                answer = requests.post(
                    f"{url}/kernels/{kernel_id}/{action}", headers=client.headers, timeout=seconds
                )
                assert answer.status_code == status, answer.text
            assert answer.json()["state"] == "running"
            own_mariadb.kill()
            answer = client.call("POST", f"{url}/kernels/{kernel_id}/restart")
            assert (answer.status_code, answer.json()["id"]) == (200, kernel_id)
        finally:
            own_mariadb.kill()
            own_mariadb.start_again()
            wait_until(lambda: client.call("GET", f"{url}/kernels").status_code == 200, 60)


def test_a_kernel_that_was_launched_while_the_database_went_can_be_found(
    own_mariadb: MariaDB,
) -> None:
    """Between the record and the agent's process, of which nobody would know otherwise."""
    with running_gateways(own_mariadb.url) as gateways, ThreadPoolExecutor() as pool:
        kernel_id = str(uuid.uuid4())
        url = f"{gateways.urls[0]}/api/kernels"
        client = gateways.client()
        answer = pool.submit(client.call, "POST", url, json={"kernel_id": kernel_id})
        # The first one takes a while to import what kernels need.
        wait_until(lambda: servers_of(gateways), every=0.01)
        own_mariadb.kill()
        wait_until(lambda: agents_of(kernel_id), every=0.01)
        own_mariadb.start_again()
        assert answer.result().status_code == 201, answer.result().text
        (agent,) = agents_of(kernel_id)
        os.kill(agent, signal.SIGKILL)
        wait_until(lambda: client.call("GET", f"{url}/{kernel_id}").json()["state"] == "dead", 30)


def test_a_kernel_whose_gateway_was_killed_before_it_was_written_down_can_be_found(
    own_mariadb: MariaDB,
) -> None:
    """Between the agent's process and its record: the agent itself says how it is found."""
    with running_gateways(own_mariadb.url) as gateways, ThreadPoolExecutor() as pool:
        kernel_id = str(uuid.uuid4())
        client = gateways.client()
        url = f"{gateways.urls[0]}/api/kernels"
        answer = pool.submit(client.call, "POST", url, json={"kernel_id": kernel_id})
        # The first one takes a while to import what kernels need.
        wait_until(lambda: servers_of(gateways), every=0.01)
        own_mariadb.process.signal(signal.SIGSTOP)
        try:
            # And the fork that becomes its kernel looks like it for a moment.
            before = wait_until(lambda: agents_of(kernel_id), every=0.01)
            gateways.processes[0].signal(signal.SIGKILL)
            with pytest.raises(requests.ConnectionError):
                answer.result()
        finally:
            own_mariadb.process.signal(signal.SIGCONT)
        wait_until(lambda: gateways.owner(kernel_id, 1) == gateways.urls[1], 40)
        with client.channels(gateways.urls[1], kernel_id) as channels:
            assert channels.run("print(6 * 7)") == "42\n"
        (agent,) = agents_of(kernel_id)
        assert agent in before
        wait_until(lambda: asyncio.run(records_as(gateways, "x").get(kernel_id)).process)
        os.kill(agent, signal.SIGKILL)
        url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
        wait_until(lambda: client.call("GET", url).json()["state"] == "dead", 30)
        gateways.start_again(0)
