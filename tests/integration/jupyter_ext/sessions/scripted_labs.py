"""Labs in front of scripted gateways: when and how a launch ends is the tests' to say."""

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

from sqlalchemy import select
from tornado import web

from jupyter_ext.database.engine import Database
from jupyter_ext.kernels.manager import FleetKernelManager
from jupyter_ext.kernels.specs import FleetKernelSpecManager
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.new_sessions import NewSession
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.tables import session

PATH = "demo/a.ipynb"
NAMES = {"python3": "python", "python": "python", "scala": "scala"}
"""The name of the kernelspec by the name of a start."""


class Gateways:
    """The kernels' models, and each call."""

    def __init__(self) -> None:
        self.kernels: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.launched = asyncio.Event()
        self.before_launch: Callable[[], object] = lambda: None
        self.before_shutdown: Callable[[str], object] = lambda kernel_id: None
        # Asked to end a kernel, and whether that is answered now.
        self.asked = asyncio.Event()
        self.answers = asyncio.Event()
        self.answers.set()
        # The status of the answer, for kernels that they do not end.
        self.refusals: dict[str, int] = {}
        # Of a version that ends a kernel whether or not it runs already.
        self.earlier = False

    def run(self, kernel_id: str) -> None:
        self.kernels[kernel_id] |= {"state": "running", "execution_state": "idle", "launch": None}

    def fail(self, kernel_id: str, reason: str) -> None:
        self.die(kernel_id, reason)
        self.kernels[kernel_id]["launch_failed"] = True

    def die(self, kernel_id: str, reason: str) -> None:
        ended = {"state": "dead", "execution_state": "dead", "launch": None, "reason": reason}
        self.kernels[kernel_id] |= ended

    @property
    def only(self) -> str:
        """The id of the one kernel that there is."""
        (kernel_id,) = self.kernels
        return kernel_id


class ScriptedKernels(FleetKernelManager):
    """Asks `Gateways`."""

    fleet: Gateways

    async def launch(
        self, *, kernel_id: str | None = None, kernel_name: str | None = None, **_: Any
    ) -> dict[str, Any]:
        self.fleet.calls.append("launch")
        self.fleet.before_launch()
        kernel_id = kernel_id or str(uuid.uuid4())
        launch = {"phase": "pulling", "message": "40 %", "position": None, "since": ""}
        model = {
            "id": kernel_id,
            "name": NAMES[kernel_name or "python"],
            "project": "demo",
            "state": "launching",
            "execution_state": "starting",
            "launch": launch,
            "reason": "",
            "owner": None,
            "connections": 0,
            "launch_failed": False,
        }
        # The same id again is the same kernel, whatever its state.
        model = self.fleet.kernels.setdefault(kernel_id, model)
        self.fleet.launched.set()
        return dict(model)

    async def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        self.fleet.calls.append("model")
        if kernel_id not in self.fleet.kernels:
            raise web.HTTPError(404)
        return dict(self.fleet.kernels[kernel_id])

    async def list_kernels(self) -> list[dict[str, Any]]:
        return [dict(model) for model in self.fleet.kernels.values()]

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, *_: Any, reason: str = "", launching: bool = False
    ) -> None:
        self.fleet.calls.append("shutdown")
        self.fleet.asked.set()
        await self.fleet.answers.wait()
        self.fleet.before_shutdown(kernel_id)
        if kernel_id in self.fleet.refusals:
            raise web.HTTPError(self.fleet.refusals[kernel_id])
        kernel = self.fleet.kernels.get(kernel_id)
        if kernel is None:
            raise web.HTTPError(404)
        if launching and not self.fleet.earlier and kernel["state"] not in ("launching", "dead"):
            raise web.HTTPError(409, "the kernel runs already")
        del self.fleet.kernels[kernel_id]


class Specs(FleetKernelSpecManager):
    """Two kernelspecs, of which one can also be started by another name."""

    async def get_kernel_spec(self, kernel_name: str) -> dict[str, Any]:  # type: ignore[override]
        return {"name": NAMES[kernel_name]}


def new_lab(database: Database, gateways: Gateways) -> FleetSessionManager:
    manager = ScriptedKernels(kernel_spec_manager=Specs())
    manager.fleet = gateways
    return FleetSessionManager(kernel_manager=manager, database=database, answer_seconds=30.0)


async def open_page(lab: FleetSessionManager, path: str = PATH) -> dict[str, Any]:
    """A session as a page makes it, which waits for nothing."""
    return await lab.open_session(NewSession(path, "a.ipynb", kernel_name="python"))


async def listed(lab: FleetSessionManager) -> dict[str, str]:
    """The kernel of each session."""
    return {model["id"]: model["kernel"]["id"] for model in await lab.list_sessions()}


async def until(condition: Callable[[], Any]) -> None:
    """Wait for what labs do by themselves; the test's own time limit ends this."""
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(0.005)


async def changed(lab: FleetSessionManager, gateways: Gateways) -> tuple[str, str, str]:
    """A session whose page has asked for another kernel, its kernel until then, and the new one,
    which is on its way."""
    page = await open_page(lab)
    first = str(page["kernel"]["id"])
    gateways.run(first)
    model = await lab.update_session(page["id"], SessionChange(kernel_name="scala"))
    second = str(model["kernel"]["id"])
    assert model["kernel"]["state"] == "launching"
    assert model["former_kernel"] == first
    assert set(gateways.kernels) == {first, second}
    return page["id"], first, second


def former_of(lab: FleetSessionManager, session_id: str) -> str | None:
    """The kernel that the session would go back to."""
    query = select(session.c.former_kernel).where(session.c.id == session_id)
    former: str | None = lab.database.run_blocking(lambda c: c.execute(query).scalar_one())
    return former
