"""Code in a kernel is hostile code: what can it reach when it knows exactly where everything is?"""

import json
import os
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.integration.gateway_ext.fleet_of_gateways import (
    Client,
    agents_of,
    kernel_process,
    wait_until,
)

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can give kernels other user ids"
)

# Runs in the kernel. Every attempt is one that must fail; those that do not are printed.
ATTACK = """
import ctypes, json, os, socket, urllib.request
targets = json.loads(TARGETS)
reached = []

def attempt(name, function):
    try:
        result = function()
    except Exception:
        return
    if result is not False:
        reached.append(name)

def is_own(name):
    return name.startswith(tuple(targets["own"]))

def http(url, **options):
    request = urllib.request.Request(url, **options)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return opener.open(request, timeout=5).read()

for path in targets["files"]:
    attempt("read " + path, lambda: open(path, "rb").read(1))
    attempt("write " + path, lambda: open(path, "ab").close())
for path in targets["folders"]:
    # Within walls nothing is there but what leads to folders of its own.
    attempt("list " + path, lambda: not all(map(is_own, os.listdir(path))))
    attempt("create in " + path, lambda: open(os.path.join(path, "mine"), "w"))
for path in targets["sockets"]:
    def connect():
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(path)
    attempt("connect to " + path, connect)
libc = ctypes.CDLL(None, use_errno=True)
for name, pid in targets["processes"].items():
    for file in ("environ", "mem", "maps", "fd", "cwd"):
        path = f"/proc/{pid}/{file}"
        look = os.listdir if file == "fd" else os.readlink if file == "cwd" else open
        attempt(f"{path} of {name}", lambda: look(path))
    attempt(f"signal {name}", lambda: os.kill(pid, 0))
    attempt(f"trace {name}", lambda: libc.ptrace(16, pid, 0, 0) == 0)
for url in targets["urls"]:
    attempt("GET " + url, lambda: http(url))
for method, url in targets["changes"]:
    attempt(f"{method} {url}", lambda: http(url, method=method, data=b"x"))
print(json.dumps(reached))
"""


def listening(pids: set[int]) -> dict[int, int]:
    """The TCP ports at which these processes listen, with the process."""
    inodes = {}
    for pid in pids:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                target = os.readlink(descriptor)
            except OSError:
                continue
            if target.startswith("socket:["):
                inodes[target[8:-1]] = pid
    ports = {}
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in Path(table).read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and fields[9] in inodes:
                ports[int(fields[1].rpartition(":")[2], 16)] = inodes[fields[9]]
    return ports


def everything_below(*roots: Path) -> tuple[list[str], list[str], list[str]]:
    """Files, folders and sockets."""
    files, folders, sockets = [], [], []
    for path in sorted(path for root in roots for path in root.rglob("*")):
        (folders if path.is_dir() else sockets if path.is_socket() else files).append(str(path))
    return files, folders, sockets


def test_a_kernel_reaches_nothing_of_others(running_fleet: Any) -> None:
    fleet = running_fleet
    processes = fleet.processes()
    gateway = processes["gateway-1"]["url"]
    clients = {
        project: Client(fleet.run("token", "eve", "--project", f"{project}=owner").strip())
        for project in ("victim", "attacker")
    }
    kernels = {}
    for project, client in clients.items():
        body = {"name": "python", "project": project}
        answer = client.call("POST", f"{gateway}/api/kernels", json=body)
        assert answer.status_code == 201, answer.text
        kernels[project] = answer.json()["id"]
    victim, attacker = kernels["victim"], kernels["attacker"]
    with clients["victim"].channels(gateway, victim) as channels:
        channels.run("open('secret.txt', 'w').write('x')")
    victim_pid = kernel_process(victim)

    (agent,) = agents_of(victim)
    assert listening({agent, victim_pid}) == {}

    # The attacker's own folder, home and packages are its own; the rest of the data is not.
    roots = (fleet.data_dir.root, fleet.data_dir.kernels)
    own = (attacker.replace("-", ""), "projects/attacker", "packages/attacker")
    files, folders, sockets = (
        [path for path in paths if not any(part in path for part in own)]
        for paths in everything_below(*roots)
    )
    assert any(path.endswith("secret.txt") for path in files)
    assert any(path.endswith("platform.pem") for path in files)
    assert any(path.endswith(".sqlite") for path in files)
    assert any(victim.replace("-", "") in path for path in sockets)
    assert any(path.endswith("agent.log") for path in files)
    store = processes["store"]["pid"]
    ports = listening({store})
    assert len(ports) >= 4
    urls = [f"{gateway}{path}" for path in ("/api/kernels", "/api/kernelspecs")]
    urls += [f"{gateway}/api/kernels/{victim}"]
    urls += [f"{processes['lab-1']['url']}{path}" for path in ("/api/contents", "/api/sessions")]
    urls.append(f"{processes['store']['url']}/?list-type=2")
    bucket = "/buckets/fleet/"
    for port in ports:
        urls += [
            f"http://127.0.0.1:{port}{path}"
            for path in (bucket, "/fleet/", "/dir/lookup?volumeId=1", "/stats")
        ]
    changes = [("DELETE", f"{gateway}/api/kernels/{victim}")]
    changes += [("POST", f"{gateway}/api/fleet/gateways/gateway-1/drain")]
    for port in ports:
        changes += [
            ("PUT", f"http://127.0.0.1:{port}{bucket}mine"),
            ("POST", f"http://127.0.0.1:{port}/dir/assign"),
            ("POST", f"http://127.0.0.1:{port}/submit"),
            ("POST", f"http://127.0.0.1:{port}/col/delete?collection=fleet"),
            ("GET", f"http://127.0.0.1:{port}/dir/assign"),
            ("GET", f"http://127.0.0.1:{port}/vol/grow?count=1"),
            ("DELETE", f"http://127.0.0.1:{port}{bucket}?recursive=true"),
        ]
    targets = {
        "own": [attacker.replace("-", ""), "attacker", "k", "packages", "projects"],
        "files": files,
        "folders": [*folders, *map(str, roots)],
        "sockets": sockets,
        "processes": {
            "the victim's kernel": victim_pid,
            "the victim's agent": agent,
            "what the victim's agents are forked from": psutil.Process(agent).ppid(),
            **{name: one["pid"] for name, one in processes.items() if one["pid"]},
        },
        "urls": urls,
        "changes": changes,
    }
    with clients["attacker"].channels(gateway, attacker) as channels:
        reached = json.loads(channels.run(ATTACK.replace("TARGETS", repr(json.dumps(targets)))))
        uid = int(channels.run("import os; print(os.getuid())"))
    assert reached == [], "\n".join(reached)
    assert uid >= 200_000

    for project, client in clients.items():
        url = f"{gateway}/api/kernels/{kernels[project]}"
        assert client.call("DELETE", url).status_code == 204
    wait_until(lambda: not agents_of(victim) and not agents_of(attacker))
