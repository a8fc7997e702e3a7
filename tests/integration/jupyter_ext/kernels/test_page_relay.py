"""Pages that speak `fleet.v1` through real labs, gateways and agents: labs are killed, owners
change, and each cell runs once and each line arrives once."""

import json
import random
import re
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import websocket

from jupyter_ext.wire.frames import SUBPROTOCOL
from tests.integration.gateway_ext.fleet_of_gateways import Client, wait_until
from tests.integration.jupyter_ext.kernels.bare_lab import BareLabs, LabKiller
from tests.integration.jupyter_ext.kernels.cursor_page import CursorPage, close_of, dial
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.integration.jupyter_ext.kernels.gated_kernels import GATED, GatedKernels

pytestmark = pytest.mark.timeout(180)


@contextmanager
def page_of(
    fleet: Fleet, kernel_id: str, labs: Labs | BareLabs | None = None
) -> Iterator[CursorPage]:
    """A page that is connected."""
    urls, headers = (labs or fleet).urls, fleet.gateways.client().headers
    with CursorPage(urls, kernel_id, headers) as page:
        page.until(lambda: page.answered)
        yield page


def send_cells_while_labs_are_killed(fleet: Fleet, labs: Labs | BareLabs, tries: int) -> None:
    """Each cell is sent in the instant in which the page's lab is killed; what ran is counted
    outside the kernel."""
    seed = random.randrange(2**32)
    print("seed", seed)
    instants = random.Random(seed)
    ran, killer = f"ran-{uuid.uuid4().hex}", LabKiller(labs)
    with fleet.kernel() as kernel_id, page_of(fleet, kernel_id, labs) as page:
        for number in range(tries):
            page.until(lambda: page.answered)
            code = f"with open({ran!r}, 'a') as f: f.write('{number}\\n')"
            killing = threading.Thread(target=killer.kill, args=(page.lab,))
            killing.start()
            time.sleep(instants.uniform(0, 0.005))
            cell = page.execute(code, f"cell {number}")
            killing.join()
            killer.start_again()
            assert page.reply(cell)["status"] == "ok"
        assert len(page.ends) >= tries
    done = (fleet.gateways.home() / ran).read_text()
    assert done.split() == [str(number) for number in range(tries)]


def print_while_labs_are_killed(
    fleet: Fleet, labs: Labs | BareLabs, lines: int, kills: int
) -> None:
    """The lines are so long that some are always on their way."""
    line = "print(f'<{i}>' + 'x' * 3000, flush=True); time.sleep(0.002)"
    code = f"import time\nfor i in range({lines}): {line}"
    killer = LabKiller(labs)
    with fleet.kernel() as kernel_id, page_of(fleet, kernel_id, labs) as page:
        cell = page.execute(code)
        for number in range(kills):
            some = (number + 1) * lines // (kills + 1)
            page.until(lambda some=some: len(page.said(cell, "stream")) >= some and page.answered)
            killer.kill(page.lab)
            killer.start_again()
        assert page.reply(cell)["status"] == "ok"
        numbers = [int(n) for n in re.findall(r"<(\d+)>", page.printed(cell))]
        assert numbers == list(range(lines))
        assert len(page.ends) >= kills


def test_a_cell_sent_in_the_instant_of_its_lab_s_death_runs_once(
    fleet: Fleet, bare_labs: BareLabs
) -> None:
    send_cells_while_labs_are_killed(fleet, bare_labs, 20)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_two_hundred_cells_sent_in_the_instant_of_a_lab_s_death_run_once(
    fleet: Fleet,
) -> None:
    send_cells_while_labs_are_killed(fleet, fleet.labs, 200)


@pytest.mark.parametrize("kills", [6, pytest.param(12, marks=pytest.mark.long)])
def test_no_line_is_lost_or_doubled_while_labs_are_killed(
    fleet: Fleet, bare_labs: BareLabs, kills: int
) -> None:
    print_while_labs_are_killed(fleet, bare_labs, 500 * kills, kills)


def test_lines_and_cells_survive_the_death_of_a_real_lab(fleet: Fleet) -> None:
    print_while_labs_are_killed(fleet, fleet.labs, 2000, 1)
    send_cells_while_labs_are_killed(fleet, fleet.labs, 2)


def test_a_change_of_owner_closes_the_page_s_websocket_and_nothing_is_missing(
    fleet: Fleet,
) -> None:
    code = "import time\nfor i in range(400): print(f'<{i}>', flush=True); time.sleep(0.01)"
    with fleet.kernel(owner=1) as kernel_id, page_of(fleet, kernel_id) as page:
        cell = page.execute(code)
        page.until(lambda: len(page.said(cell, "stream")) >= 50)
        fleet.gateways.processes[1].kill()
        try:
            page.until(lambda: page.ends)
            assert page.ends[0] == 1012
            assert page.reply(cell)["status"] == "ok"
            numbers = [int(n) for n in re.findall(r"<(\d+)>", page.printed(cell))]
            assert numbers == list(range(400))
        finally:
            fleet.gateways.start_again(1)


