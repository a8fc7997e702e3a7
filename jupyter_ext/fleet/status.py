"""``jupyter fleet status``: what runs, where, and how to log in."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_ext.fleet.build import installed_build, version_line
from jupyter_ext.fleet.cluster_answers import answer_line, cluster_answers
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.first_answer import first_answer
from jupyter_ext.fleet.kernels import places
from jupyter_ext.fleet.login_link import demo_token, login_link
from jupyter_ext.fleet.member import CHECKS, Member
from jupyter_ext.fleet.option import shown_url
from jupyter_ext.fleet.process_stat import ProcessStat
from jupyter_ext.fleet.revocation_reads import reads_line, revocation_reads
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.supervisor import ProcessState, Supervisor
from jupyter_ext.fleet.table import table
from jupyter_ext.wire.routes import GATEWAYS_ROUTE

ANSWER_SECONDS = 2.0


def status(data_dir: DataDir, settings: Settings, *, link: bool = False) -> dict[str, Any]:
    """The document that ``status --json`` prints; with ``login_url`` only if a ``link`` is wanted.

    An external database is listed without a process; the embedded one is files that labs and
    gateways open themselves. ``kernels`` says how many run where (`kernels.places`); it is None if
    no gateway answers. ``pooled`` is how many wait for users in pools. ``clusters`` says how
    clusters answer (`cluster_answers`); it is None if no gateway knows. A gateway's ``revocations``
    say whether it reads them (`revocation_reads`); None if it does not answer that. Its
    ``age_seconds`` say for how long it has run.
    """
    states = Supervisor(data_dir).states()
    ask = partial(first_answer, data_dir, settings, "gateway", seconds=ANSWER_SECONDS)
    gateways = ask(GATEWAYS_ROUTE) if states else None
    draining = {gateway["name"] for gateway in gateways or () if gateway["draining"]}
    # Where no gateway has answered the first call, none is waited for again.
    models = None if gateways is None else ask("/api/kernels?personal=all")
    found = [
        describe(member, states.get(member.name), draining=member.name in draining)
        for member in settings.members
    ]
    if settings.bucket is not None:
        found.append(external("store", settings.bucket))
    if settings.database is not None:
        found.append(external("database", settings.database))
    if settings.kubeconfig is not None:
        found.append(
            external("kubernetes", f"{settings.kubeconfig} (context {settings.kube_context})")
        )
    if settings.yarn_conf is not None:
        found.append(external("yarn", settings.yarn_conf))
    own = [one for one in found if one["role"] == "gateway"]
    asked = () if gateways is None else (one["name"] for one in own if one["state"] == "running")
    reads = revocation_reads(data_dir, settings, asked)
    for one in own:
        one["revocations"] = reads.get(one["name"])
        one["age_seconds"] = _age(one["pid"])
        if settings.advertise is not None:
            one["advertised_url"] = settings.advertised_url(one["name"])
    document = {
        "url": f"{settings.browser_url}/",
        "running": bool(states),
        "version": version_line(),
        "build": installed_build(Path(sys.prefix)),
        "processes": found,
        "kernels": None if models is None else places(models),
        "pooled": sum(gateway.get("pooled", 0) for gateway in gateways or ()),
        "clusters": None if gateways is None else cluster_answers(data_dir, settings),
    }
    if link and states:
        document["login_url"] = login_link(settings, demo_token(data_dir))
    return document


def describe(
    member: Member, state: ProcessState | None, *, draining: bool = False
) -> dict[str, Any]:
    """One process of the fleet. ``health_url`` answers without a token. ``build`` is the build it
    was started with; None for third-party programs. Only a gateway has ``draining``."""
    return {
        "name": member.name,
        "role": member.role,
        "pid": state.pid if state else None,
        "url": member.url,
        "health_url": member.url + CHECKS[member.role],
        "state": state.state if state else "stopped",
        "build": state.build if state else None,
        **({"draining": draining} if member.role == "gateway" else {}),
    }


def _age(pid: int | None) -> float | None:
    stat = None if pid is None else ProcessStat.of(pid)
    return None if stat is None else round(stat.age, 1)


def external(role: str, url: str) -> dict[str, Any]:
    """What the fleet uses but does not run."""
    return {"name": role, "role": role, "pid": None, "url": shown_url(url), "state": "external"}


def health_line(processes: Iterable[Mapping[str, Any]]) -> str:
    """The paths for health checks; empty if the fleet runs no process itself."""
    by_path: dict[str, list[str]] = {}
    for one in processes:
        if "health_url" in one:
            by_path.setdefault(urlsplit(one["health_url"]).path, []).append(one["name"])
    if not by_path:
        return ""
    health = "; ".join(f"{path} on {', '.join(names)}" for path, names in by_path.items())
    return f"Health checks, open to all: {health}. No metrics: `up` opens no port for them"


def as_table(document: dict[str, Any], settings: Settings) -> str:
    """The same for people."""
    rows = [("NAME", "STATE", "PID", "BUILD", "URL")]
    for one in document["processes"]:
        pid = str(one["pid"] or "-")
        draining = one["state"] == "running" and one.get("draining")
        state = "draining" if draining else one["state"]
        url = ", ".join((one["url"], *filter(None, [one.get("advertised_url")])))
        rows.append((one["name"], state, pid, one.get("build") or "-", url))
    lines = [answer_line(one, settings) for one in document.get("clusters") or ()]
    running = [one for one in document["processes"] if one["state"] == "running"]
    reads = {one["name"]: one["revocations"] for one in running if "revocations" in one}
    ages = {one["name"]: one.get("age_seconds") for one in running}
    lines.append(reads_line(reads, ages))
    lines.append(health_line(document["processes"]))
    processes = "\n\n".join(filter(None, (table(rows), "\n".join(filter(None, lines)))))
    counts = document.get("kernels")
    if counts is None:
        return processes
    kernels = ", ".join(f"{count} {place}" for place, count in counts.items() if count)
    waiting = document.get("pooled")
    pools = f"; {waiting} waiting in pools" if waiting else ""
    return f"{processes}\n\nKernels: {kernels or 'none'}{pools}"
