"""``jupyter fleet kernels``, ``kernel`` and ``drain``: asking gateways about kernels.

Only labs know the current name of a kernel's notebook; gateways know the name at its start.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from jupyter_ext.fleet.calls import CallFailed, call
from jupyter_ext.fleet.data_dir import DataDir
from jupyter_ext.fleet.failure import FleetError
from jupyter_ext.fleet.first_answer import first_answer
from jupyter_ext.fleet.leftovers import find_leftovers
from jupyter_ext.fleet.platform_key import refuse_unknown_signer
from jupyter_ext.fleet.secret_files import SecretFiles
from jupyter_ext.fleet.settings import Settings
from jupyter_ext.fleet.supervisor import Supervisor
from jupyter_ext.fleet.table import table
from jupyter_ext.wire.routes import DRAIN_ROUTE, EVENTS_ROUTE, GATEWAYS_ROUTE, GONE_ROUTE, path_of

DRAIN_SECONDS = 60.0
LAB_SECONDS = 5.0
BETWEEN_OWNERS = "(between owners)"

HEAD = ("ID", "STATE", "OWNER", "EPOCH", "WHERE", "PROJECT", "PATH", "USER", "LAST ACTIVITY")

PLACES = {
    "local": "on this machine",
    "pod": "in Kubernetes",
    "sparkapplication": "in Kubernetes",
    "yarn": "in YARN",
}
"""What the kinds of a kernel's location are called."""
ELSEWHERE = "not started yet"

_UNITS = (("h", 3600), ("min", 60))

ID_LENGTH = 36

LONGEST_STATE = 60
"""Characters in a list of kernels."""


def ask(data_dir: DataDir, settings: Settings, method: str, path: str, **options: float) -> Any:
    """The response of the first gateway that responds; raises `FleetError` if none does."""
    files = SecretFiles(data_dir.secrets)
    token = files.sign_service_token("gateway")
    problem = None
    for name in settings.gateway_names:
        try:
            return call(method, settings.url(name) + path, token, **options)
        except CallFailed as error:
            if error.status == 401:
                refuse_unknown_signer(files)
            if error.status is not None and error.status != 503:
                raise FleetError(str(error)) from error
            problem = str(error) if error.status else problem
    if problem is None and not Supervisor(data_dir).states():
        problem = f"the {not_running(data_dir)}"
    raise FleetError(problem or "no gateway answers: `jupyter fleet logs` says why")


def not_running(data_dir: DataDir) -> str:
    """A phrase, to follow "the", that says what to do about a fleet without a supervisor."""
    if find_leftovers(data_dir):
        return f"fleet in {data_dir.root} has lost its supervisor: `jupyter fleet up` adopts it"
    return f"fleet in {data_dir.root} is not running: `jupyter fleet up` starts it"


def _sessions(data_dir: DataDir, settings: Settings) -> list[dict[str, Any]]:
    """The models of all sessions; empty if no lab answers."""
    return first_answer(data_dir, settings, "lab", "/api/sessions", seconds=LAB_SECONDS) or []


def kernels(data_dir: DataDir, settings: Settings) -> list[dict[str, Any]]:
    """The models of all kernels. ``owner`` is None while no living gateway owns the kernel."""
    found = ask(data_dir, settings, "GET", "/api/kernels?personal=all")
    gateways = ask(data_dir, settings, "GET", GATEWAYS_ROUTE)
    sessions = _sessions(data_dir, settings)
    living = {gateway["name"] for gateway in gateways}
    return with_session_paths(with_living_owners(found, living), sessions)


def kernel(data_dir: DataDir, settings: Settings, kernel_id: str) -> dict[str, Any]:
    """``{"kernel": model, "events": […]}`` of one kernel, a deleted one too."""
    path = path_of(EVENTS_ROUTE, kernel_id=kernel_id)
    document: dict[str, Any] = ask(data_dir, settings, "GET", path)
    gateways = ask(data_dir, settings, "GET", GATEWAYS_ROUTE)
    living = {gateway["name"] for gateway in gateways}
    sessions = _sessions(data_dir, settings)
    (document["kernel"],) = with_session_paths(
        with_living_owners([document["kernel"]], living), sessions
    )
    return document


def declare_gone(data_dir: DataDir, settings: Settings, kernel_id: str) -> None:
    """Say that what ran an unreachable kernel is gone; raises `FleetError` if it is reachable."""
    ask(data_dir, settings, "POST", path_of(GONE_ROUTE, kernel_id=kernel_id))


def drain(data_dir: DataDir, settings: Settings, gateway: str, *, stop: bool) -> dict[str, Any]:
    """Have a gateway hand over its kernels, or (``stop``) accept kernels again."""
    path = path_of(DRAIN_ROUTE, name=gateway)
    method = "DELETE" if stop else "POST"
    answer: dict[str, Any] = ask(data_dir, settings, method, path, timeout=DRAIN_SECONDS)
    return answer


def with_living_owners(
    models: Sequence[Mapping[str, Any]], living: Collection[str]
) -> list[dict[str, Any]]:
    """The models; ``owner`` becomes None where that gateway does not run."""
    return [{**one, "owner": one["owner"] if one["owner"] in living else None} for one in models]


