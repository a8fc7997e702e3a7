"""`jupyter fleet secrets`: every key is replaced while a cell runs and a page is signed in."""

import json
import os
import signal
import subprocess
import time

import pytest
import requests

from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.secret_rotation import KEYS, KeyState, SecretRotation
from tests.integration.gateway_ext.fleet_of_gateways import Client
from tests.integration.jupyter_ext.auth.browsers import sign_in
from tests.integration.jupyter_ext.fleet.conftest import COMMAND, wait_until

COUNTING = "import time\nfor n in range(2000):\n    print(n, flush=True)\n    time.sleep(0.05)"


class Page:
    """Somebody who is signed in with a browser, and whose cell runs."""

    def __init__(self, fleet) -> None:
        self.url = f"http://127.0.0.1:{fleet.port}"
        self.session = requests.Session()
        link = json.loads(fleet.run("status", "--json", "--token"))["login_url"]
        sign_in(self.session, link)
        self.token = fleet.run("token", "demo").strip()
        client = Client(self.token)
        body = {"path": "demo/r.ipynb", "type": "notebook", "name": "", "kernel": {}}
        opened = client.call("POST", f"{self.url}/api/sessions", json=body)
        assert opened.status_code == 201, opened.text
        self.kernel_id = opened.json()["kernel"]["id"]
        self.channels = client.channels(self.url, self.kernel_id)
        self.channels.execute(COUNTING)
        self.heard = -1

    def goes_on(self) -> None:
        """The login, what a form sends, and the cell, of which no line is missing."""
        me = self.session.get(f"{self.url}/api/me", timeout=10)
        assert me.status_code == 200, me.text
        saved = self.session.put(
            f"{self.url}/api/contents/demo/saved.txt",
            json={"type": "file", "format": "text", "content": "x"},
            headers={"X-XSRFToken": self.session.cookies["_xsrf"], "Origin": self.url},
            timeout=20,
        )
        assert saved.status_code in (200, 201), saved.text
        aim = self.heard + 5
        while self.heard < aim:
            message = self.channels.receive()
            if message["msg_type"] == "stream":
                for line in message["content"]["text"].split():
                    assert int(line) == self.heard + 1
                    self.heard = int(line)


def state_of(fleet, name: str) -> KeyState:
    settings = load_settings(fleet.data_dir)
    assert settings is not None
    return SecretRotation(fleet.data_dir, settings).state(KEYS[name])


def as_if_long_ago(fleet) -> None:
    """The minute is over for which a server may still encrypt with an older key."""
    files = SecretFiles(fleet.data_dir.secrets)
    for file in (files.encryption_keys, files.login_keys):
        document = json.loads(file.read_bytes())
        for one in document["keys"][1:]:
            one["replaced"] = 0.0
        file.write_text(json.dumps(document))


@pytest.fixture(scope="module")
def page(running_fleet):
    page = Page(running_fleet)
    yield page
    page.channels.close()


def test_nothing_is_done_when_it_is_only_asked_what_would_be(running_fleet) -> None:
    before = running_fleet.run("secrets", "status", "--json")
    said = running_fleet.run("secrets", "rotate", "--dry-run")
    assert said.count("would use a new key") == len(KEYS)
    assert running_fleet.run("secrets", "status", "--json") == before
    assert "there is no key 'x'" in running_fleet.run("secrets", "rotate", "x", code=1)


@pytest.mark.parametrize("name", list(KEYS))
def test_a_key_is_replaced_while_people_work(running_fleet, page, name: str) -> None:
    before = state_of(running_fleet, name)
    page.goes_on()
    assert "is used from now on" in running_fleet.run("secrets", "rotate", name)
    now = state_of(running_fleet, name)
    assert now.current != before.current
    assert [one.id for one in now.older] == [before.current]
    if KEYS[name].encrypts_at is not None:
        assert now.values is not None
        assert now.values[before.current] == 0
        assert now.values[now.current] > 0
    page.goes_on()
    as_if_long_ago(running_fleet)
    if name not in ("platform", "logins"):
        # That would end the logins that were begun with it; see below.
        running_fleet.run("secrets", "drop", name)
        assert state_of(running_fleet, name).older == []
    page.goes_on()
    events = running_fleet.data_dir.audit_file("command").read_text().splitlines()
    assert any(json.loads(one)["object"]["name"] == name for one in events)


def test_kernels_are_found_again_with_their_new_keys(running_fleet, page) -> None:
    """An agent that has lost its gateway proves itself with a key that was encrypted again."""
    pids = {
        name: one["pid"]
        for name, one in running_fleet.processes().items()
        if name.startswith("gateway-")
    }
    for pid in pids.values():
        os.kill(pid, signal.SIGKILL)
    page.goes_on()
    model = requests.get(
        f"{page.url}/api/kernels/{page.kernel_id}",
        headers={"Authorization": f"Bearer {page.token}"},
        timeout=30,
    )
    assert model.status_code == 200, model.text


@pytest.mark.long
def test_a_rotation_that_is_killed_at_any_moment_is_finished_by_the_next(
    running_fleet, page
) -> None:
    for seconds in (0.15, 0.3, 0.45, 0.6):
        command = [COMMAND, "secrets", "rotate", "--data-dir", running_fleet.data_dir.root]
        with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as running:
            deadline = time.monotonic() + seconds
            while running.poll() is None and time.monotonic() < deadline:
                os.sched_yield()
            running.kill()
        page.goes_on()
    running_fleet.run("secrets", "rotate")
    for name in KEYS:
        assert state_of(running_fleet, name).unfinished is False
    page.goes_on()


def test_what_a_dropped_key_has_signed_is_refused(running_fleet, page) -> None:
    before = requests.get(
        f"{page.url}/api/me", headers={"Authorization": f"Bearer {page.token}"}, timeout=10
    )
    assert before.status_code == 200
    as_if_long_ago(running_fleet)
    running_fleet.run("secrets", "drop", "platform", "logins")
    assert page.session.get(f"{page.url}/api/me", timeout=10).status_code == 401
    after = requests.get(
        f"{page.url}/api/me", headers={"Authorization": f"Bearer {page.token}"}, timeout=10
    )
    assert after.status_code == 401
    # Servers have tokens of the new key.
    token = running_fleet.run("token", "demo").strip()
    client = Client(token)

    def lists() -> bool:
        return client.call("GET", f"{page.url}/api/sessions").status_code == 200

    wait_until("the fleet goes on with the new key", lists)
