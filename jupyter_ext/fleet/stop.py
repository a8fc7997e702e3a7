"""``jupyter fleet down``: end the programs, each before those that it needs."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.dropped_clusters import CLUSTER_OPTIONS
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.kept_settings import load_settings
from jupyter_ext.fleet.kernels import ELSEWHERE, PLACES, where
from jupyter_ext.fleet.leftovers import end_leftovers
from jupyter_ext.fleet.platform_key import refuse_unknown_signer
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings, flag
from jupyter_ext.fleet.store_sockets import remove_sockets
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.platform.counted import counted
from jupyter_ext.wire.routes import LEFTOVERS_ROUTE, POOLS_ROUTE

KERNELS_SECONDS = 60.0
CLUSTERS_SECONDS = 120.0
"""How long gateways may take until clusters have nothing left of the kernels."""
TELL_SECONDS = 10.0
"""How often to say that clusters are waited for."""
MOST_NAMED = 5
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
    """End every kernel through a gateway and return how many ran or were being started; raises
    `FleetError`. Records of kernels that had ended before go as well.

    Returns when nothing of them is left in clusters either: no gateway could remove it later.
    """
    files = SecretFiles(data_dir.secrets)
    token = files.sign_service_token("gateway")
    ended: set[str] = set()
    deadline = time.monotonic() + KERNELS_SECONDS
    problem = "no gateway answers"
    while True:
        for name in settings.gateway_names:
            url = settings.url(name) + "/api/kernels"
            try:
                waiting = _end_pools(settings, token)
                left = call("GET", f"{url}?personal=all", token)
                if waiting:
                    problem = f"still there: {counted(waiting, 'kernel')} of pools"
                elif not left:
                    _wait_for_clusters(settings, token)
                    return len(ended)
                for kernel in left:
                    if kernel["state"] != "dead":
                        ended.add(kernel["id"])
                    _delete(f"{url}/{kernel['id']}", token)
                if left:
                    problem = f"still running: {counted(len(left), 'kernel')}"
            except CallFailed as error:
                if error.status == 401:
                    refuse_unknown_signer(files)
                problem = str(error)
        if time.monotonic() > deadline:
            raise FleetError(
                f"the kernels cannot be ended ({problem}): see `jupyter fleet logs`, or leave "
                "them running with `jupyter fleet down`"
            )
        time.sleep(PAUSE)


def _end_pools(settings: Settings, token: str) -> int:
    """Has every gateway end the kernels that wait in its pools, and start no others; how many there
    are still. Raises CallFailed."""
    waiting = 0
    for name in settings.gateway_names:
        try:
            waiting = call("DELETE", settings.url(name) + POOLS_ROUTE, token)["pooled"]
        except CallFailed as error:
            # A gateway of the version before has no pools; one that has ended keeps none.
            if error.status not in (404, None):
                raise
    return waiting


def _wait_for_clusters(settings: Settings, token: str) -> None:
    """Return when gateways have removed from clusters what was there of deleted kernels; says until
    then what is waited for."""
    begun = time.monotonic()
    told = 0
    while True:
        left, problem = _left_in_clusters(settings, token)
        if not left and problem is None:
            return
        waited = time.monotonic() - begun
        if waited > CLUSTERS_SECONDS:
            raise FleetError(
                f"the kernels were ended, but not everything of them could be removed from the "
                f"cluster yet ({problem or left_words(left)}): the fleet keeps running to remove "
                f"it; {what_to_do(left, settings)}"
            )
        if waited >= told * TELL_SECONDS:
            told += 1
            print(f"waiting for {problem or left_words(left)}", file=sys.stderr, flush=True)
        time.sleep(PAUSE)


def left_words(left: Sequence[Mapping[str, Any]]) -> str:
    """What is left of kernels in clusters, by cluster, at most `MOST_NAMED` by name."""
    titles: dict[str, list[str]] = {}
    for one in left:
        title = PLACES.get((one["location"] or {}).get("kind", ""), ELSEWHERE)
        titles.setdefault(title, []).append(where(one))
    parts = []
    for title, names in titles.items():
        more = len(names) - MOST_NAMED
        named = ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")
        parts.append(f"what is left {title}: {named}")
    return "; ".join(parts)


def what_to_do(left: Sequence[Mapping[str, Any]], settings: Settings) -> str:
    """How what is left in clusters can be removed."""
    kinds = {(one["location"] or {}).get("kind") for one in left}
    lost = [
        option
        for option, of_it in CLUSTER_OPTIONS.items()
        if kinds & of_it and getattr(settings, option) is None
    ]
    if lost:
        options = " ".join(f"{flag(option)} …" for option in lost)
        return (
            f"no gateway can reach that cluster: name it again with `jupyter fleet up {options}`, "
            "then run `jupyter fleet down --kernels`. If it is gone for good, `jupyter fleet down` "
            "stops the fleet all the same"
        )
    return "run `jupyter fleet down` when the cluster answers again"


def _left_in_clusters(settings: Settings, token: str) -> tuple[list[Mapping[str, Any]], str | None]:
    """What is left of deleted kernels in clusters, and why that is not known."""
    problem = "no gateway answers"
    for name in settings.gateway_names:
        try:
            found = call("GET", settings.url(name) + LEFTOVERS_ROUTE, token)
        except CallFailed as error:
            if error.status == 404:
                # A gateway of the version before, which an interrupted `up` has left.
                return [], None
            problem = str(error)
        else:
            kind = {"kind": "local"}
            return [one for one in found if (one["location"] or kind) != kind], None
    return [], problem


def _delete(url: str, token: str) -> None:
    try:
        call("DELETE", url, token)
    except CallFailed as error:
        # Somebody else was faster.
        if error.status != 404:
            raise
