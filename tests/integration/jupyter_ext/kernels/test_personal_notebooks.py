"""Notebooks in which a person has a kernel alone, while others go on in the notebook's own."""

import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import websocket

from tests.integration.gateway_ext.fleet_of_gateways import (
    REPOSITORY,
    Client,
    Gateways,
    kill_container,
    running_gateways,
    wait_until,
)
from tests.integration.jupyter_ext.kernels.earlier_version import put_earlier
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

pytestmark = pytest.mark.timeout(120)
MINE = {"only_for_me": True}


@pytest.fixture
def ann(fleet: Fleet) -> Client:
    return fleet.gateways.client("ann", demo="editor")


@pytest.fixture
def bob(fleet: Fleet) -> Client:
    return fleet.gateways.client("bob", demo="editor")


@pytest.fixture
def path(fleet: Fleet, ann: Client, bob: Client) -> Iterator[str]:
    """A notebook that nobody has opened. The sessions that are open afterwards are ended by their
    people: nobody else sees those with a kernel of one person."""
    yield f"demo/{uuid.uuid4().hex}.ipynb"
    url = f"{fleet.urls[0]}/api/sessions"
    for client in (ann, bob):
        for one in client.call("GET", url).json():
            # The session may have gone with another one's kernel.
            answer = client.call("DELETE", f"{url}/{one['id']}")
            assert answer.status_code in (204, 404), answer.text


def post(fleet: Fleet, client: Client, path: str, lab: int = 0, **kernel: Any) -> Any:
    body = {"path": path, "name": path.rpartition("/")[2], "type": "notebook"}
    body["kernel"] = {"name": "lossless", **kernel}
    return client.call("POST", f"{fleet.urls[lab]}/api/sessions", json=body)


def patch(fleet: Fleet, client: Client, session_id: str, lab: int = 0, **body: Any) -> Any:
    return client.call("PATCH", f"{fleet.urls[lab]}/api/sessions/{session_id}", json=body)


def listed(fleet: Fleet, client: Client, path: str, lab: int = 1) -> list[tuple[str, str]]:
    """Session and kernel of the document, as pages get them; they take the first."""
    sessions = client.call("GET", f"{fleet.urls[lab]}/api/sessions").json()
    return [(one["id"], one["kernel"]["id"]) for one in sessions if one["document_path"] == path]


def run(fleet: Fleet, client: Client, kernel_id: str, code: str) -> str:
    with client.channels(fleet.urls[0], kernel_id) as channels:
        return channels.run(code)


def only_for_me(name: str = "lossless") -> dict[str, Any]:
    return {"name": name, "launch_options": MINE}


