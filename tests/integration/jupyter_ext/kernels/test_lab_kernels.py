"""Kernels through labs: any lab, any gateway, whatever is killed meanwhile."""

import http.client
import signal
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
import websocket
from sqlalchemy import func, select

from jupyter_ext.database.engine import Database
from jupyter_ext.sessions.store.session_rows import forget_session
from jupyter_ext.sessions.tables import kernel_start
from tests.integration.gateway_ext.fleet_of_gateways import Channels, Client, wait_until
from tests.integration.gateway_ext.frozen_gateway import freeze
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

pytestmark = pytest.mark.timeout(120)


def notebook_session(path: str, *, posted: str | None = None) -> dict[str, Any]:
    """What JupyterLab posts for a notebook: a placeholder of a path, and its name."""
    folder, _, name = path.rpartition("/")
    return {
        "path": posted or f"{folder}/{uuid.uuid4()}",
        "name": name,
        "type": "notebook",
        "kernel": {"name": "python"},
    }


def open_session(client: Client, url: str, path: str) -> dict[str, Any]:
    """A session as JupyterLab opens it: POST, then the real path."""
    body = notebook_session(path)
    answer = client.call("POST", f"{url}/api/sessions", json=body)
    assert answer.status_code == 201, answer.text
    model: dict[str, Any] = answer.json()
    # Anything else makes the page end the session that it has just got.
    assert model["path"] == body["path"]
    answer = client.call("PATCH", f"{url}/api/sessions/{model['id']}", json={"path": path})
    assert answer.status_code == 200, answer.text
    model = answer.json()
    assert model["path"] == path
    return model


def end_session(client: Client, url: str, session_id: str) -> None:
    answer = client.call("DELETE", f"{url}/api/sessions/{session_id}")
    assert answer.status_code == 204, answer.text


def kernel_status(client: Client, url: str, kernel_id: str) -> int:
    status: int = client.call("GET", f"{url}/api/kernels/{kernel_id}").status_code
    return status


def printed_until(page: Channels, words: str) -> str:
    """What is printed up to and with these words."""
    text = ""
    while words not in text:
        message = page.receive()
        if message["header"]["msg_type"] == "stream":
            text += message["content"]["text"]
    return text


def starts(fleet: Fleet) -> int:
    """How many kernels are being started for documents."""
    database = Database(fleet.labs.database_url)
    try:
        count = select(func.count()).select_from(kernel_start)
        return database.run_blocking(lambda connection: connection.execute(count).scalar_one())
    finally:
        database.close()


def gateway_number(fleet: Fleet, url: str) -> int:
    return fleet.gateways.urls.index(url)


@pytest.fixture
def ada(fleet: Fleet) -> Client:
    return fleet.gateways.client()


def test_one_kernel_for_ten_pages_at_once(fleet: Fleet, ada: Client) -> None:
    bodies = [notebook_session("demo/ten.ipynb") for _ in range(10)]

    def post(number: int) -> requests.Response:
        url = fleet.urls[number % 2]
        return ada.call("POST", f"{url}/api/sessions", json=bodies[number])  # type: ignore[no-any-return]

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(post, range(10)))
    assert [answer.status_code for answer in answers] == [201] * 10
    models = [answer.json() for answer in answers]
    assert [model["path"] for model in models] == [body["path"] for body in bodies]
    assert len({model["kernel"]["id"] for model in models}) == 1
    kernel_id = models[0]["kernel"]["id"]
    kernels = ada.call("GET", f"{fleet.urls[1]}/api/kernels").json()
    assert [kernel["id"] for kernel in kernels] == [kernel_id]

    listed = ada.call("GET", f"{fleet.urls[0]}/api/sessions").json()
    assert {model["id"] for model in listed} == {model["id"] for model in models}
    for model in models[:-1]:
        end_session(ada, fleet.urls[0], model["id"])
    assert kernel_status(ada, fleet.urls[1], kernel_id) == 200
    end_session(ada, fleet.urls[1], models[-1]["id"])
    assert kernel_status(ada, fleet.urls[0], kernel_id) == 404


