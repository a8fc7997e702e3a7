"""What a person sets at one lab is there at the other, and nobody else's."""

import json

import requests

from tests.integration.gateway_ext.fleet_of_gateways import Client
from tests.integration.jupyter_ext.conftest import MOST_WORKSPACES
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Labs

THEMES = "/lab/api/settings/@jupyterlab/apputils-extension:themes"
TRANSLATION = "/lab/api/settings/@jupyterlab/translation-extension:plugin"


def put_settings(client: Client, url: str, raw: str, schema: str = THEMES) -> int:
    status: int = client.call("PUT", url + schema, data=json.dumps({"raw": raw})).status_code
    return status


def test_settings_are_one_users_at_every_lab(bare_labs: Labs) -> None:
    first, second = bare_labs.urls
    ada, bob = bare_labs.client(), bare_labs.client("bob")
    raw = '{\n  // as I like it\n  "theme": "JupyterLab Dark"\n}'
    assert put_settings(ada, first, raw) == 204
    found = ada.call("GET", second + THEMES).json()
    assert found["raw"] == raw
    assert found["settings"] == {"theme": "JupyterLab Dark"}
    assert found["created"] <= found["last_modified"]
    assert found["schema"]["title"] == "Theme"

    entries = ada.call("GET", f"{second}/lab/api/settings").json()["settings"]
    (entry,) = [entry for entry in entries if entry["id"] == found["id"]]
    assert entry["raw"] == raw
    assert len(entries) > 30

    others = bob.call("GET", first + THEMES).json()
    assert others["raw"] == "{}"
    assert others["settings"] == {}
    assert others["last_modified"] is None

    assert put_settings(ada, second, '{"theme": "JupyterLab Light"}') == 204
    assert ada.call("GET", first + THEMES).json()["settings"] == {"theme": "JupyterLab Light"}


def test_settings_are_as_jupyterlab_sends_them_without_a_user(bare_labs: Labs) -> None:
    ids = bare_labs.client("new").call(
        "GET", f"{bare_labs.urls[0]}/lab/api/settings", params={"ids_only": "true"}
    )
    assert {"id": "@jupyterlab/apputils-extension:themes"} in ids.json()["settings"]


def test_bad_settings_are_refused_and_change_nothing(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    ada = bare_labs.client("careless")
    assert put_settings(ada, url, '{"theme": "JupyterLab Dark"}') == 204
    for raw in ('{"theme": 7}', "{", "[]"):
        assert put_settings(ada, url, raw) == 400, raw
    answer = ada.call("PUT", url + THEMES, data="nonsense")
    assert answer.status_code == 400
    assert put_settings(ada, url, "{}", "/lab/api/settings/@nobody/nothing:x") == 404
    assert ada.call("GET", url + THEMES).json()["settings"] == {"theme": "JupyterLab Dark"}


def test_a_language_is_one_users(bare_labs: Labs) -> None:
    url = bare_labs.urls[0]
    ada, bob = bare_labs.client("ada-fr"), bare_labs.client("bob-en")
    # The one language that needs no package: it marks what is translated.
    assert put_settings(ada, url, '{"locale": "ach_UG"}', TRANSLATION) == 204
    assert ada.call("GET", url + THEMES).status_code == 200
    assert bob.call("GET", url + THEMES).json()["schema"]["title"] == "Theme"


def workspace(name: str, data: dict[str, str]) -> str:
    return json.dumps({"data": data, "metadata": {"id": f"/{name}"}})


def test_workspaces_are_one_users_at_every_lab(bare_labs: Labs) -> None:
    first, second = bare_labs.urls
    ada, bob = bare_labs.client(), bare_labs.client("bob")
    space = "/lab/api/workspaces/auto-a b"
    empty = ada.call("GET", first + space).json()
    assert empty == {"data": {}, "metadata": {"id": "/auto-a b"}}
    assert ada.call("PUT", first + space, data=workspace("auto-a b", {"x": "1"})).status_code == 204
    found = ada.call("GET", second + space).json()
    assert found["data"] == {"x": "1"}
    assert found["metadata"]["last_modified"]
    listed = ada.call("GET", f"{second}/lab/api/workspaces").json()["workspaces"]
    assert listed["ids"] == ["/auto-a b"]
    assert listed["values"][0]["data"] == {"x": "1"}
    assert bob.call("GET", f"{first}/lab/api/workspaces").json()["workspaces"]["ids"] == []

    for body in ("nonsense", workspace("another", {}), "[]", '{"data": {}}'):
        assert ada.call("PUT", first + space, data=body).status_code == 400, body
    assert bob.call("DELETE", first + space).status_code == 404
    assert ada.call("DELETE", second + space).status_code == 204
    assert ada.call("DELETE", second + space).status_code == 404
    assert ada.call("GET", f"{first}/lab/api/workspaces").json()["workspaces"]["ids"] == []


def test_a_long_list_of_workspaces_arrives_whole(bare_labs: Labs) -> None:
    client = bare_labs.client("eve-with-much")
    url = f"{bare_labs.urls[0]}/lab/api/workspaces"
    data = {f"w{number}": {"x": str(number) * 600_000} for number in range(4)}
    for name, one in data.items():
        assert client.call("PUT", f"{url}/{name}", data=workspace(name, one)).status_code == 204
    answer = client.call("GET", url)
    assert answer.headers["Content-Type"].startswith("application/json")
    listed = answer.json()["workspaces"]
    assert listed["ids"] == [f"/{name}" for name in data]
    assert [one["metadata"]["id"] for one in listed["values"]] == listed["ids"]
    assert [one["data"] for one in listed["values"]] == list(data.values())


def test_a_workspace_too_many_is_refused(bare_labs: Labs) -> None:
    client = bare_labs.client("eve-with-many")
    names = [f"w{number}" for number in range(MOST_WORKSPACES + 1)]

    def put(name: str) -> requests.Response:
        url = f"{bare_labs.urls[0]}/lab/api/workspaces/{name}"
        return client.call("PUT", url, data=workspace(name, {}))

    answers = [put(name) for name in names]
    assert [answer.status_code for answer in answers] == [204] * MOST_WORKSPACES + [413]
    assert "delete some" in answers[-1].json()["message"]
    assert put(names[0]).status_code == 204


def test_trust_in_a_notebook_holds_at_every_lab(bare_labs: Labs) -> None:
    first, second = bare_labs.urls
    ada = bare_labs.client()
    output = {"output_type": "display_data", "metadata": {}, "data": {"text/html": "<b>x</b>"}}
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {},
        "execution_count": 1,
        "source": "1",
        "outputs": [output],
    }
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = "/api/contents/demo/trust.ipynb"
    body = {"type": "notebook", "format": "json", "content": notebook}
    assert ada.call("PUT", first + path, json=body).status_code in (200, 201)

    def trusted(url: str, reader: Client = ada) -> bool:
        content = reader.call("GET", url + path).json()["content"]
        return bool(content["cells"][0]["metadata"].get("trusted"))

    assert not trusted(second)
    assert ada.call("POST", f"{first}{path}/trust").status_code == 201
    assert trusted(first)
    assert trusted(second)

    # It is ada's trust, and no other reader's.
    vic, lab = bare_labs.client("vic", demo="viewer"), bare_labs.service("ada")
    for reader in (vic, bare_labs.client("bob", demo="editor"), lab):
        assert not trusted(first, reader)
        assert not trusted(second, reader)
    assert vic.call("POST", f"{second}{path}/trust").status_code == 201
    assert trusted(first, vic)