def test_one_person_leaves_for_a_kernel_alone_and_all_others_stay(
    fleet: Fleet, ann: Client, bob: Client, path: str
) -> None:
    shared = post(fleet, ann, path).json()
    session, kernel = shared["id"], shared["kernel"]["id"]
    assert post(fleet, bob, path, 1).json()["id"] == session
    run(fleet, bob, kernel, "x = 'of all'")
    changed = patch(fleet, ann, session, kernel=only_for_me())
    assert changed.status_code == 200, changed.text
    own = changed.json()["kernel"]
    assert (changed.json()["id"], own["only_for"]) == (session, "ann")
    assert own["id"] != kernel
    run(fleet, ann, own["id"], "x = 'of ann'")
    # Each goes on in the same notebook, at every lab, and finds what they had.
    assert listed(fleet, ann, path) == [(session, own["id"])]
    assert listed(fleet, bob, path) == [(session, kernel)]
    assert post(fleet, ann, path, 1).json()["kernel"]["id"] == own["id"]
    assert post(fleet, bob, path).json()["kernel"]["id"] == kernel
    url = f"{fleet.urls[1]}/api/sessions/{session}"
    assert ann.call("GET", url).json()["kernel"]["id"] == own["id"]
    assert bob.call("GET", url).json()["kernel"]["id"] == kernel
    assert run(fleet, bob, kernel, "print(x)") == "of all\n"
    assert run(fleet, ann, own["id"], "print(x)") == "of ann\n"
    # Nobody else uses it by any route.
    kernel_url = f"{fleet.urls[0]}/api/kernels/{own['id']}"
    for method, target in (
        ("GET", kernel_url),
        ("DELETE", kernel_url),
        ("POST", f"{kernel_url}/restart"),
        ("POST", f"{kernel_url}/interrupt"),
    ):
        assert bob.call(method, target).status_code == 403
    with pytest.raises(websocket.WebSocketException):
        bob.channels(fleet.urls[0], own["id"]).run("1")
    for tried in (
        post(fleet, bob, path, id=own["id"]),
        patch(fleet, bob, session, kernel={"id": own["id"]}),
    ):
        assert tried.status_code == 403
    owner = fleet.gateways.client("olga", demo="owner")
    with pytest.raises(websocket.WebSocketBadStatusException, match="403"):
        owner.channels(fleet.urls[0], own["id"])
    for tried in (
        post(fleet, owner, f"{path}2.ipynb", id=own["id"]),
        patch(fleet, owner, session, kernel={"id": own["id"]}),
    ):
        assert (tried.status_code, "ann's alone" in tried.text) == (400, True)
    assert own["id"] not in {one["id"] for one in bob.call("GET", kernels_of(fleet)).json()}
    assert own["id"] not in {one["id"] for one in owner.call("GET", kernels_of(fleet)).json()}
    seen = owner.call("GET", f"{kernels_of(fleet)}?personal=all").json()
    assert own["id"] in {one["id"] for one in seen}
    # The shared kernel ends for others, and not for ann; hers for nobody else.
    assert bob.call("DELETE", url).status_code == 204
    assert listed(fleet, bob, path) == []
    assert listed(fleet, ann, path) == [(session, own["id"])]
    again = post(fleet, bob, path).json()
    assert again["kernel"]["id"] not in (kernel, own["id"])
    assert ann.call("DELETE", url).status_code == 204
    assert ann.call("GET", kernel_url).status_code == 404
    # Hers was another session than that of all is by now: a page of hers does not go on in that.
    assert listed(fleet, ann, path) == []
    assert post(fleet, ann, path).json()["kernel"]["id"] == again["kernel"]["id"]
    assert listed(fleet, ann, path) == [(again["id"], again["kernel"]["id"])]


def kernels_of(fleet: Fleet) -> str:
    return f"{fleet.urls[0]}/api/kernels"


def test_a_person_has_one_kernel_alone_whoever_starts_it_how_often(
    fleet: Fleet, ann: Client, bob: Client, path: str
) -> None:
    with ThreadPoolExecutor(6) as threads:
        starts = [
            threads.submit(post, fleet, ann, path, number % 2, launch_options=MINE)
            for number in range(6)
        ]
        answers = [one.result() for one in starts]
    assert {one.status_code for one in answers} == {201}
    (own,) = {one.json()["kernel"]["id"] for one in answers}
    # Nor by a start without a session; and a colleague has another one.
    body = {"path": path, "name": "lossless", "launch_options": MINE}
    assert ann.call("POST", kernels_of(fleet), json=body).json()["id"] == own
    other = {**body, "kernel_id": str(uuid.uuid4())}
    assert ann.call("POST", kernels_of(fleet), json=other).status_code == 409
    assert bob.call("POST", kernels_of(fleet), json=body).json()["only_for"] == "bob"
    shared = post(fleet, fleet.gateways.client("olga", demo="owner"), path).json()["kernel"]
    assert shared["only_for"] is None
    assert [kernel for _, kernel in listed(fleet, ann, path)] == [own]
    # It is not for another notebook, and a console of it is its person's.
    assert post(fleet, ann, f"{path}2.ipynb", id=own).status_code == 400
    console = {"path": f"{path}-console", "name": "c", "type": "console", "kernel": {"id": own}}
    made = ann.call("POST", f"{fleet.urls[0]}/api/sessions", json=console).json()
    assert made["kernel"]["id"] == own
    assert listed(fleet, bob, f"{path}-console") == []
    url = f"{fleet.urls[1]}/api/sessions/{made['id']}"
    assert bob.call("GET", url).status_code == 404
    assert ann.call("DELETE", url).status_code == 204
    assert run(fleet, ann, own, "print(1)") == "1\n"
    # Her pages do not go on in the kernel of all, whose session has another id, if others end hers.
    ended = fleet.gateways.client("olga", demo="owner").call("DELETE", f"{kernels_of(fleet)}/{own}")
    assert ended.status_code == 204
    assert listed(fleet, ann, path) == []