@pytest.mark.parametrize("v1", [True, False])
def test_a_cell_runs_through_either_lab(fleet: Fleet, ada: Client, v1: bool) -> None:
    session = open_session(ada, fleet.urls[0], "demo/either.ipynb")
    kernel_id = session["kernel"]["id"]
    with ada.channels(fleet.urls[0], kernel_id, v1=v1) as page:
        assert page.run("x = 41; print('from lab 0')") == "from lab 0\n"
    with ada.channels(fleet.urls[1], kernel_id, v1=v1) as page:
        assert page.run("print(x + 1)") == "42\n"
    again = open_session(ada, fleet.urls[1], "demo/either.ipynb")
    assert again["kernel"]["id"] == kernel_id
    end_session(ada, fleet.urls[0], session["id"])
    end_session(ada, fleet.urls[1], again["id"])


def test_a_page_stays_open_while_the_owner_is_killed(fleet: Fleet, ada: Client) -> None:
    session = open_session(ada, fleet.urls[0], "demo/owner.ipynb")
    kernel_id = session["kernel"]["id"]
    with ada.channels(fleet.urls[0], kernel_id, v1=True) as page:
        pid = page.run("import os, time; x = 41; print(get_ipython().kernel.ident)")
        request = page.execute("for i in range(30): print(i, flush=True); time.sleep(0.1)")
        early = printed_until(page, "5\n")
        owner = fleet.gateways.owner(kernel_id)
        assert owner is not None
        number = gateway_number(fleet, owner)
        began = time.monotonic()
        fleet.gateways.processes[number].signal(signal.SIGKILL)
        text, reply = page.finish(request)
        assert reply["status"] == "ok"
        assert early + text == "".join(f"{i}\n" for i in range(30))
        assert page.run("print(x + 1)") == "42\n"
        assert time.monotonic() - began < 15
        assert page.run("print(get_ipython().kernel.ident)") == pid
    fleet.gateways.start_again(number)
    models = ada.call("GET", f"{fleet.urls[1]}/api/sessions").json()
    assert session["id"] in {model["id"] for model in models}
    end_session(ada, fleet.urls[1], session["id"])


def test_stopping_a_lab_ends_no_kernel_and_sends_its_pages_away(fleet: Fleet, ada: Client) -> None:
    session = open_session(ada, fleet.urls[0], "demo/stop.ipynb")
    kernel_id = session["kernel"]["id"]
    page = ada.channels(fleet.urls[0], kernel_id, v1=True)
    assert page.run("x = 1; print(x)") == "1\n"
    began = time.monotonic()
    fleet.labs.processes[0].signal(signal.SIGTERM)
    opcode, data = page._websocket.recv_data()
    assert opcode == websocket.ABNF.OPCODE_CLOSE
    assert int.from_bytes(data[:2], "big") == 1012
    page.close()
    fleet.labs.processes[0].stop()
    assert time.monotonic() - began < 8
    assert kernel_status(ada, fleet.urls[1], kernel_id) == 200
    with ada.channels(fleet.urls[1], kernel_id, v1=True) as page:
        assert page.run("print(x + 1)") == "2\n"
    fleet.labs.start_again(0)
    listed = ada.call("GET", f"{fleet.urls[0]}/api/sessions").json()
    assert [model["path"] for model in listed] == ["demo/stop.ipynb"]
    end_session(ada, fleet.urls[0], session["id"])


def test_output_while_no_page_is_there_comes_to_the_same_session(fleet: Fleet, ada: Client) -> None:
    session = open_session(ada, fleet.urls[0], "demo/away.ipynb")
    kernel_id = session["kernel"]["id"]
    first = ada.channels(fleet.urls[0], kernel_id)
    first.run("import time")
    with ada.channels(fleet.urls[1], kernel_id) as other:
        request = first.execute("for i in range(20): print(i, flush=True); time.sleep(0.05)")
        first._websocket.shutdown()
        printed_until(other, "9\n")
    # The page reconnects to another lab, with the session id that it has.
    resumed = websocket.create_connection(
        f"{fleet.urls[1].replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
        f"?session_id={first.session}",
        header=ada.headers,
        timeout=30,
    )
    first._websocket = resumed
    text, reply = first.finish(request)
    assert reply["status"] == "ok"
    assert text.endswith("18\n19\n")
    first.close()
    end_session(ada, fleet.urls[0], session["id"])


