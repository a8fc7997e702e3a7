"""``jupyter fleet kernels``, ``kernel`` and ``drain``: asking gateways about kernels."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.table import table

DRAIN_SECONDS = 60.0
BETWEEN_OWNERS = "(between owners)"

HEAD = ("ID", "STATE", "OWNER", "EPOCH", "PROJECT", "PATH", "USER", "LAST ACTIVITY")


def ask(data_dir: DataDir, settings: Settings, method: str, path: str, **options: float) -> Any:
    """The answer of the first gateway that gives one, whichever it is; raises `FleetError`."""
    token = SecretFiles(data_dir.secrets).service_token("gateway").read_text()
    problem = "no gateway answers: `jupyter fleet up` starts them"
    for name in settings.gateway_names:
        try:
            return call(method, settings.url(name) + path, token, **options)
        except CallFailed as error:
            if error.status is not None and error.status != 503:
                raise FleetError(str(error)) from error
            problem = str(error) if error.status else problem
    raise FleetError(problem)


def kernels(data_dir: DataDir, settings: Settings) -> list[dict[str, Any]]:
    """The models of all kernels. ``owner`` is None while no living gateway owns the kernel."""
    found = ask(data_dir, settings, "GET", "/api/kernels")
    gateways = ask(data_dir, settings, "GET", "/api/fleet/gateways")
    return with_living_owners(found, {gateway["name"] for gateway in gateways})


def kernel(data_dir: DataDir, settings: Settings, kernel_id: str) -> dict[str, Any]:
    """``{"kernel": model, "events": […]}`` of one kernel, a deleted one too."""
    path = f"/api/fleet/kernels/{quote(kernel_id, safe='')}/events"
    document: dict[str, Any] = ask(data_dir, settings, "GET", path)
    gateways = ask(data_dir, settings, "GET", "/api/fleet/gateways")
    living = {gateway["name"] for gateway in gateways}
    (document["kernel"],) = with_living_owners([document["kernel"]], living)
    return document


def drain(data_dir: DataDir, settings: Settings, gateway: str, *, stop: bool) -> dict[str, Any]:
    """Have a gateway hand its kernels on, or (``stop``) take kernels again."""
    path = f"/api/fleet/gateways/{quote(gateway, safe='')}/drain"
    method = "DELETE" if stop else "POST"
    answer: dict[str, Any] = ask(data_dir, settings, method, path, timeout=DRAIN_SECONDS)
    return answer


def with_living_owners(
    models: Sequence[Mapping[str, Any]], living: Collection[str]
) -> list[dict[str, Any]]:
    """The models, with the owners that do not live taken away."""
    return [{**one, "owner": one["owner"] if one["owner"] in living else None} for one in models]


def kernels_table(models: Sequence[Mapping[str, Any]]) -> str:
    """Kernels for people."""
    return table([HEAD, *(_row(model) for model in models)])


def _row(model: Mapping[str, Any]) -> tuple[str, ...]:
    state = model["state"]
    owner = model["owner"] or ("-" if state in ("dead", "deleted") else BETWEEN_OWNERS)
    if state == "running":
        state = f"running, {model['execution_state']}"
    elif model["reason"]:
        state = f"{state}: {model['reason'].splitlines()[0]}"
    columns = (model["project"], model["path"] or "-", model["username"], model["last_activity"])
    return (model["id"], state, owner, str(model["epoch"]), *columns)


def kernel_text(document: Mapping[str, Any]) -> str:
    """One kernel and its history for people."""
    facts = zip(HEAD, _row(document["kernel"]), strict=True)
    rows = [("WHEN", "WHAT", "WHO", "GATEWAY", "DETAIL")]
    for event in document["events"]:
        detail = event["detail"].replace("\n", " ")
        rows.append(
            (event["at"], event["event"], event["username"] or "-", event["gateway"], detail)
        )
    head = "\n".join(f"{name.capitalize() + ':':15}{value}" for name, value in facts)
    return f"{head}\n\n{table(rows)}"
