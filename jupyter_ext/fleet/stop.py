"""``jupyter fleet down``: end the programs, each before those that it needs."""

from __future__ import annotations

import time

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.embedded_store import remove_sockets
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.leftovers import end_leftovers
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings, load_settings
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.platform.counted import counted

KERNELS_SECONDS = 60.0
PAUSE = 0.5


def stop(data_dir: DataDir) -> bool:
    """End every program but not the kernels; returns whether anything was running."""
    supervisor = Supervisor(data_dir)
    states = supervisor.states()
    supervisor.end()
    ended = bool(states) | bool(end_leftovers(data_dir))
    settings = load_settings(data_dir)
    if settings is not None:
        remove_sockets(settings.ports)
    return ended


def end_kernels(data_dir: DataDir, settings: Settings) -> int:
    """End every kernel through a gateway and return how many there were; raises `FleetError`."""
    token = SecretFiles(data_dir.secrets).service_token("gateway").read_text()
    ended: set[str] = set()
    deadline = time.monotonic() + KERNELS_SECONDS
    problem = "no gateway answers"
    while True:
        for name in settings.gateway_names:
            url = settings.url(name) + "/api/kernels"
            try:
                left = [kernel["id"] for kernel in call("GET", url, token)]
                if not left:
                    return len(ended)
                for kernel_id in left:
                    ended.add(kernel_id)
                    _delete(f"{url}/{kernel_id}", token)
                problem = f"still running: {counted(len(left), 'kernel')}"
            except CallFailed as error:
                problem = str(error)
        if time.monotonic() > deadline:
            raise FleetError(
                f"the kernels cannot be ended ({problem}): see `jupyter fleet logs`, or leave "
                "them running with `jupyter fleet down`"
            )
        time.sleep(PAUSE)


def _delete(url: str, token: str) -> None:
    try:
        call("DELETE", url, token)
    except CallFailed as error:
        # Somebody else was faster.
        if error.status != 404:
            raise
