"""Generated paths, IDs, queries and bodies: none shows a stranger something of a project, none is
an error of the server, and none changes anything."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet
from tests.integration.jupyter_ext.kernels.hostile_calls import (
    GATEWAY_STARTS,
    LAB_STARTS,
    METHODS,
    OWN,
    Caller,
    bodies,
    paths,
    queries,
)

SECRET = "only-demo-knows"
"""In the content and the names of all that the project `demo` has."""
SAMPLE, ALL = 120, 3500
"""Calls of each of six tests: in `make test`, and with `long`, together more than 20,000."""

pytestmark = pytest.mark.timeout(1800)
numbers = pytest.mark.parametrize(
    "number", [pytest.param(SAMPLE, id="few"), pytest.param(ALL, id="all", marks=pytest.mark.long)]
)
servers = pytest.mark.parametrize("server", ["lab", "gateway"])


@dataclass
class Attacked:
    """What a stranger calls, and what there is to find."""

    callers: dict[str, Caller]
    ids: tuple[str, ...]

    def check(self, server: str, method: str, target: str, body: bytes | None = None) -> None:
        answer = self.callers[server].call(method, target, body)
        where = (server, method, target, body)
        assert answer.status < 500, (*where, answer.text[-300:])
        assert SECRET not in answer.text, where
        assert "Traceback" not in answer.text, where


@pytest.fixture(scope="module")
def attacked(fleet: Fleet) -> Iterator[Attacked]:
    owner, url = fleet.gateways.client(), fleet.urls[0]
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": SECRET}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    for name, content in (
        ("secret.txt", SECRET),
        ("secret.ipynb", json.dumps(notebook)),
        (f"{SECRET}.ipynb", json.dumps(notebook)),
    ):
        body = {"type": "file", "format": "text", "content": content}
        made = owner.call("PUT", f"{url}/api/contents/demo/{name}", json=body)
        assert made.status_code in (200, 201)
    body = {"path": f"demo/{SECRET}.ipynb", "name": SECRET, "type": "notebook"}
    session = owner.call("POST", f"{url}/api/sessions", json=body | {"kernel": {"name": "python"}})
    model = session.json()
    kernel_id = model["kernel"]["id"]
    # With two projects, no call of theirs starts a kernel by leaving out for which.
    token = fleet.gateways.signer.sign("mallory", {OWN: "owner", "third": "owner"}, 7200)
    callers = {"lab": Caller(url, token), "gateway": Caller(fleet.gateways.urls[0], token)}
    with owner.channels(url, kernel_id) as channels:
        assert channels.run("kept = 42") == ""
    yield Attacked(callers, (kernel_id, model["id"]))
    with owner.channels(url, kernel_id) as channels:
        # The same process of the kernel.
        assert channels.run("print(kept)") == "42\n"
    answer = owner.call("GET", f"{url}/api/contents/demo/secret.txt")
    assert answer.json()["content"] == SECRET
    names = {one["name"] for one in owner.call("GET", f"{url}/api/contents/demo").json()["content"]}
    assert {"secret.txt", "secret.ipynb", f"{SECRET}.ipynb"} <= names
    assert owner.call("GET", f"{url}/api/sessions/{model['id']}").json()["path"] == body["path"]


def examples(number: int) -> Any:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
    return settings(max_examples=number, deadline=None, suppress_health_check=checks, database=None)


def starts_of(server: str) -> tuple[str, ...]:
    return LAB_STARTS if server == "lab" else GATEWAY_STARTS


@numbers
@servers
def test_paths_and_ids(attacked: Attacked, server: str, number: int) -> None:
    @examples(number)
    @given(METHODS, paths(starts_of(server), attacked.ids))
    def run(method: str, path: str) -> None:
        attacked.check(server, method, path)

    run()


@numbers
@servers
def test_queries(attacked: Attacked, server: str, number: int) -> None:
    @examples(number)
    @given(paths(starts_of(server), attacked.ids), queries(attacked.ids))
    def run(path: str, query: str) -> None:
        attacked.check(server, "GET", f"{path}?{query}")

    run()


@numbers
@servers
def test_bodies(attacked: Attacked, server: str, number: int) -> None:
    places = paths((*starts_of(server), f"/api/contents/{OWN}"), attacked.ids)

    @examples(number)
    @given(METHODS, places, bodies(attacked.ids))
    def run(method: str, path: str, body: bytes) -> None:
        attacked.check(server, method, path, body)

    run()
