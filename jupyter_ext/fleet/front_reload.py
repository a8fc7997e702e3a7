"""Whether nginx uses the configuration that it was last told to load.

After SIGHUP its master starts a new worker and tells the old one to accept no more connections.
Only then does every new request follow the new configuration.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.leftovers import NGINX_WORKER, find_leftovers
from jupyter_ext.fleet.ports import FRONT

RELOAD_SECONDS = 30.0
PAUSE = 0.05
SHUTTING_DOWN = f"{NGINX_WORKER} is shutting down"


def front_workers(data_dir: DataDir) -> dict[int, str]:
    """The command line of each worker of the fleet's nginx, by process id."""
    shown = {}
    for one in find_leftovers(data_dir):
        if one.name == FRONT and one.worker:
            try:
                text = Path(f"/proc/{one.pid}/cmdline").read_bytes()
            except OSError:
                # It has ended meanwhile.
                continue
            shown[one.pid] = text.decode(errors="replace").strip("\0 ")
    return shown


def reloaded(before: Mapping[int, str], now: Mapping[int, str]) -> bool:
    """Whether a new worker runs and none of those from before the reload accepts requests."""
    return any(pid not in before for pid in now) and all(
        shown.startswith(SHUTTING_DOWN) for pid, shown in now.items() if pid in before
    )


def wait_for_reload(data_dir: DataDir, before: Mapping[int, str]) -> None:
    """Return when nginx has done what SIGHUP asks for; raises `FleetError`.

    ``before`` are its workers from before the signal (`front_workers`).
    """
    deadline = time.monotonic() + RELOAD_SECONDS
    while not reloaded(before, front_workers(data_dir)):
        if time.monotonic() > deadline:
            raise FleetError(
                f"nginx did not load its new configuration within {RELOAD_SECONDS:.0f} s:"
                f" {data_dir.log(FRONT)} may say why"
            )
        time.sleep(PAUSE)
