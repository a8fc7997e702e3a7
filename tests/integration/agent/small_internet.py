"""`python -m tests.integration.agent.small_internet FOLDER NETWORK SERVER [again]`: who is reached.

To be run in network and mount namespaces of its own, as root: makes a machine with a public and
other addresses, and a world around it, with servers at addresses that are the internet and at
others that are not. Then runs a program within walls, with the network that NETWORK (JSON)
describes, and prints what that has tried and reached, as JSON. FOLDER is empty; SERVER is the
address of the machine's name server. With `again` it is tried once the way out was killed and made
again, and the machine has got one more address.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gateway_ext.agent.kernel_network import KernelNetwork
from gateway_ext.agent.orphans import adopt_orphans
from gateway_ext.agent.walls.network import Network
from tests.unit.agent.inside_walls import Inside, start_inside

PORTS = (53, 80, 6379)
WORLD = {
    "internet": ["203.0.113.80", "2001:db8:1::80"],
    "private": [
        "10.9.9.9",
        "172.16.5.5",
        "192.168.7.7",
        "100.64.1.1",
        "198.18.3.3",
        "fd00:9::9",
        "64:ff9b::a09:909",
        "64:ff9b:1::9",
    ],
    "metadata": ["169.254.169.254", "168.63.129.16", "100.100.100.200", "fd00:ec2::254"],
}
ROUTER = ("198.51.100.1", "2001:db8::1")
MACHINE = ("198.51.100.2", "2001:db8::2")
OTHER = ("203.0.113.200", "192.168.44.4", "2001:db8:7::7")
"""More addresses of the machine."""
LOOPBACK = ("127.0.0.1", "127.0.0.2", "::1", "::ffff:127.0.0.1", "0.0.0.0")
INSIDE = ("192.0.0.1", "fd77:6661:6c6c::1")
"""The near end of the way, from inside."""
RESOLVER = "127.0.0.53"
LATER = "203.0.113.201"
"""An address that the machine gets while the program runs."""

ATTACK = """
import json, os, socket, struct, sys, threading, time
targets, abstract, ports, later = json.loads(sys.argv[1])
while later and not os.path.exists("go"):
    time.sleep(0.01)
end = time.monotonic() + 10
while time.monotonic() < end and WAIT and "eth0" not in open("/proc/net/route").read():
    time.sleep(0.01)
time.sleep(0.3 if WAIT else 0)
while later and time.monotonic() < end:
    try:
        socket.create_connection((later, 18080), 1).close()
    except OSError:
        break
tried, reached = [], []
def made(family, kind, how):
    made = socket.socket(family, kind)
    made.settimeout(4)
    if how == "bound to the device":
        made.setsockopt(socket.SOL_SOCKET, 25, b"eth0\\0")
    if how == "of one interface":
        level, option = (0, 50) if family == socket.AF_INET else (41, 76)
        made.setsockopt(level, option, struct.pack("!I", socket.if_nametoindex("eth0")))
    if how == "without routes":
        made.setsockopt(socket.SOL_SOCKET, 5, 1)
    return made
def attempt(name, address, port, kind, how):
    words = f"{name} {address} {port} {kind} {how}"
    tried.append(words)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    place = (address, port)
    if address.startswith("fe80") and WAIT:
        place = (address, port, 0, socket.if_nametoindex("eth0"))
    try:
        if kind == "tcp":
            with made(family, socket.SOCK_STREAM, how) as one:
                one.connect(place)
                one.sendall(b"?")
                answer = one.recv(9)
        else:
            with made(family, socket.SOCK_DGRAM, how) as one:
                if how == "by a message to the device":
                    info = struct.pack("=I4s4s", socket.if_nametoindex("eth0"), bytes(4), bytes(4))
                    if family == socket.AF_INET6:
                        info = struct.pack("=16sI", bytes(16), socket.if_nametoindex("eth0"))
                    level, option = (41, 50) if family == socket.AF_INET6 else (0, 8)
                    one.sendmsg([b"?"], [(level, option, info)], 0, place)
                else:
                    one.sendto(b"?", place)
                answer = one.recvfrom(9)[0]
    except OSError as error:
        return
    if answer == b"outside":
        reached.append(words)
