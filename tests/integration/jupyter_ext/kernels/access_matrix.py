"""Who gets which answer: tables, and what tries each of their cases.

The tables stand beside this file. They began as what the servers answered, and each line was then
compared with what is promised. Nothing derives them from the servers' tables of routes, so a route
that is opened for more people than before fails here.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
import websocket

from jupyter_ext.platform.tokens import TokenSigner
from tests.integration.gateway_ext.fleet_of_gateways import Client
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet

CALLERS = (
    "nobody",
    "expired",
    "forged",
    "o-viewer",
    "o-editor",
    "o-owner",
    "viewer",
    "editor",
    "owner",
    "lab",
    "gateway",
    "ticket",
)
"""Who calls, in the order of the tables' columns: nobody who is signed in, somebody with a token
that has expired or that another key has signed, people with a role in another project (o-…) and in
the project, services of the fleet, and what holds a ticket of the kernel."""

PEOPLE = CALLERS[3:9]
METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
SOCKET = "SOCKET"
"""The method of a table's line that is about a websocket: 101 means that it opens."""
SECRET = "what only the project demo knows"


@dataclass(frozen=True)
class Line:
    """One line of a table: what each caller gets."""

    method: str
    path: str
    statuses: dict[str, int]


def read_table(name: str) -> list[Line]:
    """The lines of a table beside this file."""
    lines = []
    for text in (Path(__file__).parent / name).read_text().splitlines():
        words = text.split()
        if not words or words[0].startswith("#"):
            continue
        method, path, *statuses = words
        assert len(statuses) == len(CALLERS), text
        lines.append(Line(method, path, dict(zip(CALLERS, map(int, statuses), strict=True))))
    return lines


def shown(lines: list[Line]) -> str:
    """A table as it is written."""
    head = " ".join(f"{one:>8}" for one in CALLERS)
    return "\n".join(
        [f"# {'method':<6} {'path':<54} {head}"]
        + [
            f"{line.method:<8} {line.path:<54} "
            + " ".join(f"{line.statuses[one]:>8}" for one in CALLERS)
            for line in lines
        ]
    )


@dataclass
class Matrix:
    """A fleet with one notebook, its session and its kernel, another notebook of which the editor
    has a kernel alone (`personal`, in the session `own`), and everybody who calls."""

    fleet: Fleet
    url: str
    """Of the server that is asked."""
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    ids: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._person = self.fleet.gateways.client("editor-of-demo", demo="editor")
        self._owner = self.fleet.gateways.client("olga", demo="owner", other="owner")

    def _lab(self, method: str, path: str, **options: Any) -> requests.Response:
        answer: requests.Response = self._owner.call(
            method, f"{self.fleet.urls[0]}{path}", **options
        )
        return answer

    def restore(self) -> None:
        """Make what is missing of files, sessions and kernels, and end what there is beside."""
        cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": SECRET}
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        for path, body in {
            "/api/contents/demo/a.ipynb": {"type": "notebook", "content": notebook},
            "/api/contents/demo/a.txt": {"type": "file", "format": "text", "content": SECRET},
        }.items():
            assert self._lab("PUT", path, json=body).status_code in (200, 201)
        for path in ("/api/contents/demo/renamed", "/api/contents/other/a.ipynb"):
            assert self._lab("DELETE", path).status_code in (204, 404)
        if self._lab("GET", f"/api/kernels/{self.ids.get('kernel', 'none')}").status_code != 200:
            self._start_kernel()
        self._keep_one("sessions", self.ids["session"])
        self._keep_one("kernels", self.ids["kernel"])
        self._keep_personal()

    def _keep_personal(self) -> None:
        url, path = f"{self.fleet.urls[0]}/api/sessions", "demo/own.ipynb"
        found = [
            one
            for one in self._person.call("GET", url).json()
            if one["kernel"]["only_for"] is not None
        ]
        there = [(one["id"], one["kernel"]["id"], one["path"]) for one in found]
        if there == [(self.ids.get("own"), self.ids.get("personal"), path)]:
            return
        for one in found:
            self._person.call("DELETE", f"{url}/{one['id']}")
        body = {
            "path": path,
            "name": "own.ipynb",
            "type": "notebook",
            "kernel": {"name": "python", "launch_options": {"only_for_me": True}},
        }
        model = self._person.call("POST", url, json=body).json()
        self.ids |= {"own": model["id"], "personal": model["kernel"]["id"]}

    def _start_kernel(self) -> None:
        body = {
            "path": "demo/a.ipynb",
            "name": "a.ipynb",
            "type": "notebook",
            "kernel": {"name": "python"},
        }
        model = self._lab("POST", "/api/sessions", json=body).json()
        self.ids |= {"session": model["id"], "kernel": model["kernel"]["id"]}
        self.headers = dict(self._everybody())

    def _keep_one(self, kind: str, wanted: str) -> None:
        there = {one["id"] for one in self._lab("GET", f"/api/{kind}").json()}
        if wanted not in there:
            self._start_kernel()
        for one in there - {wanted}:
            self._lab("DELETE", f"/api/{kind}/{one}")

    def _everybody(self) -> Iterator[tuple[str, dict[str, str]]]:
        signer = self.fleet.gateways.signer
        forger = TokenSigner(self.fleet.gateways.directory / "stranger.pem")
        yield "nobody", {}
        tokens = {
            "expired": signer.sign("olga", {"demo": "owner"}, -60),
            "forged": forger.sign("olga", {"demo": "owner"}, 3600),
            "lab": signer.sign("lab", {}, 3600, service="lab"),
            "gateway": signer.sign("gateway", {}, 3600, service="gateway"),
        }
        path = f"/api/fleet/kernels/{self.ids['kernel']}/ticket"
        answer = Client(tokens["gateway"]).call(
            "POST", f"{self.fleet.urls[0]}{path}", json=body_of("POST", path)
        )
        tokens["ticket"] = answer.json()["ticket"]
        for role in ("viewer", "editor", "owner"):
            tokens[role] = signer.sign(f"{role}-of-demo", {"demo": role}, 3600)
            tokens[f"o-{role}"] = signer.sign(f"{role}-of-other", {"other": role}, 3600)
        for name, token in tokens.items():
            yield name, {"Authorization": f"Bearer {token}"}

    def status(self, method: str, path: str, caller: str) -> int:
        """What a caller gets; restores what the call has changed."""
        for name, value in self.ids.items():
            path = path.replace(f"{{{name}}}", value)
        if method == SOCKET:
            return self._socket(path, caller)
        answer = requests.request(
            method,
            self.url + path,
            headers={"Content-Type": "application/json", **self.headers[caller]},
            data=json.dumps(body_of(method, path)) if method in ("POST", "PUT", "PATCH") else None,
            allow_redirects=False,
            timeout=60,
        )
        if caller not in ("viewer", "editor", "owner", "lab"):
            assert SECRET not in answer.text, (method, path, caller)
        if method == "OPTIONS":
            assert not answer.ok or not answer.content, (path, caller)
        if answer.ok and method in ("POST", "PUT", "PATCH", "DELETE"):
            self.restore()
        return answer.status_code

    def _socket(self, path: str, caller: str) -> int:
        url = self.url.replace("http", "ws", 1) + path
        try:
            websocket.create_connection(
                f"{url}?session_id={uuid.uuid4().hex}",
                header=self.headers[caller],
                timeout=30,
            ).close()
        except websocket.WebSocketBadStatusException as refused:
            return refused.status_code
        return 101


