"""`python -m gateway_ext.agent.walls.probe FOLDER`: tries once whether walls can be built here.

Prints nothing if so, otherwise why not; FOLDER is one of this user's. What a system allows is known
by trying: its settings have many names, and containers refuse for reasons of their own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from gateway_ext.agent.orphans import adopt_orphans

from .order import Order
from .places import Walls, needed_by_python
from .waiting_process import start_walls

_SETTINGS = {
    "user.max_user_namespaces": "0",
    "kernel.unprivileged_userns_clone": "0",
    "kernel.apparmor_restrict_unprivileged_userns": "1",
}
"""Settings of Linux (sysctl) that refuse user namespaces, with the value that does."""


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


def why_not(folder: Path) -> str:
    """Why no walls can be built; empty if they can. Starts a program inside."""
    adopt_orphans()
    python = needed_by_python(sys.path, (sys.prefix, sys.base_prefix))
    walls = Walls((), (str(folder), *python))
    argv = [sys.executable, "-S", "-c", ""]
    output = os.open(os.devnull, os.O_WRONLY)
    order = Order(argv, dict(os.environ), Path("/"), output, folder, walls=walls)
    try:
        first = start_walls(output, lambda: None).become(order)
    except OSError as error:
        return f"{error.strerror or error}; {advice(_settings())}"
    if first is None:
        return "they were not asked for"
    _, status = os.waitpid(first.pid, 0)
    code = os.waitstatus_to_exitcode(first.wait_status(status))
    return f"a program inside them ends with {code}" if code else ""


if __name__ == "__main__":
    print(why_not(Path(sys.argv[1])), end="")