hows = ("", "bound to the device", "of one interface", "without routes")
threads = [
    threading.Thread(target=attempt, args=(name, address, port, kind, how))
    for name, addresses in targets.items() for address in addresses for port in ports[name]
    for kind in ("tcp", "udp")
    for how in (hows if kind == "tcp" else (*hows, "by a message to the device"))
]
for thread in threads: thread.start()
for thread in threads: thread.join()
tried.append("abstract socket")
try:
    with socket.socket(socket.AF_UNIX) as one: one.connect(abstract)
    reached.append("abstract socket")
except OSError:
    pass
for family, kind in (("VSOCK", 1), ("PACKET", 3), ("PACKET", 2), ("ALG", 5), ("INET", 3)):
    tried.append(f"{family} {kind}")
    try:
        socket.socket(getattr(socket, "AF_" + family), kind).close()
        reached.append(f"{family} {kind}")
    except OSError:
        pass
with socket.socket() as server, socket.socket() as client:
    server.bind(("127.0.0.1", 0)); server.listen(); client.connect(server.getsockname())
named = socket.gethostbyname(socket.gethostname())
with socket.socket() as server:
    server.bind((named, 0))
try:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.settimeout(2)
        line = next(l for l in open("/etc/resolv.conf") if l.startswith("nameserver"))
        # As programs do that look up names: answers from elsewhere do not count, and what gets none
        # is sent again.
        asking.connect((line.split()[1], 53))
        for again in (True, True, True, False):
            asking.send(b"?")
            try:
                resolver = asking.recv(9).decode()
                break
            except TimeoutError:
                if not again:
                    raise
except OSError as error:
    resolver = type(error).__name__
