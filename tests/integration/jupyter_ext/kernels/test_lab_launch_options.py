"""Launch options through labs: checked, passed on, remembered."""

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.integration.gateway_ext.fleet_of_gateways import REPOSITORY, Client
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

pytestmark = pytest.mark.timeout(120)


@pytest.fixture(scope="module", autouse=True)
def _kernelspec(fleet: Fleet) -> None:
    kernels = fleet.gateways.directory / "kernels"
    spec = json.loads((kernels / "python" / "kernel.json").read_text())
    shipped = json.loads((REPOSITORY / "kernelspecs" / "python" / "kernel.json").read_text())
    spec["metadata"]["fleet"] = shipped["metadata"]["fleet"]
    (kernels / "chosen").mkdir()
    (kernels / "chosen" / "kernel.json").write_text(json.dumps(spec))


@pytest.fixture
def ada(fleet: Fleet) -> Client:
    return fleet.gateways.client()


def post(client: Client, url: str, path: str, **kernel: Any) -> Any:
    body = {"path": path, "name": path.rpartition("/")[2], "type": "notebook"}
    body["kernel"] = {"name": "chosen", **kernel}
    return client.call("POST", f"{url}/api/sessions", json=body)


def choices(client: Client, url: str, path: str, kernel: str = "chosen") -> Any:
    query = f"?path={path}&kernel={kernel}"
    return client.call("GET", f"{url}/api/fleet/launch-choices{query}")


def test_options_of_a_notebook_are_used_and_remembered(fleet: Fleet, ada: Client) -> None:
    path = f"demo/{uuid.uuid4().hex}.ipynb"
    assert choices(ada, fleet.urls[0], path).json()["document"] is None
    options = {"memory": "1Gi", "environment": {"MODE": "fast", "API_TOKEN": "hush"}}
    answer = post(ada, fleet.urls[0], path, launch_options=options)
    assert answer.status_code == 201, answer.text
    session = answer.json()
    kernel_id = session["kernel"]["id"]
    shown = {"memory": "1Gi", "environment": {"MODE": None, "API_TOKEN": None}}
    own = {"memory": "1Gi", "environment": {"MODE": "fast", "API_TOKEN": None}}
    assert session["kernel"]["launch_options"] == shown
    with ada.channels(fleet.urls[1], kernel_id) as page:
        code = "import os; print(os.environ['MODE'], os.environ['API_TOKEN'])"
        assert page.run(code) == "fast hush\n"
    found = choices(ada, fleet.urls[1], path).json()
    assert found == {"user": own, "document": own}
    # A colleague has no choice of their own, and sees that of the document without its values.
    bob = fleet.gateways.client("bob")
    assert choices(bob, fleet.urls[1], path).json() == {"user": None, "document": shown}
    viewer = fleet.gateways.client("eve", demo="viewer")
    assert choices(viewer, fleet.urls[1], path).status_code == 403

    # Another kernel for the same notebook, with other options.
    url = f"{fleet.urls[1]}/api/sessions/{session['id']}"
    body = {"kernel": {"name": "chosen", "launch_options": {"memory": "2Gi"}}}
    changed = ada.call("PATCH", url, json=body)
    assert changed.status_code == 200, changed.text
    assert changed.json()["kernel"]["launch_options"] == {"memory": "2Gi"}
    assert changed.json()["kernel"]["id"] != kernel_id
    assert choices(ada, fleet.urls[0], path).json()["document"] == {"memory": "2Gi"}
    # A start without options changes no choice.
    assert post(ada, fleet.urls[0], f"{path}2").status_code == 201
    assert choices(ada, fleet.urls[0], path).json()["user"] == {"memory": "2Gi"}


def test_a_kernel_that_exists_is_not_ended_by_a_start_with_its_id(
    fleet: Fleet, ada: Client
) -> None:
    path = f"demo/{uuid.uuid4().hex}.ipynb"
    kernel_id = post(ada, fleet.urls[0], path).json()["kernel"]["id"]
    body = {"kernel_id": kernel_id, "name": "chosen", "launch_options": {"memory": "1Gi"}}
    eve = fleet.gateways.client("eve")
    eve.headers["X-Fleet-Start"] = "async"

    def start(number: int) -> Any:
        url = fleet.urls[number % 2]
        return eve.call("POST", f"{url}/api/kernels", json={**body, "path": "demo/x.ipynb"})

    # Many at once: a gateway that is slow to answer is answered for by another.
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(start, range(48)))
    assert {answer.status_code for answer in answers} == {409}
    assert ada.call("GET", f"{fleet.urls[0]}/api/kernels/{kernel_id}").status_code == 200