def test_a_session_follows_its_notebook_and_changes_kernels(fleet: Fleet, ada: Client) -> None:
    url = fleet.urls[0]
    session = open_session(ada, url, "demo/before.ipynb")
    kernel_id = session["kernel"]["id"]
    renamed = ada.call(
        "PATCH", f"{url}/api/sessions/{session['id']}", json={"path": "demo/after.ipynb"}
    ).json()
    assert renamed["kernel"]["id"] == kernel_id
    other = open_session(ada, fleet.urls[1], "demo/after.ipynb")
    assert other["kernel"]["id"] == kernel_id
    end_session(ada, url, other["id"])

    changed = ada.call(
        "PATCH", f"{url}/api/sessions/{session['id']}", json={"kernel": {"name": "python"}}
    )
    assert changed.status_code == 200, changed.text
    new_id = changed.json()["kernel"]["id"]
    assert new_id != kernel_id
    # Whichever lab or task sees first that the new one runs ends the earlier one.
    wait_until(lambda: kernel_status(ada, url, kernel_id) == 404)
    late = open_session(ada, fleet.urls[1], "demo/after.ipynb")
    assert late["kernel"]["id"] == new_id
    end_session(ada, url, late["id"])
    end_session(ada, url, session["id"])
    assert kernel_status(ada, url, new_id) == 404


def save_notebook(client: Client, url: str, path: str) -> None:
    content = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    body = {"type": "notebook", "format": "json", "content": content}
    answer = client.call("PUT", f"{url}/api/contents/{path}", json=body)
    assert answer.status_code in (200, 201), answer.text


def rename(client: Client, url: str, old: str, new: str) -> None:
    answer = client.call("PATCH", f"{url}/api/contents/{old}", json={"path": new})
    assert answer.status_code == 200, answer.text


def test_a_renamed_file_or_folder_takes_kernels_along_before_any_page_says_so(
    fleet: Fleet, ada: Client
) -> None:
    one, two = fleet.urls
    for folder in ("demo/old", "demo/place"):
        body = {"type": "directory"}
        assert ada.call("PUT", f"{one}/api/contents/{folder}", json=body).status_code == 201
    save_notebook(ada, one, "demo/old/a.ipynb")
    session = open_session(ada, one, "demo/old/a.ipynb")
    kernel_id = session["kernel"]["id"]
    rename(ada, two, "demo/old/a.ipynb", "demo/old/b.ipynb")
    rename(ada, one, "demo/old", "demo/place/new")
    second = open_session(ada, two, "demo/place/new/b.ipynb")
    assert second["kernel"]["id"] == kernel_id
    # What the first page says late changes nothing more.
    for fields in ({"name": "b.ipynb"}, {"path": "demo/place/new/b.ipynb"}):
        answer = ada.call("PATCH", f"{two}/api/sessions/{session['id']}", json=fields)
        assert answer.json()["path"] == "demo/place/new/b.ipynb"
        assert answer.json()["kernel"]["id"] == kernel_id
    models = ada.call("GET", f"{one}/api/sessions").json()
    assert {(m["path"], m["username"], m["project"]) for m in models} == {
        ("demo/place/new/b.ipynb", "ada", "demo")
    }
    # A new file at the old name is another document.
    third = open_session(ada, one, "demo/old/a.ipynb")
    assert third["kernel"]["id"] != kernel_id
    for model in (session, second, third):
        end_session(ada, one, model["id"])


def test_a_kernel_that_lost_its_session_is_ended_and_its_history_says_why(
    fleet: Fleet, ada: Client
) -> None:
    session = open_session(ada, fleet.urls[0], "demo/lost.ipynb")
    kernel_id = session["kernel"]["id"]
    of_a_client = fleet.gateways.start_kernel(0)
    database = Database(fleet.labs.database_url)
    database.run_blocking(partial(forget_session, session_id=session["id"]))
    database.close()
    wait_until(lambda: kernel_status(ada, fleet.urls[1], kernel_id) == 404)
    event = fleet.gateways.events(kernel_id, 0)[-1]
    assert (event["event"], event["username"]) == ("delete", "")
    assert "no session has used it" in event["detail"]
    assert kernel_status(ada, fleet.urls[1], of_a_client) == 200
    fleet.gateways.client().call("DELETE", f"{fleet.gateways.urls[0]}/api/kernels/{of_a_client}")