def test_nothing_runs_in_the_kernel_of_all_by_the_death_of_ones_own(
    fleet: Fleet, ann: Client, path: str
) -> None:
    shared = post(fleet, ann, path).json()
    session, kernel = shared["id"], shared["kernel"]["id"]
    own = patch(fleet, ann, session, kernel=only_for_me()).json()["kernel"]["id"]
    kill_container(own)
    url = f"{fleet.urls[0]}/api/kernels/{own}"
    wait_until(lambda: ann.call("GET", url).json()["state"] == "dead")
    assert listed(fleet, ann, path) == [(session, own)]
    # It is launched again, or another one of hers takes its place.
    answer = ann.call("POST", f"{url}/restart")
    assert answer.status_code == 200, answer.text
    assert ann.call("GET", url).json()["only_for"] == "ann"
    assert fleet.gateways.client("olga", demo="owner").call("DELETE", url).status_code == 204
    assert listed(fleet, ann, path) == []
    opened = post(fleet, ann, path).json()
    assert (opened["id"], opened["kernel"]["only_for"]) == (session, "ann")
    assert opened["kernel"]["id"] not in (own, kernel)
    # What she has ended is not followed by the kernel of all in pages that are open.
    assert ann.call("DELETE", f"{fleet.urls[0]}/api/sessions/{session}").status_code == 204
    assert listed(fleet, ann, path) == []
    assert post(fleet, ann, path).json()["kernel"]["id"] == kernel
    assert listed(fleet, ann, path) == [(session, kernel)]


def test_whoever_goes_back_has_the_kernel_of_all_which_nobody_replaces(
    fleet: Fleet, ann: Client, bob: Client, path: str
) -> None:
    session = post(fleet, bob, path).json()
    kernel = session["kernel"]["id"]
    run(fleet, bob, kernel, "x = 1")
    first = patch(fleet, ann, session["id"], kernel=only_for_me()).json()["kernel"]["id"]
    second = patch(fleet, ann, session["id"], kernel=only_for_me()).json()["kernel"]["id"]
    assert second != first
    assert ann.call("GET", f"{fleet.urls[0]}/api/kernels/{first}").status_code == 404
    back = patch(fleet, ann, session["id"], kernel={"name": "lossless"}).json()
    assert (back["id"], back["kernel"]["id"]) == (session["id"], kernel)
    assert run(fleet, ann, kernel, "print(x)") == "1\n"
    assert ann.call("GET", f"{fleet.urls[0]}/api/kernels/{second}").status_code == 404
    third = patch(fleet, ann, session["id"], kernel=only_for_me()).json()["kernel"]["id"]
    by_id = patch(fleet, ann, session["id"], kernel={"id": kernel}).json()
    assert by_id["kernel"]["id"] == kernel
    assert ann.call("GET", f"{fleet.urls[0]}/api/kernels/{third}").status_code == 404
    assert listed(fleet, ann, path) == listed(fleet, bob, path) == [(session["id"], kernel)]


def test_it_follows_the_notebook_to_another_name(
    fleet: Fleet, ann: Client, bob: Client, path: str
) -> None:
    cells = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    contents = f"{fleet.urls[0]}/api/contents"
    body = {"type": "notebook", "format": "json", "content": cells}
    assert ann.call("PUT", f"{contents}/{path}", json=body).status_code == 201
    session = post(fleet, bob, path).json()
    own = patch(fleet, ann, session["id"], kernel=only_for_me()).json()["kernel"]["id"]
    moved = path.replace(".ipynb", "-moved.ipynb")
    assert bob.call("PATCH", f"{contents}/{path}", json={"path": moved}).status_code == 200
    assert listed(fleet, ann, moved) == [(session["id"], own)]
    shared = session["kernel"]["id"]
    assert listed(fleet, bob, moved) == [(session["id"], shared)]
    assert shown_path(fleet, bob, shared) == shown_path(fleet, ann, own) == moved
    # As a page of hers renames the session.
    again = path.replace(".ipynb", "-again.ipynb")
    renamed = patch(fleet, ann, session["id"], path=again)
    assert (renamed.json()["path"], renamed.json()["kernel"]["id"]) == (again, own)
    assert listed(fleet, ann, again) == [(session["id"], own)]
    assert listed(fleet, bob, again) == [(session["id"], shared)]
    assert shown_path(fleet, bob, shared) == shown_path(fleet, ann, own) == again
    # Not into another project.
    elsewhere = fleet.gateways.client("ann", demo="editor", other="editor")
    assert patch(fleet, elsewhere, session["id"], path="other/a.ipynb").status_code == 400