def test_the_choice_of_a_document_follows_it(fleet: Fleet, ada: Client) -> None:
    name = uuid.uuid4().hex
    url = fleet.urls[0]
    notebook = {"type": "notebook", "format": "json", "content": EMPTY}
    saved = ada.call("PUT", f"{url}/api/contents/demo/{name}.ipynb", json=notebook)
    assert saved.status_code == 201, saved.text
    started = post(ada, url, f"demo/{name}.ipynb", launch_options={"memory": "1Gi"})
    assert started.status_code == 201, started.text
    moved = {"path": f"demo/{name}-moved.ipynb"}
    renamed = ada.call("PATCH", f"{url}/api/contents/demo/{name}.ipynb", json=moved)
    assert renamed.status_code == 200, renamed.text
    assert choices(ada, url, moved["path"]).json()["document"] == {"memory": "1Gi"}
    assert choices(ada, url, f"demo/{name}.ipynb").json()["document"] is None
    # A later file of this name is another one.
    deleted = ada.call("DELETE", f"{url}/api/contents/{moved['path']}")
    assert deleted.status_code == 204, deleted.text
    assert choices(ada, url, moved["path"]).json()["document"] is None


EMPTY = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


@pytest.mark.parametrize(
    ("kernel", "words"),
    [
        ({"launch_options": {"cpus": 1}}, "launch_options.cpus is not allowed: the options of the"),
        ({"launch_options": {"gpu": 1}}, "launch_options.gpu is not allowed (there is no such"),
        ({"launch_options": {"memory": "1Mi"}}, "at least 100Mi"),
        ({"launch_options": []}, "launch_options must be an object"),
        ({"launch_defaults": {"memory": "1Mi"}}, "at least 100Mi"),
        ({"launch_defaults": []}, "launch_defaults must be an object"),
        ({"name": "python", "launch_options": {"memory": "1Gi"}}, "has no launch options"),
        ({"env": {"KERNEL_CPUS": "8"}}, "KERNEL_CPUS may not be set in env: choose sizes, image"),
        ({"env": {"MINE": "8"}}, "MINE may not be set in env"),
        ({"env": {"MINE": 8}}, "'MINE' must be a string"),
    ],
)
def test_what_is_not_allowed_starts_nothing(
    fleet: Fleet, ada: Client, kernel: dict[str, Any], words: str
) -> None:
    path = f"demo/{uuid.uuid4().hex}.ipynb"
    answer = post(ada, fleet.urls[0], path, **kernel)
    assert answer.status_code == 400
    assert words in answer.json()["message"]
    sessions = ada.call("GET", f"{fleet.urls[0]}/api/sessions").json()
    assert path not in [session["path"] for session in sessions]
    # The same without a document.
    body = {"name": "chosen", "path": path, **kernel}
    answer = ada.call("POST", f"{fleet.urls[0]}/api/kernels", json=body)
    assert answer.status_code == 400
    assert words in answer.json()["message"]


def test_options_need_a_new_kernel(fleet: Fleet, ada: Client) -> None:
    session = post(ada, fleet.urls[0], f"demo/{uuid.uuid4().hex}.ipynb").json()
    url = f"{fleet.urls[0]}/api/sessions/{session['id']}"
    for kernel in ({"id": session["kernel"]["id"]}, {}):
        body = {"kernel": {**kernel, "launch_options": {"memory": "1Gi"}}}
        answer = ada.call("PATCH", url, json=body)
        assert answer.status_code == 400
        assert "for a new kernel" in answer.json()["message"]


def test_what_may_be_chosen(fleet: Fleet, ada: Client) -> None:
    url = f"{fleet.urls[0]}/api/fleet/kernelspecs"
    answer = ada.call("GET", f"{url}/chosen/launch-options?project=demo").json()
    assert set(answer) == {"name", "project", "schema", "defaults"}
    assert list(answer["schema"]["properties"]) == ["memory", "environment", "only_for_me"]
    assert ada.call("GET", f"{url}/nothing/launch-options?project=demo").status_code == 404
    assert ada.call("GET", f"{url}/chosen/launch-options?project=other").status_code == 403
    assert ada.call("GET", f"{url}/chosen/launch-options").status_code == 400
    assert choices(ada, fleet.urls[0], "demo/a.ipynb", "nothing").status_code == 404
    assert choices(ada, fleet.urls[0], "", "chosen").status_code == 400
