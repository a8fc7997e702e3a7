"""A fleet that runs: its addresses, what it survives, what it keeps."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
import requests

from jupyter_ext.fleet.leftovers import find_leftovers
from jupyter_ext.fleet.revocation_reads import LATE_SECONDS
from jupyter_ext.fleet.tools import find_tools
from tests.integration.gateway_ext.fleet_of_gateways import Client
from tests.integration.jupyter_ext.fleet.conftest import COMMAND, wait_until
from tests.servers.ports import free_ports


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token.strip()}"}


def login_link(fleet) -> str:
    return json.loads(fleet.run("status", "--json", "--token"))["login_url"]


def follow(session: requests.Session, link: str) -> requests.Response:
    """What a browser does with a link that its user has clicked."""
    page = session.get(link, headers={"Sec-Fetch-Site": "none"}, timeout=30)
    if "<form" not in page.text:
        return page
    form = dict(re.findall(r'name="(\w+)" value="([^"]*)"', page.text))
    url, _, _ = link.partition("?")
    headers = {"Origin": url.removesuffix("/login")}
    return session.post(url, data=form, headers=headers, timeout=30)


def test_everything_runs_and_answers(running_fleet):
    status = running_fleet.status()
    assert status["url"] == f"http://127.0.0.1:{running_fleet.port}/"
    roles = [one["role"] for one in status["processes"]]
    assert sorted(roles) == [
        *("front", "gateway", "gateway", "kernel-front", "lab", "lab", "store")
    ]
    assert {one["state"] for one in status["processes"]} == {"running"}
    assert requests.get(f"{status['url']}api", timeout=10).json()["version"]


def test_each_gateway_hears_of_revocations(running_fleet):
    def read() -> bool:
        shown = json.loads(running_fleet.run("status", "--json"))["processes"]
        reads = [one["revocations"] for one in shown if one["role"] == "gateway"]
        assert len(reads) == 2
        return all(one and (one["read_seconds_ago"] or 99) < LATE_SECONDS for one in reads)

    wait_until("labs have told the gateways", read)
    told = running_fleet.run("status")
    assert re.search(r"^Revocations: gateway-1 read them \d s ago; ", told, re.MULTILINE)


def test_the_login_link_logs_in(running_fleet):
    url = f"http://127.0.0.1:{running_fleet.port}"
    links = {
        "demo": login_link(running_fleet),
        "ada": running_fleet.run("login-link", "ada", "--project", "demo=viewer").strip(),
    }
    for user, link in links.items():
        assert link.startswith(f"{url}/login?code=")
        session = requests.Session()
        answer = follow(session, link)
        assert answer.status_code == 200
        assert answer.url.startswith(f"{url}/lab")
        assert session.get(f"{url}/api/me", timeout=10).json()["identity"]["username"] == user
        assert follow(requests.Session(), link).status_code == 401, "a link works once"


def test_status_shows_no_token_unless_asked(running_fleet):
    assert "token" not in running_fleet.run("status")
    assert "token" not in running_fleet.run("status", "--json")
    told = running_fleet.run("status", "--token")
    assert "/login?code=" in told
    assert "token" not in told


def test_status_says_which_build_runs(running_fleet):
    status = running_fleet.status()
    version = running_fleet.run("--version")
    assert version == f"jupyter fleet {status['version']} (build {status['build']})\n"
    builds = {one["role"]: one["build"] for one in status["processes"]}
    assert builds["lab"] == status["build"]
    assert builds["gateway"]
    assert builds["front"] is None


def test_a_token_of_the_command_line_opens_its_project_only(running_fleet):
    headers = bearer(running_fleet.run("token", "ada", "--project", "demo=viewer"))
    url = f"http://127.0.0.1:{running_fleet.port}/api/contents"
    assert requests.get(f"{url}/demo", headers=headers, timeout=10).status_code == 200
    folder = {"type": "directory"}
    refused = requests.put(f"{url}/demo/new", json=folder, headers=headers, timeout=10)
    assert refused.status_code == 403
    assert requests.get(f"{url}/demo", timeout=10).status_code in (401, 403)


@pytest.mark.parametrize("name", ["lab-1", "gateway-2", "front", "front-kernels", "store"])
def test_a_killed_process_is_started_again(running_fleet, name):
    before = running_fleet.processes()
    os.kill(before[name]["pid"], signal.SIGKILL)

    def replaced():
        now = running_fleet.processes()[name]
        return now if now["pid"] not in (None, before[name]["pid"]) else None

    wait_until(f"another {name}", replaced)
    token = running_fleet.run("token", "ada").strip()
    url = before[name]["url"]
    path = {
        "lab-1": "/api",
        "gateway-2": "/api/kernelspecs",
        "front": "/api",
        "front-kernels": "/front-health",
        "store": "/healthz",
    }

    def answers():
        try:
            return requests.get(url + path[name], headers=bearer(token), timeout=2).ok
        except requests.RequestException:
            return False

    wait_until(f"{name} answers", answers)
    now = running_fleet.processes()
    others = set(before) - {name}
    assert {other: now[other]["pid"] for other in others} == {
        other: before[other]["pid"] for other in others
    }


def test_what_a_kernel_says_reaches_labs_by_their_listener_for_kernels(running_fleet):
    processes = running_fleet.processes()
    gateways = [one for name, one in processes.items() if name.startswith("gateway-")]
    client = Client(running_fleet.run("token", "ada", "--project", "demo=owner").strip())
    body = {"name": "python", "project": "demo"}
    answer = client.call("POST", f"{gateways[0]['url']}/api/kernels", json=body)
    assert answer.status_code == 201, answer.text
    kernel_id = answer.json()["id"]
    url = f"http://127.0.0.1:{running_fleet.port}/api/fleet/kernels/{kernel_id}/journal"

    def kept(word):
        return word.encode() in client.call("GET", url).content

    go = running_fleet.data_dir.kernels / "projects" / "demo" / f"go-{kernel_id}"
    try:
        with client.channels(gateways[0]["url"], kernel_id) as channels:
            request = channels.execute(
                f"import pathlib, time\nprint('one' + 'word')\n"
                f"while not pathlib.Path({str(go)!r}).exists(): time.sleep(0.05)\n"
                "print('last' + 'word')"
            )
            channels.wait_for_output(request)
            wait_until("a part is kept", lambda: kept("oneword"))
        for gateway in gateways:
            os.kill(gateway["pid"], signal.SIGSTOP)
        try:
            go.touch()
            # No gateway could pass it on.
            wait_until("the next part is kept", lambda: kept("lastword"))
        finally:
            for gateway in gateways:
                # The supervisor may have replaced it.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(gateway["pid"], signal.SIGCONT)
    finally:
        go.unlink(missing_ok=True)
    wait_until(
        "the kernel is ended",
        lambda: (
            client.call("DELETE", f"{gateways[0]['url']}/api/kernels/{kernel_id}").status_code
            in (204, 404)
        ),
    )


def test_up_on_a_running_fleet_changes_nothing_or_says_why(running_fleet):
    before = running_fleet.processes()
    (port,) = free_ports(1)
    said = running_fleet.run("up", "--detach", "--port", str(port), code=1)
    assert f"--port {port} instead of {running_fleet.port}" in said
    assert "jupyter fleet down" in said
    assert "--labs" in running_fleet.run("up", "--labs", "0", code=1)
    assert "--kernel-env" in running_fleet.run("up", "--kernel-env", "/nowhere", code=1)
    url = f"http://127.0.0.1:{running_fleet.port}/"
    assert url in running_fleet.run("up")
    assert running_fleet.processes() == before


def test_an_option_that_does_not_work_reaches_one_process_and_is_taken_back(
    running_fleet, tmp_path
):
    before = running_fleet.processes()
    kept = running_fleet.data_dir.settings.read_bytes()
    broken = tmp_path / "bin" / "jupyter-fleet-gateway"
    broken.parent.mkdir()
    broken.write_text("#!/bin/sh\necho this gateway is broken\nexit 1\n")
    broken.chmod(0o755)

    said = running_fleet.run("up", "--detach", "--gateway-env", str(tmp_path), code=1)
    assert "gateway-1 does not start: this gateway is broken" in said
    assert running_fleet.data_dir.settings.read_bytes() == kept
    after = running_fleet.processes()
    changed = {name for name in before if after[name]["pid"] != before[name]["pid"]}
    assert changed == {"gateway-1"}
    token = running_fleet.run("token", "ada")
    url = f"{after['gateway-1']['url']}/api/kernelspecs"
    assert requests.get(url, headers=bearer(token), timeout=10).ok


@pytest.mark.parametrize(
    "frozen",
    [
        ("lab-2", "gateway-1"),
        pytest.param(("lab-2", "gateway-1", "store", "front"), marks=pytest.mark.long),
    ],
)
def test_frozen_processes_are_replaced_one_by_one_while_others_answer(running_fleet, frozen):
    before = running_fleet.processes()
    paths = {"lab": "/api/contents", "gateway": "/api/kernelspecs", "store": "/healthz"}
    token = running_fleet.run("token", "ada").strip()
    # nginx's worker is another process than the one that is shown.
    for one in find_leftovers(running_fleet.data_dir):
        if one.name in frozen:
            os.kill(one.pid, signal.SIGSTOP)

    def answers(name):
        url = before[name]["url"] + paths.get(name.partition("-")[0], "/api/contents")
        try:
            return requests.get(url, headers=bearer(token), timeout=5).ok
        except requests.RequestException:
            return False

    def replaced():
        assert answers("lab-1")
        assert answers("gateway-2")
        now = running_fleet.processes()
        assert sum(now[name]["state"] != "running" for name in frozen) <= 1
        return all(now[name]["pid"] not in (None, before[name]["pid"]) for name in frozen)

    wait_until("all are replaced", replaced, 180)
    wait_until("all answer", lambda: all(answers(name) for name in frozen))
    now = running_fleet.processes()
    others = set(before) - set(frozen)
    assert {name: now[name]["pid"] for name in others} == {
        name: before[name]["pid"] for name in others
    }


def test_kernels_are_shown_and_a_gateway_is_drained(running_fleet):
    gateway = running_fleet.processes()["gateway-1"]["url"]
    token = running_fleet.run("token", "ada").strip()
    headers = {"Authorization": f"Bearer {token}"}
    answer = requests.post(f"{gateway}/api/kernels", json={}, headers=headers, timeout=60)
    kernel_id = answer.json()["id"]
    (shown,) = json.loads(running_fleet.run("kernels", "--json"))
    assert (shown["id"], shown["owner"], shown["state"]) == (kernel_id, "gateway-1", "running")
    assert kernel_id in running_fleet.run("kernels")

    told = running_fleet.run("drain", "gateway-1")
    assert "gateway-1 accepts no more kernels; 0 kernels still there" in told
    wait_until("status says it", lambda: running_fleet.processes()["gateway-1"]["draining"])
    lines = running_fleet.run("status").splitlines()
    (line,) = [one for one in lines if one.startswith("gateway-1")]
    assert line.split()[:2] == ["gateway-1", "draining"]
    assert not running_fleet.processes()["gateway-2"]["draining"]
    (shown,) = json.loads(running_fleet.run("kernels", "--json"))
    assert shown["owner"] == "gateway-2"
    assert "no other gateway" in running_fleet.run("drain", "gateway-2", code=1)
    assert "accepts kernels again" in running_fleet.run("drain", "gateway-1", "--stop")
    assert "gateway-1, gateway-2" in running_fleet.run("drain", "gateway-9", code=1)

    refused = running_fleet.run("kernel", kernel_id, "--gone", code=1)
    assert "is not unreachable" in refused

    answer = requests.delete(f"{gateway}/api/kernels/{kernel_id}", headers=headers, timeout=60)
    assert answer.status_code == 204
    assert kernel_id not in running_fleet.run("kernels")
    # What happened to it is told for some time.
    history = running_fleet.run("kernel", kernel_id)
    words = [line.split()[1:3] for line in history.splitlines() if line.startswith("20")]
    assert words[0] == ["launch", "ada"]
    assert words[-1] == ["delete", "ada"]
    assert [word for word, _ in words].count("claim") == 2
    assert "not exist" in running_fleet.run("kernel", str(uuid.uuid4()), code=1)
    refused = running_fleet.run("kernel", "nope", code=1)
    assert "nope" in refused
    assert "http" not in refused


def test_a_renamed_notebook_is_listed_by_its_new_name(running_fleet):
    headers = bearer(running_fleet.run("token", "ada"))
    front = f"http://127.0.0.1:{running_fleet.port}/api"
    old, new = f"{uuid.uuid4().hex}.ipynb", f"{uuid.uuid4().hex}.ipynb"
    asked = {"path": f"demo/{old}", "name": old, "type": "notebook", "kernel": {"name": "python"}}
    session = requests.post(f"{front}/sessions", json=asked, headers=headers, timeout=60).json()
    url = f"{front}/sessions/{session['id']}"
    for change in ({"path": f"demo/{new}"}, {"name": new}):
        assert requests.patch(url, json=change, headers=headers, timeout=10).ok
    kernel_id = session["kernel"]["id"]
    paths = {one["id"]: one["path"] for one in json.loads(running_fleet.run("kernels", "--json"))}
    assert paths[kernel_id] == f"demo/{new}"
    assert old not in running_fleet.run("kernel", kernel_id)
    assert requests.delete(url, headers=headers, timeout=60).status_code == 204


def test_logs_are_shown(running_fleet):
    assert "is running at" in running_fleet.run("logs", "lab-1")
    assert "gateway-2" in running_fleet.run("logs")


def test_no_secret_is_readable_or_in_a_command_line(running_fleet):
    root = running_fleet.data_dir.root
    assert root.stat().st_mode & 0o777 == 0o700
    secrets = [file for file in (root / "secrets").rglob("*") if file.is_file()]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in secrets)
    # The lock of these files is empty.
    values = {file.read_bytes().strip() for file in secrets} - {b""}
    for one in running_fleet.status()["processes"]:
        for place in ("cmdline", "environ"):
            with open(f"/proc/{one['pid']}/{place}", "rb") as file:
                told = file.read()
            assert not any(value in told for value in values)


def test_logs_hold_no_token(running_fleet):
    link = login_link(running_fleet)
    token = running_fleet.run("token", "ada").strip()
    follow(requests.Session(), link)
    follow(requests.Session(), f"http://127.0.0.1:{running_fleet.port}/login?token={token}")
    logs = list(running_fleet.data_dir.logs.iterdir())
    assert len(logs) >= 6
    for secret in (token, link.partition("code=")[2]):
        assert not any(secret.encode() in file.read_bytes() for file in logs)


def test_down_and_up_keep_ports_files_and_kernels(running_fleet):
    headers = bearer(running_fleet.run("token", "ada"))
    url = f"http://127.0.0.1:{running_fleet.port}/api"
    text = {"type": "file", "format": "text", "content": "kept"}
    saved = requests.put(f"{url}/contents/demo/kept.txt", json=text, headers=headers, timeout=30)
    assert saved.ok, saved.text
    started = requests.post(
        f"{url}/sessions",
        json={
            "path": "demo/kept.ipynb",
            "name": "kept.ipynb",
            "type": "notebook",
            "kernel": {"name": "python"},
        },
        headers=headers,
        timeout=90,
    )
    assert started.status_code == 201, started.text
    kernel_id = started.json()["kernel"]["id"]
    urls = {name: one["url"] for name, one in running_fleet.processes().items()}

    running_fleet.run("down")
    assert {one["state"] for one in running_fleet.status(code=1)["processes"]} == {"stopped"}
    # The port is kept without being told again.
    running_fleet.run("up", "--detach")

    assert {name: one["url"] for name, one in running_fleet.processes().items()} == urls
    read = requests.get(f"{url}/contents/demo/kept.txt", headers=headers, timeout=30).json()
    assert (read["content"], read["version"]) == ("kept", saved.json()["version"])

    def kernel():
        answer = requests.get(f"{url}/kernels/{kernel_id}", headers=headers, timeout=30)
        return answer.ok and answer.json()

    assert wait_until("the kernel is back", kernel)["state"] == "running"


def test_without_its_supervisor_a_fleet_goes_on_and_is_adopted_by_the_next_up(running_fleet):
    before = running_fleet.processes()
    supervisor = int((running_fleet.data_dir.root / "supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    url = f"http://127.0.0.1:{running_fleet.port}/api"
    assert requests.get(url, timeout=10).ok
    running_fleet.run("up", "--detach")
    assert running_fleet.processes() == before
    # It is theirs now as if it had started them.
    os.kill(before["lab-1"]["pid"], signal.SIGKILL)

    def replaced():
        return running_fleet.processes()["lab-1"]["pid"] not in (None, before["lab-1"]["pid"])

    wait_until("another lab-1", replaced)


def test_a_killed_front_leaves_nothing_that_holds_its_port(running_fleet):
    before = running_fleet.processes()["front"]
    supervisor = int((running_fleet.data_dir.root / "supervisor.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    os.kill(before["pid"], signal.SIGKILL)
    running_fleet.run("up", "--detach")
    assert running_fleet.processes()["front"]["state"] in ("starting", "running")
    assert requests.get(f"{before['url']}/api", timeout=10).ok


def test_changed_options_are_applied_and_kept(fleet):
    fleet.up("--labs", "1", "--gateways", "1")
    before = fleet.processes()
    kernels = Path(find_tools(gateway_env=None, kernel_env=None, embedded_store=True).kernel_python)
    other = fleet.data_dir.root.parent / "kernel-env"
    other.parent.chmod(0o755)
    other.symlink_to(kernels.parents[1])

    fleet.run("up", "--detach", "--kernel-env", str(other), "--labs", "2")
    after = fleet.processes()
    changed = {name for name in before if after[name]["pid"] != before[name]["pid"]}
    # The front takes its labs while it runs, its listener for kernels starts again.
    assert changed == {"front-kernels", "gateway-1"}
    assert set(after) - set(before) == {"lab-2"}
    config = json.loads(fleet.data_dir.gateway_config("gateway-1").read_text())
    assert config["FleetGatewayApp"]["agent_command"][0] == str(other / "bin" / "python")

    # Said once, it holds, and the front knows both labs.
    fleet.run("up", "--detach")
    # Not their states, which change while they start.
    kept = {name: one["pid"] for name, one in fleet.processes().items()}
    assert kept == {name: one["pid"] for name, one in after.items()}
    front = f"http://127.0.0.1:{fleet.port}/api"
    assert (
        requests.get(f"http://127.0.0.1:{fleet.port}/front-health", timeout=10).status_code == 204
    )
    assert all(requests.get(front, timeout=10).ok for _ in range(4))
    log = fleet.data_dir.log("front").read_text()
    assert all(
        one["url"].removeprefix("http://") in log for one in (after["lab-1"], after["lab-2"])
    )

    fleet.run("up", "--detach", "--kernel-env", "default", "--labs", "1")
    config = json.loads(fleet.data_dir.gateway_config("gateway-1").read_text())
    assert config["FleetGatewayApp"]["agent_command"][0] == str(kernels)
    assert set(fleet.processes()) == set(before)
    assert not fleet.data_dir.lab_config("lab-2").exists()


def test_an_up_that_was_killed_half_way_is_no_fleet(fleet):
    small = ("--labs", "1", "--gateways", "1", "--port", str(fleet.port))
    process = subprocess.Popen(
        [COMMAND, "up", "--detach", *small, "--data-dir", fleet.data_dir.root]
    )
    wait_until("it has begun", fleet.data_dir.socket.exists)
    process.kill()
    process.wait()
    assert "login?code=" in fleet.run("up", "--detach")
    wait_until(
        "all run", lambda: {one["state"] for one in fleet.processes().values()} == {"running"}
    )


def test_in_the_foreground_it_runs_until_interrupted(fleet):
    process = subprocess.Popen(
        [
            *(COMMAND, "up", "--port", str(fleet.port), "--labs", "1", "--gateways", "1"),
            *("--data-dir", str(fleet.data_dir.root)),
        ],
        stdout=subprocess.PIPE,
        stderr=sys.stderr,
        text=True,
    )
    assert process.stdout.readline() == f"Jupyter Fleet: http://127.0.0.1:{fleet.port}/\n"
    assert "/login?code=" in process.stdout.readline()
    pids = [one["pid"] for one in fleet.processes().values()]
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert not any(os.path.exists(f"/proc/{pid}") for pid in pids)
