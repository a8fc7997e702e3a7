"""Kernels of one person alone: who may do what, where they run, and what keeps them so."""

import json
import os
import sqlite3
from typing import Any

import pytest
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import (
    Client,
    Gateways,
    kill_container,
    wait_until,
)
from tests.integration.gateway_ext.tries_at_kernels import statuses


def start(gateways: Gateways, client: Client, project: str = "@demo", **body: Any) -> str:
    body = {"name": "lossless", "project": project, **body}
    answer = client.call("POST", f"{gateways.urls[0]}/api/kernels", json=body)
    assert answer.status_code == 201, answer.text
    kernel_id: str = answer.json()["id"]
    return kernel_id


def run(gateways: Gateways, client: Client, kernel_id: str, code: str, number: int = 0) -> str:
    with client.channels(gateways.urls[number], kernel_id) as channels:
        return channels.run(code)


def listed(gateways: Gateways, client: Client, query: str) -> list[str]:
    answer = client.call("GET", f"{gateways.urls[1]}/api/kernels{query}")
    return [kernel["id"] for kernel in answer.json()]


def test_only_its_person_uses_it_and_owners_may_end_it(gateways: Gateways) -> None:
    ann, bob = (gateways.client(user, demo="editor") for user in ("ann", "bob"))
    # Whose it is the token says, and nothing that is sent.
    kernel_id = start(
        gateways, ann, path="demo/a.ipynb", only_for="bob", env={"KERNEL_USERNAME": "bob"}
    )
    shared = start(gateways, ann, "demo")
    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    model = ann.call("GET", url).json()
    assert (model["only_for"], model["project"], model["username"]) == ("ann", "demo", "ann")
    assert ann.call("GET", f"{gateways.urls[0]}/api/kernels/{shared}").json()["only_for"] is None
    look = "import os; print(os.environ['KERNEL_USERNAME'], os.environ['KERNEL_PROJECT'])"
    assert run(gateways, ann, kernel_id, look) == "ann demo\n"
    refused = dict.fromkeys(("get", "interrupt", "restart", "events", "owner", "channels"), 403)
    assert statuses(gateways, bob, kernel_id) == refused
    assert statuses(gateways, gateways.client("eve", demo="viewer"), kernel_id) == refused
    assert statuses(gateways, gateways.client("ann", demo="viewer"), kernel_id) == {
        **refused,
        **dict.fromkeys(("get", "events", "owner"), 200),
    }
    strange = dict.fromkeys(refused, 404)
    assert statuses(gateways, gateways.client("max", other="owner"), kernel_id) == strange
    owner = gateways.client("olga", demo="owner")
    assert statuses(gateways, owner, kernel_id) == {**refused, "get": 200, "owner": 200}
    assert bob.call("DELETE", url).status_code == 403
    # An id that is taken is joined by nobody else, and not by another kind of start.
    for client, project in ((bob, "@demo"), (bob, "demo"), (ann, "demo")):
        body = {"name": "lossless", "project": project, "kernel_id": kernel_id}
        answer = client.call("POST", f"{gateways.urls[1]}/api/kernels", json=body)
        assert (answer.status_code, "is taken" in answer.text) == (409, True)
    body = {"name": "lossless", "project": "@demo", "kernel_id": shared}
    assert ann.call("POST", f"{gateways.urls[0]}/api/kernels", json=body).status_code == 409
    # Lists, of which those of labs of the version before ask for nothing.
    for client, query, seen in (
        (ann, "", [shared]),
        (ann, "?personal=mine", [kernel_id, shared]),
        (ann, "?personal=all", [kernel_id, shared]),
        (bob, "?personal=all", [shared]),
        (owner, "?personal=mine", [shared]),
        (owner, "?personal=all", [kernel_id, shared]),
    ):
        assert listed(gateways, client, query) == seen
    # An owner learns that it exists, not what it was given.
    outline = owner.call("GET", url).json()
    assert (outline["only_for"], outline["launch_options"], outline["reason"]) == ("ann", {}, "")
    assert owner.call("DELETE", url).status_code == 204
    assert ann.call("GET", url).status_code == 404


