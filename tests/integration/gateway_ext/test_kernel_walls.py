"""What the code of one kernel reaches of another kernel of its project, and of the machine."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gateway_ext.agent.process_tree import descendants
from gateway_ext.agent.walls import landlock
from tests.integration.gateway_ext.fleet_of_gateways import (
    Channels,
    Gateways,
    agents_of,
    running_gateways,
    wait_until,
)
from tests.integration.gateway_ext.kernel_attack import attack_on
from tests.servers.short_folder import short_folder
from tests.servers.tun_device import openable_tun, ways_out, why_no_way_out

HOLD = """
import os, sys, uuid
held = uuid.uuid4().hex
open("/tmp/held", "w").write(held)
open("/dev/shm/held", "w").write(held)
born = uuid.uuid4().hex
print(os.getpid(), born)
"""

LET_GO = """
import contextlib, os
for held in ("/tmp/held", "/dev/shm/held"):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(held)
"""

# Its own folder is the one that every kernel can write to.
LINKS = """
import os, sys
folder = os.path.dirname(os.environ["FLEET_SOCKET"])
for name in ("kernel.log", "agent.log"):
    path = os.path.join(folder, name)
    if os.path.exists(path):
        os.unlink(path)
    os.symlink(VICTIM, path)
os.write(sys.stderr._original_stdstream_copy, b"through the link\\n")
"""


@pytest.fixture(scope="module")
def walled() -> Iterator[Gateways]:
    app = {"kernel_walls": "required", "kernel_network": "none", "kernel_memory": 300 * 2**20}
    changes = {"FleetGatewayApp": app}
    with running_gateways(count=1, changes=changes) as gateways:
        url = f"{gateways.urls[0]}/api/kernels"
        answer = gateways.client().call("POST", url, json={"name": "missing"})
        if "of its own" in answer.text:
            pytest.skip(answer.text)
        # As without walls.
        assert "/nowhere/python does not exist on this machine" in answer.text
        yield gateways


def test_a_kernel_reaches_nothing_of_another_one_of_its_project(walled: Gateways) -> None:
    other, mine = (walled.start_kernel(0, name="lossless") for _ in range(2))
    # Another project has another user id.
    people = walled.client("bob", other="owner")
    body = {"name": "lossless", "project": "other"}
    strange = people.call("POST", f"{walled.urls[0]}/api/kernels", json=body).json()["id"]
    with people.channels(walled.urls[0], strange) as channels:
        uid = int(channels.run("import os; open('secret.txt', 'w').write('x'); print(os.getuid())"))
    walled.run_in(other, HOLD)
    # A segment of SysV shared memory, which has no place in any folder.
    segment = 0x7421_0000 + os.getpid() % 0xFFFF
    make = f"import ctypes; print(ctypes.CDLL(None).shmget({segment}, 64, 0o1666))"
    assert int(walled.run_in(other, make)) >= 0
    # And a socket without a path.
    listen = "import socket; s = socket.socket(socket.AF_UNIX); s.bind(chr(0) + NAME); s.listen()"
    name = f"fleet-walls-{os.getpid()}"
    walled.run_in(other, listen.replace("NAME", repr(name)))
    (own_agent,) = agents_of(mine)
    names = {"its agent": own_agent, "its fork server": psutil.Process(own_agent).ppid()}
    for whose, kernel_id in {"the other": other, "the stranger": strange}.items():
        (agent,) = agents_of(kernel_id)
        below = [process.pid for process in descendants(agent)]
        assert len(below) == 2
        names |= {f"{whose}'s agent": agent}
        names |= {f"{whose}'s process {number}": pid for number, pid in enumerate(below)}
    names |= {"the gateway": walled.processes[0].pid, "this test": os.getpid()}
    root = walled.directory / "k"
    kernels = [next((root / "k").glob(f"{one.replace('-', '')}-*")) for one in (other, strange)]
    homes = [root / "projects" / "other", root / "packages" / "other"]
    below_them = [path for folder in (*kernels, *homes) for path in folder.rglob("*")]
    sockets = [str(path) for path in below_them if path.is_socket()]
    assert sockets
    assert any(path.name == "secret.txt" for path in below_them)
    targets = {
        "processes": names,
        "folders": [*map(str, (*kernels, *homes)), str(root / "logs")],
        "files": [
            *(str(path) for path in below_them if path.is_file()),
            str(walled.directory / "encryption.json"),
            str(walled.directory / "gateway.sqlite"),
        ],
        "sockets": sockets,
        "abstract": name,
        "segment": segment,
        "uid": uid,
    }
    table = json.loads(walled.run_in(mine, attack_on(targets, root)))
    for tried, became in table:
        print(f"{tried:<110} {became}")
    reached = [tried for tried, became in table if became == "DONE"]
    print(f"{len(table)} tries from inside a kernel, {len(reached)} succeeded")
    # Linux before 6.12 cannot shut those.
    if landlock.version() < 6:
        reached.remove("connect to an abstract socket")
    assert reached == []
    # Nor by way of its agent, which sees all of it and writes into the kernel's folder.
    victim = kernels[0] / "connection.json"
    before = victim.read_bytes()
    walled.run_in(mine, LINKS.replace("VICTIM", repr(str(victim))))
    own_folder = next((root / "k").glob(f"{mine.replace('-', '')}-*"))
    log = own_folder / "kernel.log"
    # The agent moves the link away and makes a file.
    wait_until(lambda: log.exists() and b"through the link" in log.read_bytes())
    url = f"{walled.urls[0]}/api/kernels/{mine}"
    assert walled.client().call("POST", f"{url}/interrupt").status_code == 204
    wait_until(lambda: not (own_folder / "agent.log").is_symlink())
    assert victim.read_bytes() == before
    # What it must reach.
    home = root / "projects" / "demo"
    shared = f"open({str(home / 'shared.txt')!r}, 'w').write('from the other'); print('done')"
    assert walled.run_in(other, shared) == "done\n"
    assert walled.run_in(mine, "print(open('shared.txt').read())") == "from the other\n"


def test_kernels_of_one_person_and_of_their_project_reach_nothing_of_each_other(
    walled: Gateways,
) -> None:
    people = {name: walled.client(name, demo="owner") for name in ("ada", "bob")}
    root, url = walled.directory / "k", f"{walled.urls[0]}/api/kernels"
    kernels, homes, uids = {}, {}, {}
    for name, (person, project) in {
        "the project's": ("ada", "demo"),
        "ada's": ("ada", "@demo"),
        "bob's": ("bob", "@demo"),
    }.items():
        body = {"name": "lossless", "project": project}
        kernels[name] = people[person].call("POST", url, json=body).json()["id"]
        with people[person].channels(walled.urls[0], kernels[name]) as channels:
            look = "import os; open('secret.txt', 'w').write('x'); print(os.getuid(), os.getcwd())"
            uid, home = channels.run(look).split()
        uids[name], homes[name] = int(uid), Path(home)
    assert len(set(uids.values())) == len(set(homes.values())) == 3
    folders = {
        name: [
            next((root / "k").glob(f"{kernel_id.replace('-', '')}-*")),
            homes[name],
            root / "packages" / homes[name].name,
        ]
        for name, kernel_id in kernels.items()
    }
    for attacker, kernel_id in kernels.items():
        processes: dict[str, int] = {}
        for name, victim in kernels.items():
            # What it holds itself it may read.
            with people["bob" if name == "bob's" else "ada"].channels(
                walled.urls[0], victim
            ) as channels:
                channels.run(HOLD if name != attacker else LET_GO)
            if name != attacker:
                (agent,) = agents_of(victim)
                processes[f"{name} agent"] = agent
                processes[f"{name} fork server"] = psutil.Process(agent).ppid()
                for number, process in enumerate(descendants(agent)):
                    processes[f"{name} process {number}"] = process.pid
        others = [one for name, each in folders.items() if name != attacker for one in each]
        below_them = [path for folder in others for path in folder.rglob("*")]
        sockets = [str(path) for path in below_them if path.is_socket()]
        assert len([path for path in below_them if path.name == "secret.txt"]) == 2
        assert sockets
        targets = {
            "processes": processes,
            "folders": list(map(str, others)),
            "files": [str(path) for path in below_them if path.is_file()],
            "sockets": sockets,
            "abstract": "fleet-walls-of-nobody",
            "segment": 0x7422_0000,
            "uid": next(uid for name, uid in uids.items() if name != attacker),
        }
        person = people["bob" if attacker == "bob's" else "ada"]
        with person.channels(walled.urls[0], kernel_id) as channels:
            table = json.loads(channels.run(attack_on(targets, root)))
        reached = [tried for tried, became in table if became == "DONE"]
        print(f"{attacker} kernel: {len(table)} tries, {len(reached)} succeeded")
        assert reached == []
    for name, kernel_id in kernels.items():
        person = people["bob" if name == "bob's" else "ada"]
        assert person.call("DELETE", f"{url}/{kernel_id}").status_code == 204


def born(channels: Channels) -> str:
    return channels.run("print(born)")


def test_restart_interrupt_death_and_deletion_are_as_without_walls(walled: Gateways) -> None:
    kernel_id = walled.start_kernel(0, name="lossless")
    url, client = f"{walled.urls[0]}/api/kernels/{kernel_id}", walled.client()
    with client.channels(walled.urls[0], kernel_id) as channels:
        first = channels.run(HOLD).split()[1]
        waiting = channels.execute("print('begun', flush=True); import time; time.sleep(300)")
        assert channels.wait_for_output(waiting) == "begun\n"
        assert client.call("POST", f"{url}/interrupt").status_code == 204
        assert channels.finish(waiting)[1]["ename"] == "KeyboardInterrupt"
        assert born(channels) == f"{first}\n"
        assert client.call("POST", f"{url}/restart").status_code == 200
        second, text = (
            channels.run(HOLD).split()[1],
            channels.run("print(open('/tmp/held').read())"),
        )
        assert second != first
        assert len(text) == 33
        # What died says why, with its last words.
        crash = "import os, sys, signal; print('last words'); os.kill(os.getpid(), signal.SIGSEGV)"
        text, reply = channels.finish(channels.execute(crash))
        assert text == "last words\n"
        assert "segmentation fault" in json.dumps(reply)
        look = "print(len([p for p in __import__('os').listdir('/proc') if p.isdigit()]))"
        assert channels.run(look) == "2\n"
        left = "import subprocess; subprocess.Popen(['sleep', '300'], start_new_session=True)"
        channels.run(left)
    (agent,) = agents_of(kernel_id)
    below = descendants(agent)
    assert len(below) == 3
    assert client.call("DELETE", url).status_code == 204
    wait_until(lambda: not any(os.path.exists(f"/proc/{one.pid}") for one in (*below,)))
    wait_until(lambda: not list((walled.directory / "k" / "k").glob(f"{kernel_id[:8]}*")))


def test_a_kernel_that_uses_too_much_memory_says_so_and_is_restarted(walled: Gateways) -> None:
    kernel_id, client = walled.start_kernel(0, name="lossless"), walled.client()
    url = f"{walled.urls[0]}/api/kernels/{kernel_id}"
    with client.channels(walled.urls[0], kernel_id) as channels:
        channels.execute("held = [bytearray(b'x' * (20 * 2**20)) for _ in range(100)]")
        wait_until(lambda: client.call("GET", url).json()["reason"].startswith("out of memory"), 40)
        wait_until(lambda: client.call("GET", url).json()["state"] == "running")
    assert walled.run_in(kernel_id, "print('held' in dir())") == "False\n"
    assert client.call("DELETE", url).status_code == 204


@pytest.fixture(scope="module")
def with_internet() -> Iterator[Gateways]:
    if reason := why_no_way_out():
        pytest.skip(reason)
    with short_folder("fleet-tun-") as folder:
        folder.chmod(0o755)
        app = {"kernel_walls": "required", "kernel_network": "internet"}
        app["tun_device"] = openable_tun(folder)
        with running_gateways(count=1, changes={"FleetGatewayApp": app}) as gateways:
            url = f"{gateways.urls[0]}/api/kernels"
            answer = gateways.client().call("POST", url, json={"name": "missing"})
            if "network of its own" in answer.text:
                pytest.skip(answer.text)
            yield gateways


CONNECT = """
import socket
socket.create_connection(({host!r}, {port}), 5)
"""


def test_a_kernel_with_the_internet_does_not_reach_its_gateway(with_internet: Gateways) -> None:
    kernel_id = with_internet.start_kernel(0, name="lossless")
    client = with_internet.client()
    url = f"{with_internet.urls[0]}/api/kernels/{kernel_id}"
    assert client.call("GET", url).json()["network"] == "internet"
    (agent,) = agents_of(kernel_id)
    (first,) = ways_out(agent)
    port = int(with_internet.urls[0].rpartition(":")[2])
    with client.channels(with_internet.urls[0], kernel_id) as channels:
        for host in ("127.0.0.1", "169.254.169.254", "10.0.0.1"):
            reply = channels.finish(channels.execute(CONNECT.format(host=host, port=port)))[1]
            assert reply["ename"] == "ConnectionRefusedError", host
        own = "server = socket.create_server(('localhost', 0)); at = server.getsockname()\n"
        assert channels.run(f"{own}print(socket.create_connection(at).fileno() > 0)") == "True\n"
        assert channels.run("import os; print(os.environ['FLEET_NETWORK'])") == "internet\n"
        assert client.call("POST", f"{url}/restart").status_code == 200
        assert channels.run("print('after')") == "after\n"
    (second,) = ways_out(agent)
    assert second != first
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: {*ways_out(agent)} - {second})
    wait_until(lambda: client.call("GET", url).json()["network"] == "internet")
    last = ways_out(agent)
    os.kill(agent, signal.SIGKILL)
    wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in last))
    assert client.call("DELETE", url).status_code == 204


def test_a_kernel_without_a_network_says_so_where_a_cell_needs_one() -> None:
    app = {"kernel_walls": "required", "kernel_network": "none"}
    with running_gateways(count=1, changes={"FleetGatewayApp": app}) as gateways:
        kernel_id = gateways.start_kernel(0, name="lossless")
        with gateways.client().channels(gateways.urls[0], kernel_id) as channels:
            waiting = channels.execute(CONNECT.format(host="192.0.2.1", port=80))
            text, reply = channels.finish(waiting)
            assert reply["ename"] == "OSError"
            assert text.startswith("This kernel reaches no network.")