def shown_path(fleet: Fleet, client: Client, kernel_id: str) -> str:
    """The path of a kernel, as the panel of running kernels shows it."""
    models = {one["id"]: one for one in client.call("GET", kernels_of(fleet)).json()}
    single = client.call("GET", f"{kernels_of(fleet)}/{kernel_id}").json()
    assert models[kernel_id]["path"] == single["path"]
    return str(single["path"])


def test_it_is_offered_and_asked_for_as_a_launch_option(
    fleet: Fleet, ann: Client, path: str
) -> None:
    url = f"{fleet.urls[0]}/api/fleet/kernelspecs/lossless/launch-options?project=demo"
    offered = ann.call("GET", url).json()["schema"]["properties"]["only_for_me"]
    assert (offered["type"], offered["title"]) == ("boolean", "Only for me")
    assert post(fleet, ann, path, launch_options={"only_for_me": "yes"}).status_code == 400
    viewer = fleet.gateways.client("eve", demo="viewer")
    assert post(fleet, viewer, path, launch_options=MINE).status_code == 403
    assert post(fleet, ann, path, launch_options=MINE).status_code == 201
    query = f"?path={path}&kernel=lossless"
    found = ann.call("GET", f"{fleet.urls[0]}/api/fleet/launch-choices{query}").json()
    assert found == {"user": None, "document": None}


class GatewaysBefore(Gateways):
    """Gateways that know no kernels of one person."""

    def __init__(self, directory: Path, count: int, *more: Any) -> None:
        self.code = directory / "before"
        self.code.mkdir()
        put_earlier(self.code, "gateway_ext", "jupyter_ext", commit="17c3309f")
        super().__init__(directory, count, *more)


@pytest.mark.long
def test_gateways_of_the_version_before_start_none_for_all_and_show_it_to_nobody() -> None:
    with running_gateways(kind=GatewaysBefore, count=1) as gateways:
        gateways.code = REPOSITORY
        gateways.add()
        old, new = (f"{url}/api/kernels" for url in gateways.urls)
        ann, bob = (gateways.client(user, demo="editor") for user in ("ann", "bob"))
        body = {"name": "lossless", "project": "@demo", "kernel_id": str(uuid.uuid4())}
        assert ann.call("POST", old, json=body).status_code == 400
        assert ann.call("GET", f"{new}?personal=mine").json() == []
        answer = ann.call("POST", new, json=body)
        assert answer.status_code == 201, answer.text
        url = f"/{body['kernel_id']}"
        owner = gateways.client("olga", demo="owner")

        def shown_to_nobody() -> None:
            for client in (ann, bob, owner):
                assert client.call("GET", f"{old}{url}").status_code == 404
                assert client.call("POST", f"{old}{url}/restart").status_code == 404
                assert client.call("DELETE", f"{old}{url}").status_code == 404
                assert client.call("GET", old).json() == []
                with pytest.raises(websocket.WebSocketBadStatusException, match="404"):
                    client.channels(gateways.urls[0], body["kernel_id"])

        shown_to_nobody()
        taken = bob.call("POST", old, json={**body, "project": "demo"})
        assert taken.status_code == 409
        # Its agent connects to the old one, which has it then and still shows it to nobody.
        gateways.processes[1].kill()
        wait_until(lambda: "claim" in claims_of(gateways, body["kernel_id"])[-1:], 30)
        shown_to_nobody()
        gateways.start_again(1)
        assert bob.call("GET", f"{new}{url}").status_code == 403
        assert ann.call("GET", f"{new}{url}").json()["owner"] == "gateway-0"
        # It is as it was when it has come to a new one.
        gateways.processes[0].stop()
        wait_until(lambda: ann.call("GET", f"{new}{url}").json()["owner"] == "gateway-1", 30)
        with ann.channels(gateways.urls[1], body["kernel_id"]) as channels:
            assert channels.run("print(1)") == "1\n"
        assert ann.call("DELETE", f"{new}{url}").status_code == 204
        gateways.start_again(0)


def claims_of(gateways: Gateways, kernel_id: str) -> list[str]:
    """What happened to a kernel since another gateway had it, as the old one says to operators."""
    url = f"{gateways.urls[0]}/api/fleet/kernels/{kernel_id}/events"
    events = gateways.service().call("GET", url).json()["events"]
    return [one["event"] for one in events if one["gateway"] == "gateway-0"]