def test_a_deleted_kernel_takes_its_sessions_along(fleet: Fleet, ada: Client) -> None:
    session = open_session(ada, fleet.urls[0], "demo/gone.ipynb")
    kernel_id = session["kernel"]["id"]
    page = ada.channels(fleet.urls[0], kernel_id, v1=True)
    page.run("1")
    assert ada.call("DELETE", f"{fleet.urls[1]}/api/kernels/{kernel_id}").status_code == 204
    opcode = None
    while opcode != websocket.ABNF.OPCODE_CLOSE:
        opcode, _ = page._websocket.recv_data()
    assert ada.call("GET", f"{fleet.urls[0]}/api/sessions").json() == []
    assert ada.call("GET", f"{fleet.urls[0]}/api/sessions/{session['id']}").status_code == 404
    new = open_session(ada, fleet.urls[0], "demo/gone.ipynb")
    assert new["kernel"]["id"] != kernel_id
    end_session(ada, fleet.urls[0], new["id"])


def test_interrupt_restart_and_kernel_specs(fleet: Fleet, ada: Client) -> None:
    url = fleet.urls[0]
    specs = ada.call("GET", f"{url}/api/kernelspecs").json()
    assert specs["default"] == "python"
    assert "python" in specs["kernelspecs"]
    for name in ("python", "python3"):
        found = ada.call("GET", f"{url}/api/kernelspecs/{name}")
        assert (found.status_code, found.json()["name"]) == (200, "python")
    assert ada.call("GET", f"{url}/api/kernelspecs/julia").status_code == 404
    session = open_session(ada, url, "demo/actions.ipynb")
    kernel_id = session["kernel"]["id"]
    with ada.channels(url, kernel_id, v1=True) as page:
        page.run("import time; x = 1")
        request = page.execute("print('on', flush=True); time.sleep(60)")
        printed_until(page, "on\n")
        answer = ada.call("POST", f"{fleet.urls[1]}/api/kernels/{kernel_id}/interrupt")
        assert answer.status_code == 204, answer.text
        assert page.finish(request)[1]["ename"] == "KeyboardInterrupt"
        answer = ada.call("POST", f"{fleet.urls[1]}/api/kernels/{kernel_id}/restart")
        assert answer.status_code == 200, answer.text
        wait_until(lambda: "x" not in page.run("print(dir())").split("'"))
    end_session(ada, url, session["id"])