def test_a_start_for_one_person_is_checked_as_others_are(gateways: Gateways) -> None:
    url = f"{gateways.urls[0]}/api/kernels"
    for client, project, status in (
        (gateways.client("eve", demo="viewer"), "@demo", 403),
        (gateways.client("max", other="owner"), "@demo", 403),
        (gateways.client("ann", demo="editor"), "@@demo", 400),
        (gateways.client("ann", demo="editor"), "@", 400),
        (gateways.service(), "@demo", 400),
    ):
        body = {"name": "lossless", "project": project}
        assert client.call("POST", url, json=body).status_code == status


WHERE = """
import json, os
held = 5
open('here', 'w').write('x')
print(json.dumps([os.getuid(), os.path.realpath('.'), os.environ['HOME']]))
"""


def test_each_person_has_a_user_id_and_a_home_of_their_own(gateways: Gateways) -> None:
    ann, bob = (gateways.client(user, demo="editor", other="editor") for user in ("ann", "bob"))
    starts = {
        "shared": (ann, "demo"),
        "ann": (ann, "@demo"),
        "ann again": (ann, "@demo"),
        "bob": (bob, "@demo"),
        "ann elsewhere": (ann, "@other"),
    }
    found = {}
    for name, (client, project) in starts.items():
        kernel_id = start(gateways, client, project)
        found[name] = json.loads(run(gateways, client, kernel_id, WHERE))
    assert found["ann"] == found["ann again"]
    others = [found[name] for name in ("shared", "ann", "bob", "ann elsewhere")]
    assert len({home for _, home, _ in others}) == 4
    assert all(home == folder for _, folder, home in others)
    if os.geteuid() == 0:
        assert len({uid for uid, _, _ in others}) == 4
    # As gateways of the version before read it: nobody has a role in such a project.
    with sqlite3.connect(gateways.directory / "gateway.sqlite") as database:
        rows = database.execute(
            "SELECT project FROM fleet_kernel WHERE personal_project = ? AND state = 'running'",
            (b"demo",),
        ).fetchall()
    assert [project[:1] for (project,) in rows] == [b"@"] * 3


def test_it_stays_one_persons_through_restarts_deaths_and_other_gateways(
    own_gateways: Gateways,
) -> None:
    gateways = own_gateways
    ann, bob = (gateways.client(user, demo="editor") for user in ("ann", "bob"))
    kernel_id = start(gateways, ann)
    uid, home, _ = json.loads(run(gateways, ann, kernel_id, WHERE))

    def is_anns(number: int) -> None:
        url = f"{gateways.urls[number]}/api/kernels/{kernel_id}"
        assert ann.call("GET", url).json()["only_for"] == "ann"
        assert bob.call("GET", url).status_code == 403
        assert bob.call("POST", f"{url}/restart").status_code == 403
        assert bob.call("DELETE", url).status_code == 403
        with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
            bob.channels(gateways.urls[number], kernel_id)

    url = f"{gateways.urls[0]}/api/kernels/{kernel_id}"
    restarted = ann.call("POST", f"{url}/restart")
    assert restarted.status_code == 200, restarted.text
    is_anns(0)
    assert json.loads(run(gateways, ann, kernel_id, WHERE))[:2] == [uid, home]
    # Its gateway dies, and the other one has it.
    gateways.processes[0].kill()
    url = f"{gateways.urls[1]}/api/kernels/{kernel_id}"
    wait_until(lambda: ann.call("GET", url).json()["owner"] == "gateway-1")
    assert run(gateways, ann, kernel_id, "print(held)", 1) == "5\n"
    is_anns(1)
    # All of it dies, and its person has it launched again.
    kill_container(kernel_id)
    wait_until(lambda: ann.call("GET", url).json()["state"] == "dead")
    is_anns(1)
    restarted = ann.call("POST", f"{url}/restart")
    assert restarted.status_code == 200, restarted.text
    is_anns(1)
    assert json.loads(run(gateways, ann, kernel_id, WHERE, 1))[:2] == [uid, home]
    assert ann.call("DELETE", url).status_code == 204
