"""What people do at a lab and its gateway is in their audits, and nothing secret is."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
import websocket

from jupyter_ext.platform.revocations import Revoked
from tests.integration.gateway_ext.fleet_of_gateways import Gateways, wait_until
from tests.integration.jupyter_ext.auth.browsers import browser, token
from tests.integration.jupyter_ext.kernels.fleet_of_labs import Fleet, Labs
from tests.integration.jupyter_ext.kernels.test_platform import name_platform, replace, signed_in
from tests.servers.scripted_platform import ScriptedPlatform
from tests.servers.seaweedfs import SeaweedFS
from tests.servers.short_folder import short_folder

SECRET = "5ecret-that-nobody-may-read"
NOTEBOOK = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


class Audited:
    """A lab and a gateway with an audit each."""

    def __init__(self, fleet: Fleet, directory: Path) -> None:
        self.fleet = fleet
        self.labs = fleet.labs
        self.url = fleet.urls[0]
        self._files = {name: directory / f"{name}.jsonl" for name in ("lab", "gateway")}
        self._seen = dict.fromkeys(self._files, 0)

    def all(self, server: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self._files[server].read_text().splitlines()]

    def text(self) -> str:
        return "".join(file.read_text() for file in self._files.values())

    def after(self, act: Callable[[], Any], action: str, server: str = "lab") -> dict[str, Any]:
        """The one event with this action that something makes."""
        before = {one["id"] for one in self.all(server)}
        act()

        def new() -> list[dict[str, Any]]:
            return [
                one
                for one in self.all(server)
                if one["id"] not in before and one["action"] == action
            ]

        wait_until(new)
        found = new()
        assert len(found) == 1, found
        return found[0]

    def as_user(self, user: str = "ada", **projects: str) -> Callable[..., requests.Response]:
        headers = {"Authorization": f"Bearer {token(self.labs, user, **projects)}"}

        def call(method: str, path: str, **options: Any) -> requests.Response:
            more = {**headers, **options.pop("headers", {})}
            return requests.request(
                method,
                self.url + path,
                headers=more,
                timeout=60,
                allow_redirects=False,
                **options,
            )

        return call


@pytest.fixture(scope="module")
def audited(seaweedfs: SeaweedFS) -> Iterator[Audited]:
    with short_folder("fleet-audit-") as directory:

        def told(server: str) -> dict[str, Any]:
            return {"file": str(directory / f"{server}.jsonl"), "anonymous_events_per_minute": 20}

        gateways = Gateways(directory, 1, changes={"Audit": told("gateway")})
        try:
            changes = {"Audit": {**told("lab"), "server_name": "lab-0"}}
            labs = Labs(directory, gateways.signer, gateways.urls, seaweedfs, 1, changes)
            try:
                yield Audited(Fleet(labs, gateways), directory)
            finally:
                labs.stop()
        finally:
            gateways.stop()


def test_what_is_done_to_files(audited: Audited) -> None:
    ada = audited.as_user()
    body = {"type": "notebook", "content": NOTEBOOK}
    saved = audited.after(lambda: ada("PUT", "/api/contents/demo/a.ipynb", json=body), "file.save")
    assert saved["outcome"] == "allowed"
    assert saved["status"] == 201
    assert (saved["actor"]["kind"], saved["actor"]["name"]) == ("user", "ada")
    assert saved["actor"]["address"] == "127.0.0.1"
    assert saved["server"]["name"] == "lab-0"
    assert (saved["object"]["project"], saved["object"]["path"]) == ("demo", "demo/a.ipynb")
    read = audited.after(lambda: ada("GET", "/api/contents/demo/a.ipynb"), "file.read")
    assert read["object"]["path"] == "demo/a.ipynb"
    moved = {"path": "demo/b.ipynb"}
    renamed = audited.after(
        lambda: ada("PATCH", "/api/contents/demo/a.ipynb", json=moved), "file.rename"
    )
    assert (renamed["object"]["path"], renamed["object"]["to"]) == ("demo/a.ipynb", "demo/b.ipynb")
    made = audited.after(
        lambda: ada("POST", "/api/contents/demo", json={"type": "notebook"}), "file.create"
    )
    assert made["object"]["path"].startswith("demo/Untitled")
    gone = audited.after(lambda: ada("DELETE", "/api/contents/demo/b.ipynb"), "file.delete")
    assert gone["outcome"] == "allowed"
    missing = audited.after(lambda: ada("DELETE", "/api/contents/demo/b.ipynb"), "file.delete")
    assert (missing["outcome"], missing["status"]) == ("failed", 404)


def test_polls_are_left_out(audited: Audited) -> None:
    ada = audited.as_user()
    body = {"type": "file", "format": "text", "content": "p"}
    audited.after(lambda: ada("PUT", "/api/contents/demo/p.txt", json=body), "file.save")
    before = {one["id"] for one in audited.all("lab")}
    for path in ("/api/contents/demo", "/api/contents/demo/p.txt?content=0", "/api/sessions"):
        assert ada("GET", path).status_code == 200
    read = audited.after(lambda: ada("GET", "/api/contents/demo/p.txt"), "file.read")
    assert [one["id"] for one in audited.all("lab") if one["id"] not in before] == [read["id"]]


def test_what_is_denied_and_why(audited: Audited) -> None:
    viewer, stranger = audited.as_user("vic", demo="viewer"), audited.as_user("max", other="owner")
    body = {"type": "notebook", "content": NOTEBOOK}
    denied = audited.after(
        lambda: viewer("PUT", "/api/contents/demo/a.ipynb", json=body), "file.save"
    )
    assert (denied["outcome"], denied["status"]) == ("denied", 403)
    assert denied["reason"] == "you are not an editor of the project 'demo'"
    assert denied["actor"]["name"] == "vic"
    hidden = audited.after(lambda: stranger("GET", "/api/contents/demo/a.ipynb"), "file.read")
    assert (hidden["outcome"], hidden["status"]) == ("denied", 404)
    nobody = audited.after(
        lambda: requests.get(f"{audited.url}/api/contents/demo/a.ipynb", timeout=20), "file.read"
    )
    assert (nobody["outcome"], nobody["actor"]["kind"]) == ("denied", "nobody")
    forged = audited.after(
        lambda: requests.get(
            f"{audited.url}/api/contents/demo/a.ipynb",
            headers={"Authorization": "Bearer nonsense"},
            timeout=20,
        ),
        "file.read",
    )
    assert (forged["outcome"], forged["status"]) == ("denied", 401)
    unknown = audited.after(lambda: viewer("GET", "/lab/api/licenses/"), "other.read")
    assert unknown["outcome"] == "denied"


def test_logins_and_their_ends(audited: Audited) -> None:
    begun = audited.after(lambda: browser(audited.labs), "login")
    assert (begun["outcome"], begun["actor"]["name"]) == ("allowed", "ada")
    assert len(begun["actor"]["login"]) == 12
    link = f"{audited.url}/login?{urlencode({'token': SECRET})}"
    bad = audited.after(lambda: requests.get(link, timeout=20), "login")
    assert (bad["outcome"], bad["actor"]["kind"]) == ("denied", "nobody")
    assert bad["reason"] == "this is not a token (a signed JWT is expected)"
    session = browser(audited.labs)
    form = {"_xsrf": session.cookies["_xsrf"]}
    headers = {"Origin": audited.url}
    ended = audited.after(
        lambda: session.post(
            f"{audited.url}/logout", form, headers=headers, allow_redirects=False, timeout=20
        ),
        "logout",
    )
    assert (ended["outcome"], ended["actor"]["name"]) == ("allowed", "ada")


def test_sign_in_codes_and_revocations(audited: Audited) -> None:
    ada = audited.as_user()
    codes: list[str] = []
    made = audited.after(
        lambda: codes.append(ada("POST", "/api/fleet/sign-in-codes").json()["code"]),
        "sign_in_code.make",
    )
    assert made["actor"]["name"] == "ada"

    def use() -> None:
        requests.post(
            f"{audited.url}/login",
            {"code": codes[0], "_xsrf": "x"},
            headers={"Origin": audited.url, "Cookie": "_xsrf=x"},
            allow_redirects=False,
            timeout=20,
        )

    used = audited.after(use, "login")
    assert (used["outcome"], used["actor"]["name"]) == ("allowed", "ada")
    again = audited.after(use, "login")
    assert again["outcome"] == "denied"
    assert "code was used" in again["reason"]
    assert codes[0] not in audited.text()
    signed = audited.labs.signer.sign_revocation(Revoked.USER, "zoe")
    revoked = audited.after(
        lambda: requests.post(
            f"{audited.url}/api/fleet/revocations", json={"revocation": signed}, timeout=20
        ),
        "revocation.add",
    )
    assert revoked["actor"]["kind"] == "platform"
    assert (revoked["outcome"], revoked["object"]["name"]) == ("allowed", "user zoe")


def test_kernels_at_the_lab_and_at_the_gateway(audited: Audited) -> None:
    ada, max_ = audited.as_user(), audited.as_user("max", other="owner")
    asked = {"path": "demo/k.ipynb", "type": "notebook", "kernel": {"name": "python"}}
    models: list[dict[str, Any]] = []
    opened = audited.after(
        lambda: models.append(ada("POST", "/api/sessions", json=asked).json()), "session.open"
    )
    kernel_id = models[0]["kernel"]["id"]
    assert (opened["object"]["session"], opened["object"]["kernel"]) == (models[0]["id"], kernel_id)
    assert opened["object"]["path"] == "demo/k.ipynb"
    started = [
        one
        for one in audited.all("gateway")
        if one["action"] == "kernel.start" and one["object"]["kernel"] == kernel_id
    ]
    assert [(one["actor"]["name"], one["object"]["project"]) for one in started] == [
        ("ada", "demo")
    ]
    # One person's call can be followed from one server to the other.
    assert started[0]["request"] == opened["request"]

    def dial() -> None:
        bearer = f"Authorization: Bearer {token(audited.labs)}"
        address = audited.url.replace("http", "ws", 1)
        query = urlencode({"session_id": uuid.uuid4().hex})
        websocket.create_connection(
            f"{address}/api/kernels/{kernel_id}/channels?{query}", header=[bearer], timeout=30
        ).close()

    connected = audited.after(dial, "kernel.connect")
    assert (connected["outcome"], connected["object"]["kernel"]) == ("allowed", kernel_id)
    interrupted = audited.after(
        lambda: ada("POST", f"/api/kernels/{kernel_id}/interrupt"), "kernel.interrupt", "gateway"
    )
    assert interrupted["server"]["kind"] == "gateway"
    assert interrupted["server"]["name"] == "gateway-0"
    assert (interrupted["actor"]["name"], interrupted["object"]["project"]) == ("ada", "demo")
    hidden = audited.after(
        lambda: max_("GET", f"/api/kernels/{kernel_id}"), "kernel.look", "gateway"
    )
    assert (hidden["outcome"], hidden["status"]) == ("denied", 404)
    assert hidden["reason"] == "max has no role in 'demo'"
    ended = audited.after(lambda: ada("DELETE", f"/api/sessions/{models[0]['id']}"), "session.end")
    assert ended["outcome"] == "allowed"
    ends = [one for one in audited.all("gateway") if one["action"] == "kernel.end"]
    assert [one["outcome"] for one in ends][-1] == "allowed"


def test_a_forged_hello_of_an_agent(audited: Audited) -> None:
    with audited.fleet.kernel(name="python") as kernel_id:
        address = audited.fleet.gateways.urls[0].replace("http", "ws", 1)

        def forge() -> None:
            socket = websocket.create_connection(
                f"{address}/api/fleet/agents/{kernel_id}", timeout=30
            )
            socket.recv()
            hello = {"type": "hello", "kernel_id": kernel_id, "protocol": 1, "epoch": 1}
            socket.send(json.dumps({**hello, "nonce": "x", "proof": "x", "state": {}}))
            socket.recv()
            socket.close()

        forged = audited.after(forge, "agent.hello", "gateway")
    assert (forged["outcome"], forged["object"]["kernel"]) == ("denied", kernel_id)


def test_renewals_of_logins(audited: Audited, tmp_path: Path) -> None:
    platform = ScriptedPlatform(tmp_path)
    keys = audited.fleet.gateways.directory / "jwks.json"
    before = keys.read_text()
    try:
        name_platform(audited.fleet, platform, "renew")
        platform.signed_out = {"sid"}
        for user, outcome, reason in (("rex", "allowed", ""), ("sid", "denied", "403")):
            session = signed_in(audited.url, platform.sign(user, 100, age=3500, demo="owner"))

            def use(session: requests.Session = session) -> None:
                assert session.get(f"{audited.url}/api/me", timeout=20).status_code == 200

            renewed = audited.after(use, "login.renew")
            assert (renewed["actor"]["kind"], renewed["actor"]["name"]) == ("user", user)
            assert len(renewed["actor"]["login"]) == 12
            assert renewed["outcome"] == outcome
            assert reason in renewed.get("reason", "")
    finally:
        replace(keys, before)
        platform.stop()


def test_a_flood_of_strangers_does_not_fill_the_disk(audited: Audited) -> None:
    before = len(audited.all("lab"))
    session = requests.Session()
    for _ in range(75):
        session.get(f"{audited.url}/api/contents/demo/x", timeout=20)
        # A form for nobody, which signs nobody in.
        session.get(f"{audited.url}/login?token=made-up", timeout=20)
    ada = audited.as_user()
    audited.after(lambda: ada("GET", "/api/contents/demo/nothing.txt"), "file.read")
    assert len(audited.all("lab")) - before <= 21


def test_nothing_secret_is_there(audited: Audited) -> None:
    """Whatever is sent in headers, queries and bodies, at each kind of call."""
    ada = audited.as_user()
    body = {
        "type": "notebook",
        "content": {**NOTEBOOK, "metadata": {"x": SECRET}},
        "format": "json",
    }
    for path in (
        "/api/contents/demo/s.ipynb",
        "/api/contents/other/s.ipynb",
        "/api/kernels",
        "/api/sessions",
        "/login",
        "/lab/api/workspaces/x",
        "/api/security/csp-report",
    ):
        for method in ("GET", "PUT", "POST", "DELETE"):
            for call in (ada, lambda *a, **o: requests.request(a[0], audited.url + a[1], **o)):
                call(
                    method,
                    f"{path}?{urlencode({'token': SECRET, 'q': SECRET})}",
                    json={**body, "name": {"a": SECRET}, "kernel": {"env": {"A": SECRET}}},
                    headers={"X-Request-ID": SECRET, "Cookie": f"a={SECRET}", "Referer": SECRET},
                )
    audited.after(lambda: ada("GET", "/api/contents/demo/s.ipynb"), "file.read")
    text = audited.text()
    assert SECRET not in text
    assert "eyJ" not in text


def test_pages_do_not_hear_of_it(audited: Audited) -> None:
    """The audit is no stream of events to which a page can subscribe."""
    bearer = f"Authorization: Bearer {token(audited.labs)}"
    address = f"{audited.url.replace('http', 'ws', 1)}/api/events/subscribe"
    socket = websocket.create_connection(address, header=[bearer], timeout=30)
    ada = audited.as_user()
    text = {"type": "file", "format": "text", "content": "x"}
    ada("PUT", "/api/contents/demo/heard.txt", json=text)
    heard = json.loads(socket.recv())
    assert heard["schema_id"].startswith("https://events.jupyter.org/jupyter_server/contents")
    socket.settimeout(1.0)
    schemas = {heard["schema_id"]}
    try:
        while True:
            schemas.add(json.loads(socket.recv())["schema_id"])
    except websocket.WebSocketTimeoutException:
        socket.close()
    assert "urn:jupyter-fleet:audit:v1" not in schemas