def with_session_paths(
    models: Sequence[Mapping[str, Any]], sessions: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """The models, each with its notebook's current path; unchanged if it has no session."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for session in sessions:
        found.setdefault(session["kernel"]["id"], []).append(session)
    return [{**one, "path": _path_now(one["path"], found.get(one["id"], []))} for one in models]


def _path_now(started_for: str, sessions: Sequence[Mapping[str, Any]]) -> str:
    # Labs of the version before have no document_path.
    paths = [one.get("document_path") or one["path"] for one in sessions]
    if not paths or started_for in paths:
        return started_for
    # A console beside a notebook is a session of the same kernel.
    notebooks = [
        path for path, one in zip(paths, sessions, strict=True) if one["type"] == "notebook"
    ]
    return str((notebooks or paths)[0])


def full_id(data_dir: DataDir, settings: Settings, beginning: str) -> str:
    """The id of the kernel that begins so; raises `FleetError` unless exactly one does. A whole id
    is returned as it is: a kernel that was deleted has a history, and is in no list."""
    if len(beginning) == ID_LENGTH:
        return beginning
    return id_that_begins(beginning, ask(data_dir, settings, "GET", "/api/kernels?personal=all"))


def id_that_begins(beginning: str, models: Iterable[Mapping[str, Any]]) -> str:
    """See `full_id`."""
    wanted = beginning.lower()
    found = sorted(one["id"] for one in models if wanted and one["id"].startswith(wanted))
    if len(found) > 1:
        raise FleetError(
            f"{len(found)} kernels have ids that begin with {beginning}: {', '.join(found)}"
        )
    if not found:
        raise FleetError(
            f"no kernel has an id that begins with {beginning!r}: `jupyter fleet kernels` lists "
            "them; of a deleted kernel give the whole id"
        )
    return found[0]


def kernels_table(models: Sequence[Mapping[str, Any]], *, whole: bool = False) -> str:
    """Kernels for people; with ``whole`` a reason has any length."""
    now = datetime.now(UTC)
    states = [state_text(model, now) for model in models]
    shown = states if whole else list(map(_shortened, states))
    return table([HEAD, *map(_row, models, shown)])


def _row(model: Mapping[str, Any], state: str) -> tuple[str, ...]:
    owner = model["owner"] or ("-" if model["state"] in ("dead", "deleted") else BETWEEN_OWNERS)
    # Gateways of the version before do not say.
    user = f"{model['username']} (alone)" if model.get("only_for") else model["username"]
    columns = (model["project"], model["path"] or "-", user, model["last_activity"])
    return (model["id"], state, owner, str(model["epoch"]), where(model), *columns)


def state_text(model: Mapping[str, Any], now: datetime) -> str:
    """What a kernel does, or why it does nothing: what it is started for waits for, for how long,
    and what the cluster says of it. One line of any length."""
    state: str = model["state"]
    # Gateways of the version before do not say.
    launch = model.get("launch")
    if state == "running":
        return f"running, {model['execution_state']}"
    if launch:
        state = f"{state}, {launch['phase']} for {_since(launch['since'], now)}"
        reason = launch["message"]
    else:
        reason = model["reason"]
    words = " ".join(reason.split())
    return f"{state}: {words}" if words else state


def _since(moment: str, now: datetime) -> str:
    seconds = max(0, int((now - datetime.fromisoformat(moment)).total_seconds()))
    unit, length = next((one for one in _UNITS if seconds >= 2 * one[1]), ("s", 1))
    return f"{seconds // length} {unit}"


def _shortened(text: str) -> str:
    return text if len(text) <= LONGEST_STATE else f"{text[: LONGEST_STATE - 1].rstrip()}…"


def where(model: Mapping[str, Any]) -> str:
    """Where a kernel runs: ``local``, NAMESPACE/NAME in Kubernetes, or YARN's application id; ``-``
    while that is not known."""
    # Gateways of the version before do not say.
    found = model.get("location") or {}
    if "namespace" in found:
        return f"{found['namespace']}/{found['name']}"
    if "application_id" in found:
        return found["application_id"] or "-"
    return found.get("kind") or "-"


def places(models: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many kernels, other than dead ones, run in each of `PLACES`."""
    found = [
        PLACES.get((one.get("location") or {}).get("kind", ""), ELSEWHERE)
        for one in models
        if one["state"] not in ("dead", "deleted")
    ]
    return {place: found.count(place) for place in (*dict.fromkeys(PLACES.values()), ELSEWHERE)}


def kernel_text(document: Mapping[str, Any]) -> str:
    """One kernel and its history for people."""
    model = document["kernel"]
    facts = zip(HEAD, _row(model, state_text(model, datetime.now(UTC))), strict=True)
    rows = [("WHEN", "WHAT", "WHO", "GATEWAY", "DETAIL")]
    for event in document["events"]:
        detail = event["detail"].replace("\n", " ")
        rows.append(
            (event["at"], event["event"], event["username"] or "-", event["gateway"], detail)
        )
    head = "\n".join(f"{name.capitalize() + ':':15}{value}" for name, value in facts)
    return f"{head}\n\n{table(rows)}"