@pytest.mark.parametrize("at", ["lab", "gateway"])
def test_resources_of_kernel_specs_are_files_in_their_folders(
    fleet: Fleet, ada: Client, at: str
) -> None:
    base = fleet.urls[0] if at == "lab" else fleet.gateways.urls[0]
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=30)

    def get(path: str) -> tuple[int, bytes]:
        # As it is: requests would tidy the path up.
        connection.request("GET", path, headers=dict(ada.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()

    status, spec_file = get("/kernelspecs/python/kernel.json")
    assert status == 200
    assert b"argv" in spec_file
    names = ("", "nothing.png", "..", "../..", "../python/kernel.json", "%00", "a%00.png", "%0A")
    names += ("/etc/passwd", "%2Fetc%2Fpasswd", "../../../../../etc/passwd", "%2e%2e/x", "x" * 300)
    names += ("..%5cx", "%ff", "a//b", "kernel.json/", "kernel.json/x", "./kernel.json")
    for name in names:
        for spec in ("python", "nothing", "..", "%2e%2e", "%ff", "%00"):
            status, body = get(f"/kernelspecs/{spec}/{name}")
            assert status < 500, (spec, name, status, body)
            # A gateway takes a name that leads out of the folder and in again.
            assert status >= 300 or (at, body) == ("gateway", spec_file), (spec, name, body)


def test_bodies_that_break_json_are_refused_by_gateways(fleet: Fleet, ada: Client) -> None:
    url = f"{fleet.gateways.urls[0]}/api/kernels"
    for body, status in ((b"[" * 20_000, 400), (b"[" + b"[]," * 200_000 + b"1]", 413)):
        assert ada.call("POST", url, data=body).status_code == status
    assert ada.call("POST", url, json={"path": "\ud800"}).status_code == 400


def test_others_see_and_touch_nothing(fleet: Fleet, ada: Client) -> None:
    url = fleet.urls[0]
    session = open_session(ada, url, "demo/private.ipynb")
    kernel_id = session["kernel"]["id"]
    bob = fleet.gateways.client("bob", other="owner")
    eve = fleet.gateways.client("eve", demo="viewer")
    assert bob.call("GET", f"{url}/api/sessions").json() == []
    assert bob.call("GET", f"{url}/api/kernels").json() == []
    assert len(eve.call("GET", f"{url}/api/sessions").json()) == 1
    # Strangers do not learn that the kernel exists. Who had a role is not told that it is gone.
    ron = fleet.gateways.client("ron", demo="editor")
    assert kernel_status(ron, url, kernel_id) == 200
    ron = fleet.gateways.client("ron", other="owner")
    wait_until(lambda: kernel_status(ron, url, kernel_id) == 403)
    for client, status in ((bob, 404), (eve, 403), (ron, 403)):
        assert client.call("DELETE", f"{url}/api/kernels/{kernel_id}").status_code == status
        for action in ("interrupt", "restart"):
            refusal = client.call("POST", f"{url}/api/kernels/{kernel_id}/{action}")
            assert refusal.status_code == status
        its_session = f"{url}/api/sessions/{session['id']}"
        for method in ("DELETE", "PATCH"):
            refusal = client.call(method, its_session, json={"name": "x"})
            assert refusal.status_code == status, refusal.text
            assert status == 403 or "demo" not in refusal.text
        body = notebook_session("demo/private.ipynb")
        assert client.call("POST", f"{url}/api/sessions", json=body).status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException) as refused:
            client.channels(url, kernel_id)
        assert refused.value.status_code == status
    assert kernel_status(ada, url, kernel_id) == 200
    end_session(ada, url, session["id"])


def test_a_kernel_stays_in_its_project(fleet: Fleet, ada: Client) -> None:
    one, two = fleet.urls
    both = fleet.gateways.client("ada", demo="owner", other="editor")
    bob = fleet.gateways.client("bob", other="editor")
    save_notebook(ada, one, "demo/moved.ipynb")
    session = open_session(both, one, "demo/moved.ipynb")
    kernel_id = session["kernel"]["id"]
    # Nobody gives a kernel to a document of another project: those who are only there could not
    # use it, and a viewer would keep it alive.
    tina = fleet.gateways.client("tina", demo="viewer", other="editor")
    mine = open_session(tina, two, "other/mine.ipynb")
    posted = {**notebook_session("other/new.ipynb"), "kernel": {"id": kernel_id}}
    refused = tina.call("POST", f"{two}/api/sessions", json=posted)
    assert refused.status_code == 400
    assert "'demo'" in refused.json()["message"]
    patch = {"kernel": {"id": kernel_id}}
    refused = tina.call("PATCH", f"{two}/api/sessions/{mine['id']}", json=patch)
    assert refused.status_code == 400
    # Nobody takes a session along, alone or with a kernel: others would find one there that they
    # cannot use.
    path = {"path": "other/moved.ipynb"}
    ted = fleet.gateways.client("ted", demo="editor", other="editor")
    rename(both, one, "demo/moved.ipynb", "other/moved.ipynb")
    for client in (ted, both):
        for patch in (
            path,
            {**path, "kernel": {"name": "python"}},
            {**path, "kernel": {"id": kernel_id}},
        ):
            refused = client.call("PATCH", f"{two}/api/sessions/{session['id']}", json=patch)
            assert refused.status_code == 400
            assert "stay in the project 'demo'" in refused.json()["message"]
    listed = both.call("GET", f"{one}/api/sessions/{session['id']}").json()
    assert (listed["path"], listed["kernel"]["id"]) == ("demo/moved.ipynb", kernel_id)
    # Where the notebook is now, everybody gets the same kernel of that project.
    theirs = [
        client.call(
            "POST",
            f"{url}/api/sessions",
            json=notebook_session("other/moved.ipynb", posted=path["path"]),
        ).json()
        for client, url in ((both, one), (bob, one), (tina, two))
    ]
    assert {model["kernel"]["project"] for model in theirs} == {"other"}
    assert len({model["kernel"]["id"] for model in theirs} | {kernel_id}) == 2
    end_session(both, one, session["id"])
    for model in theirs:
        bob.call("DELETE", f"{one}/api/sessions/{model['id']}")
    end_session(tina, one, mine["id"])


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "notebook"}, "path"),
        ({"path": "demo/a.ipynb"}, "type"),
        ({"path": "demo/../other/a.ipynb", "type": "notebook"}, ".."),
        ({"path": "a.ipynb", "type": "notebook"}, "project"),
        ({"path": "", "type": "notebook"}, "project"),
        ({"path": 7, "type": "notebook"}, "string"),
        ({"path": "demo/a.ipynb", "type": "notebook", "kernel": "python"}, "kernel"),
    ],
)
def test_bad_sessions_are_refused(fleet: Fleet, ada: Client, body: Any, words: str) -> None:
    answer = ada.call("POST", f"{fleet.urls[0]}/api/sessions", json=body)
    assert answer.status_code == 400, answer.text
    assert words in answer.json()["message"]
    assert ada.call("GET", f"{fleet.urls[0]}/api/sessions").json() == []