def body_of(method: str, path: str) -> dict[str, Any]:
    """A body that is accepted at a path from whoever may send it there."""
    if path == "/api/sessions" or path.startswith("/api/sessions/"):
        return {
            "path": "demo/a.ipynb",
            "name": "a.ipynb",
            "type": "notebook",
            "kernel": {"name": "python"},
        }
    if path == "/api/kernels":
        # Labs know the project by the path.
        return {"name": "python", "project": "demo", "path": "demo/a.ipynb"}
    if path.startswith("/api/contents/") and method == "PUT":
        return {"type": "file", "format": "text", "content": SECRET}
    if path.startswith("/api/contents/") and method == "PATCH":
        return {"path": "demo/renamed"}
    if path.startswith("/api/contents/") and method == "POST":
        return {"type": "file", "ext": ".txt"}
    if path.startswith("/lab/api/workspaces/"):
        return {"data": {}, "metadata": {"id": path.rpartition("/")[2]}}
    if path.startswith("/lab/api/settings/"):
        return {"raw": "{}"}
    if path.endswith("/ticket"):
        return {
            "project": "demo",
            "role": "editor",
            "user": "olga",
            "path": "demo/a.ipynb",
            "kernel_name": "python",
            "epoch": 1,
        }
    return {}


def is_refused(caller: str, status: int) -> bool:
    """Whether a caller got nothing, as for each call that is in no table."""
    if caller == "nobody":
        # Whoever asks for a page is sent to the login.
        return status in (302, 401, 403, 404, 405)
    return status in (401, 403, 404, 405)


def same_as_get(line: Line, caller: str, get: Line) -> bool:
    """Whether a HEAD or OPTIONS tells no more than the GET at the same path: a HEAD has its status,
    or the route has none, for nobody, and an OPTIONS says nothing of what is there."""
    status = line.statuses[caller]
    if line.method == "HEAD":
        people = {line.statuses[one] for one in PEOPLE}
        return status in (get.statuses[caller], 405) or (status == 403 and people == {403})
    return status in (200, 204, 400, 401, 403, 404, 405)


def templated(path: str, known: str) -> str:
    """A path with the placeholder of a kernel or a session in place of an ID."""
    name = "session" if path.startswith("/api/sessions/") else "kernel"
    return re.sub(re.escape(known), f"{{{name}}}", path)


def differences(
    lines: list[Line],
    status: Callable[[str, str, str], int],
    callers: tuple[str, ...] = CALLERS,
) -> list[str]:
    """The cases of a table in which the servers answer something else."""
    wrong = []
    for line in lines:
        for caller in callers:
            found = status(line.method, line.path, caller)
            if found != line.statuses[caller]:
                expected = line.statuses[caller]
                wrong.append(f"{line.method} {line.path} {caller}: {found}, not {expected}")
    return wrong