def test_a_launch_is_shown_to_the_page_and_its_cells_run(fleet: Fleet, gate: GatedKernels) -> None:
    client = fleet.gateways.client()
    client.headers["X-Fleet-Start"] = "async"
    with gate.closed():
        answer = client.call("POST", f"{fleet.urls[0]}/api/kernels", json={"name": GATED})
        kernel_id = answer.json()["id"]
        with CursorPage(fleet.urls, kernel_id, client.headers) as page:
            page.until(lambda: [text for text in page.texts if text["type"] == "launch"])
            cells = [page.execute(f"print({number})") for number in range(3)]
            assert not page.answered
            gate.open()
            for number, cell in enumerate(cells):
                page.reply(cell)
                page.until(lambda cell=cell: page.printed(cell))
                assert page.printed(cell) == f"{number}\n"
            assert page.ends == []
    client.call("DELETE", f"{fleet.urls[0]}/api/kernels/{kernel_id}")


def query() -> dict[str, str]:
    return {"session_id": uuid.uuid4().hex, "stream": uuid.uuid4().hex, "cursor": "1"}


def test_who_may_not_use_a_kernel_is_told_so_by_a_close_code(fleet: Fleet) -> None:
    url = fleet.urls[0]
    with fleet.kernel() as kernel_id:
        for client, code in (
            (fleet.gateways.client("stranger", other="owner"), 4404),
            (fleet.gateways.client("vera", demo="viewer"), 4403),
        ):
            socket = dial(url, kernel_id, client.headers, query())
            assert socket.getsubprotocol() == SUBPROTOCOL
            assert close_of(socket)[0] == code
        with pytest.raises(websocket.WebSocketBadStatusException):
            dial(url, kernel_id, {}, query())
    unknown = dial(url, str(uuid.uuid4()), fleet.gateways.client().headers, query())
    assert close_of(unknown)[0] == 4404


def test_a_page_s_websocket_ends_with_its_login(fleet: Fleet) -> None:
    with fleet.kernel() as kernel_id:
        token = fleet.gateways.signer.sign("ada", {"demo": "owner"}, 6)
        socket = dial(fleet.urls[0], kernel_id, Client(token).headers, query())
        assert close_of(socket)[0] == 4401


def test_a_deleted_kernel_closes_with_4404(fleet: Fleet) -> None:
    client = fleet.gateways.client()
    with fleet.kernel() as kernel_id:
        socket = dial(fleet.urls[0], kernel_id, client.headers, query())
        assert json.loads(socket.recv())["type"] == "journal"
        client.call("DELETE", f"{fleet.urls[1]}/api/kernels/{kernel_id}")
        assert close_of(socket)[0] == 4404


def test_a_lab_answers_pings_and_refuses_what_no_page_sends(fleet: Fleet) -> None:
    headers = fleet.gateways.client().headers
    with fleet.kernel() as kernel_id:
        socket = dial(fleet.urls[0], kernel_id, headers, query())
        texts = [json.loads(socket.recv())["type"] for _ in range(2)]
        assert isinstance(socket.recv(), bytes)
        socket.send('{"type": "ping"}')
        texts.append(json.loads(socket.recv())["type"])
        assert texts == ["journal", "people", "pong"]
        socket.send_binary(b"short")
        assert close_of(socket)[0] == 1007
        socket = dial(fleet.urls[0], kernel_id, headers, query())
        socket.send("hello")
        assert close_of(socket)[0] == 1007
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            dial(fleet.urls[0], kernel_id, headers, query() | {"received": "many"})
        assert refused.value.status_code == 400


def test_a_message_as_long_as_a_page_may_send_arrives(fleet: Fleet) -> None:
    with fleet.kernel() as kernel_id, page_of(fleet, kernel_id) as page:
        long = "#" * (64 * 2**20 - 1024)
        assert page.run(f"print(1) {long}") == "1\n"
        assert page.ends == []


def test_a_lab_that_stops_sends_its_pages_to_another_one(fleet: Fleet) -> None:
    with fleet.kernel() as kernel_id, page_of(fleet, kernel_id) as page:
        page.run("x = 1")
        stopped = page.lab
        fleet.labs.processes[stopped].stop()
        try:
            page.until(lambda: page.ends)
            assert page.ends[0] == 1012
            assert page.run("print(x)") == "1\n"
        finally:
            fleet.labs.start_again(stopped)


def test_a_page_that_leaves_gives_its_place_at_the_kernel_back(fleet: Fleet) -> None:
    headers = fleet.gateways.client().headers
    with fleet.kernel() as kernel_id:

        def connections() -> int:
            url = f"{fleet.urls[0]}/api/kernels/{kernel_id}"
            return int(fleet.gateways.client().call("GET", url).json()["connections"])

        for _ in range(60):
            socket = dial(fleet.urls[0], kernel_id, headers, query())
            assert json.loads(socket.recv())["type"] == "journal"
            socket.close()
        wait_until(lambda: connections() == 0)