def test_a_starter_that_dies_is_followed_by_another_lab(fleet: Fleet, ada: Client) -> None:
    body = notebook_session("demo/starter.ipynb")
    # A start takes as long as the gateways are frozen: it is in its middle when the lab dies.
    for number in range(len(fleet.gateways.processes)):
        freeze(fleet.gateways, number)
    try:
        with ThreadPoolExecutor(1) as threads:
            first = threads.submit(ada.call, "POST", f"{fleet.urls[0]}/api/sessions", json=body)
            wait_until(lambda: starts(fleet) == 1)
            fleet.labs.processes[0].signal(signal.SIGKILL)
            with pytest.raises(requests.ConnectionError):
                first.result()
    finally:
        for gateway in fleet.gateways.processes:
            gateway.signal(signal.SIGCONT)
    session = open_session(ada, fleet.urls[1], "demo/starter.ipynb")
    kernels = ada.call("GET", f"{fleet.urls[1]}/api/kernels").json()
    assert [kernel["id"] for kernel in kernels] == [session["kernel"]["id"]]
    fleet.labs.start_again(0)
    with ada.channels(fleet.urls[0], session["kernel"]["id"]) as page:
        assert page.run("print('alive')") == "alive\n"
    end_session(ada, fleet.urls[0], session["id"])


def test_an_unknown_kernel_spec_is_refused_and_can_be_corrected(fleet: Fleet, ada: Client) -> None:
    body = notebook_session("demo/spec.ipynb")
    body["kernel"] = {"name": "nothing"}
    answer = ada.call("POST", f"{fleet.urls[0]}/api/sessions", json=body)
    assert 400 <= answer.status_code < 502, answer.text
    assert "nothing" in answer.json()["message"]
    session = open_session(ada, fleet.urls[1], "demo/spec.ipynb")
    end_session(ada, fleet.urls[1], session["id"])


def test_a_notebook_gets_no_second_kernel_by_another_route(fleet: Fleet, ada: Client) -> None:
    one, two = fleet.urls
    body = {"name": "python", "path": "demo/plain.ipynb"}
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda n: ada.call("POST", f"{fleet.urls[n % 2]}/api/kernels", json=body), range(4)
            )
        )
    assert {answer.status_code for answer in answers} == {201}
    (kernel_id,) = {answer.json()["id"] for answer in answers}
    session = open_session(ada, one, "demo/plain.ipynb")
    assert session["kernel"]["id"] == kernel_id
    again = ada.call("POST", f"{two}/api/kernels", json={**body, "kernel_id": kernel_id})
    assert (again.status_code, again.json()["id"]) == (201, kernel_id)
    other = {**body, "kernel_id": str(uuid.uuid4())}
    refused = ada.call("POST", f"{two}/api/kernels", json=other)
    assert refused.status_code == 409
    assert kernel_id in refused.json()["message"]
    # Nobody else learns of it, and a kernel without a notebook is always a new one.
    eve = fleet.gateways.client("eve", demo="viewer")
    assert eve.call("POST", f"{two}/api/kernels", json=body).status_code == 403
    # Nor does one ask for a kernel of one's own, or in another place, and get the notebook's.
    for named in ("@demo", "other"):
        refused = ada.call("POST", f"{two}/api/kernels", json={**body, "project": named})
        assert refused.status_code == 400
    folder = ada.call("POST", f"{two}/api/kernels", json={"name": "python", "path": "demo"})
    assert folder.status_code == 201
    assert folder.json()["id"] != kernel_id
    assert ada.call("DELETE", f"{two}/api/kernels/{folder.json()['id']}").status_code == 204
    end_session(ada, one, session["id"])
    assert kernel_status(ada, one, kernel_id) == 404