print(json.dumps({"tried": tried, "reached": reached, "resolver": resolver}))
"""


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)


def _answer(address: str, port: int, sockets: list[socket.socket]) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        one = socket.socket(family, kind)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        one.bind((address, port))
        sockets.append(one)
        if kind == socket.SOCK_STREAM:
            one.listen(64)
            threading.Thread(target=_serve_tcp, args=(one,), daemon=True).start()
        else:
            threading.Thread(target=_serve_udp, args=(one,), daemon=True).start()


def _serve_tcp(server: socket.socket) -> None:
    while True:
        with server.accept()[0] as client:
            client.sendall(b"outside")


def _serve_udp(server: socket.socket) -> None:
    while True:
        _, sender = server.recvfrom(9)
        server.sendto(b"outside", sender)


def world(addresses: Sequence[str]) -> None:
    """The rest of the world: a process in a network of its own, which answers at addresses."""
    sockets: list[socket.socket] = []
    for address in addresses:
        for port in PORTS:
            _answer(address, port, sockets)
    print("ready", flush=True)
    signal.pause()


def _add(device: str, address: str, at: Sequence[str] = ()) -> None:
    nodad = ("nodad",) if ":" in address else ()
    size = 128 if ":" in address else 32
    _ip(*at, "addr", "add", f"{address}/{size}", "dev", device, *nodad)


def make_world() -> subprocess.Popen[str]:
    """A cable to the world, with its addresses."""
    addresses = [one for some in WORLD.values() for one in some] + [*ROUTER]
    command = [sys.executable, "-m", "tests.integration.agent.small_internet", "world", *addresses]
    process = subprocess.Popen(
        [
            "unshare",
            "--net",
            "--kill-child",
            "--fork",
            "sh",
            "-c",
            'read _; exec "$@"',
            "sh",
            *command,
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    inner = _child(process.pid)
    into = ["-n", "world"]
    Path("/run/netns").mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", "/run/netns"], check=True)
    _ip("netns", "attach", "world", str(inner))
    _ip("link", "set", "lo", "up")
    _ip(*into, "link", "set", "lo", "up")
    _ip("link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", "world")
    for old, new, at in ((ROUTER[0], ROUTER[1], into), (MACHINE[0], MACHINE[1], [])):
        _ip(*at, "link", "set", "cable", "up")
        _ip(*at, "addr", "add", f"{old}/24", "dev", "cable")
        _ip(*at, "addr", "add", f"{new}/64", "dev", "cable", "nodad")
    for address in (one for some in WORLD.values() for one in some):
        _add("cable", address, into)
    _ip("route", "add", "default", "via", ROUTER[0])
    _ip("-6", "route", "add", "default", "via", ROUTER[1])
    for address in OTHER:
        _add("lo", address)
        version = ["-6"] if ":" in address else []
        via = MACHINE[1 if version else 0]
        _ip(*into, *version, "route", "add", address, "via", via)
    process.stdin.write("\n")  # type: ignore[union-attr]
    process.stdin.flush()  # type: ignore[union-attr]
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def _child(pid: int) -> int:
    while True:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        if found:
            return int(found[0])
        time.sleep(0.01)


async def _again(inside: Inside, network: Network, own: Path) -> tuple[int, str]:
    """As `Inside.end`, but first has its way out end and be made again, and the machine get one
    more address."""
    states: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    keeping = KernelNetwork(network, inside.first)
    keeping.on_change = states.put_nowait
    assert inside.first.way_out is not None
    signal.pidfd_send_signal(inside.first.way_out.fileno(), signal.SIGKILL)
    for reach in ("none", "internet"):
        state = await asyncio.wait_for(states.get(), 20)
        assert state["reach"] == reach, state
    sockets: list[socket.socket] = []
    _add("lo", LATER)
    for port in (18080, 53):
        _answer(LATER, port, sockets)
    (own / "go").touch()
    with os.fdopen(inside.output) as lines:
        text = await asyncio.to_thread(lines.read)
    keeping.close()
    _, status = await asyncio.to_thread(os.waitpid, inside.first.pid, 0)
    return inside.first.wait_status(status), text


def main(folder: Path, network: Network, server: str, *, again: bool) -> dict[str, Any]:
    """What was tried and reached."""
    process = make_world()
    try:
        content = folder / "resolv.conf"
        content.write_text(f"nameserver {server}\n")
        resolver_file = os.path.realpath("/etc/resolv.conf")
        subprocess.run(["mount", "--bind", str(content), resolver_file], check=True)
        sockets: list[socket.socket] = []
        for address in (*MACHINE, *OTHER, "127.0.0.1", "::1"):
            _answer(address, 18080, sockets)
        _answer(RESOLVER, 53, sockets)
        scope = Path("/proc/net/if_inet6").read_text().split()
        links = [one for one in scope if one.startswith("fe80")]
        own_link = ":".join(links[0][at : at + 4] for at in range(0, 32, 4))
        name = "\0small-internet"
        abstract = socket.socket(socket.AF_UNIX)
        abstract.bind(name)
        abstract.listen()
        targets = {
            **WORLD,
            "the router": [ROUTER[0]],
            "this machine": [*MACHINE, *OTHER, own_link],
            "its loopback": [*LOOPBACK, *INSIDE, RESOLVER],
        }
        here = ("this machine", "its loopback")
        ports = {one: [18080, 53] if one in here else [80, 6379] for one in targets}
        own = folder / "own"
        own.mkdir()
        code = ATTACK.replace("WAIT", str(network.reach == "internet"))
        if again:
            targets["this machine"].append(LATER)
        words = [targets, name, ports, LATER if again else ""]
        argv = [sys.executable, "-c", code, json.dumps(words)]
        inside = start_inside(own, argv, network=network)
        status, text = asyncio.run(_again(inside, network, own)) if again else inside.end()
        assert status == 0, text
        found: dict[str, Any] = json.loads(text)
        return found
    finally:
        process.kill()


if __name__ == "__main__":
    if sys.argv[1] == "world":
        world(sys.argv[2:])
    adopt_orphans()
    described = Network.from_json(json.loads(sys.argv[2]))
    assert described is not None
    after = sys.argv[4:] == ["again"]
    print(json.dumps(main(Path(sys.argv[1]), described, sys.argv[3], again=after)))
