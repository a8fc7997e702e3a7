"""`python -m gateway_ext.agent.walls.probe FOLDER [NETWORK]`: tries once whether walls can be built
here, with a network of their own if NETWORK (JSON) describes one.

Prints nothing if so, otherwise why not; ends with EX_TEMPFAIL if that is not known, because the
machine is too slow. FOLDER is one of this user's. What a system allows is known by trying: its
settings have many names, and containers refuse for reasons of their own.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway_ext.agent.orphans import adopt_orphans

from .network import Network, Reach
from .order import Order
from .outside import TooSlow
from .places import Walls, needed_by_python
from .waiting_process import start_walls

_SETTINGS = {
    "user.max_user_namespaces": "0",
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
"""Settings of Linux (sysctl) that refuse user namespaces, with the value that does."""


_WAIT_FOR_A_WAY = """
import sys, time
end = time.monotonic() + 10
while time.monotonic() < end:
    for name, place in (("route", 0), ("ipv6_route", -1)):
        try:
            lines = open("/proc/net/" + name).read().splitlines()
        except FileNotFoundError:
            continue
        if any(line.split()[place] not in ("lo", "Iface") for line in lines):
            sys.exit(0)
    time.sleep(0.01)
sys.exit(1)
"""
"""What is run inside: it waits until a device that is not the loopback leads somewhere."""


def advice(settings: Mapping[str, str]) -> str:
    """What to change, by the values of those settings that this system has."""
    refusing = [name for name, value in _SETTINGS.items() if settings.get(name) == value]
    if refusing:
        return f"this system's setting {' and '.join(refusing)} refuses user namespaces"
    return (
        "in a container, its seccomp profile must allow unshare and mount, and its /proc must not "
        "be masked"
    )


def _settings() -> dict[str, str]:
    places = {name: Path("/proc/sys", *name.split(".")) for name in _SETTINGS}
    return {name: place.read_text().strip() for name, place in places.items() if place.exists()}


def why_not(folder: Path, network: Network | None = None) -> str:
    """Why no walls, with this network, can be built; empty if they can. Starts a program inside.
    Raises TooSlow."""
    adopt_orphans()
    python = needed_by_python(sys.path, (sys.prefix, sys.base_prefix))
    walls = Walls((), (str(folder), *python), network=network)
    has_way_out = network is not None and network.reach is Reach.INTERNET
    argv = [sys.executable, "-S", "-c", _WAIT_FOR_A_WAY if has_way_out else ""]
    output = os.open(os.devnull, os.O_WRONLY)
    order = Order(argv, dict(os.environ), Path("/"), output, folder, walls=walls)
    try:
        first = start_walls(output, lambda: None).become(order)
    except TooSlow:
        raise
    except OSError as error:
        why = error.strerror or str(error)
        return why if has_way_out else f"{why}; {advice(_settings())}"
    if first is None:
        return "they were not asked for"
    _, status = os.waitpid(first.pid, 0)
    words = "" if first.way_out is None else first.way_out.last_words()
    code = os.waitstatus_to_exitcode(first.wait_status(status))
    if code and has_way_out:
        return f"pasta makes no way to the internet: {words}"
    return f"a program inside them ends with {code}" if code else ""


if __name__ == "__main__":
    described = Network.from_json(json.loads(sys.argv[2])) if len(sys.argv) > 2 else None
    try:
        print(why_not(Path(sys.argv[1]), described), end="")
    except TooSlow as error:
        print(error, file=sys.stderr)
        sys.exit(os.EX_TEMPFAIL)
