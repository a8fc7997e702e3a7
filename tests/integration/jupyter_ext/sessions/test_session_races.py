"""Pages that open and close the same notebook at once, in two labs."""

import asyncio
import random
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select
from tornado import web

from jupyter_ext.database.engine import Database
from jupyter_ext.database.migrate import upgrade_lab
from jupyter_ext.kernels.manager import FleetKernelManager
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.tables import kernel_start
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity

PATH = "demo/a.ipynb"


class Kernels:
    """What the gateways know, with answers that take a moment."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.away = False

    async def pause(self) -> None:
        await asyncio.sleep(random.uniform(0, 0.01))


class SlowKernels(FleetKernelManager):
    """Asks `Kernels` instead of gateways."""

    fleet: Kernels

    async def start_kernel(self, *, kernel_id: str | None = None, **_: Any) -> str:  # type: ignore[override]
        await self.fleet.pause()
        kernel_id = kernel_id or str(uuid.uuid4())
        self.fleet.running.add(kernel_id)
        return kernel_id

    async def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        exists = kernel_id in self.fleet.running
        await self.fleet.pause()
        if not exists:
            raise web.HTTPError(404)
        return {"id": kernel_id, "name": "python3", "execution_state": "idle"}

    async def shutdown_kernel(self, kernel_id: str, *_: Any) -> None:  # type: ignore[override]
        await self.fleet.pause()
        if self.fleet.away:
            raise web.HTTPError(503, "no gateway answers")
        if kernel_id not in self.fleet.running:
            raise web.HTTPError(404)
        self.fleet.running.remove(kernel_id)


@pytest.fixture
def kernels() -> Kernels:
    return Kernels()


@pytest.fixture
def labs(database_url: str, kernels: Kernels) -> Iterator[list[FleetSessionManager]]:
    """The session managers of two labs; calls are those of ada."""
    databases = [Database(database_url), Database(database_url)]
    upgrade_lab(databases[0])
    managers = []
    for database in databases:
        manager = SlowKernels()
        manager.fleet = kernels
        managers.append(FleetSessionManager(kernel_manager=manager, database=database))
    act_as(make_identity("ada"))
    yield managers
    act_as(None)
    for database in databases:
        database.close()


async def post(lab: FleetSessionManager, kernel_id: str | None = None) -> dict[str, Any]:
    """A session as a page makes it: with a placeholder of its own for the path."""
    placeholder = f"demo/{uuid.uuid4()}"
    return await lab.create_session(placeholder, "a.ipynb", kernel_id=kernel_id)


@pytest.mark.parametrize("by_id", [False, True])
async def test_whoever_gets_a_session_has_a_kernel(
    labs: list[FleetSessionManager], kernels: Kernels, by_id: bool
) -> None:
    session = await post(labs[0])
    for number in range(40):
        ending = labs[number % 2].delete_session(session["id"])
        wanted = session["kernel"]["id"] if by_id else None

        async def later(lab: FleetSessionManager, wanted: str | None = wanted) -> dict[str, Any]:
            await asyncio.sleep(random.uniform(0, 0.03))
            return await post(lab, wanted)

        _, one, two = await asyncio.gather(ending, later(labs[0]), later(labs[1]))
        assert one["kernel"]["id"] == two["kernel"]["id"] or by_id
        for made in (one, two):
            assert made["kernel"]["id"] in kernels.running
            assert (await labs[0].get_session(made["id"]))["id"] == made["id"]
        await labs[1].delete_session(one["id"])
        session = two
    await labs[0].delete_session(session["id"])
    assert not kernels.running
    starts = labs[0].database.run_blocking(lambda c: c.execute(select(kernel_start)).all())
    assert starts == []


async def test_pages_that_close_at_once_end_the_kernel_once(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    for _ in range(10):
        made = [await post(labs[number % 2]) for number in range(3)]
        closing = [lab.delete_session(session["id"]) for session in made for lab in labs]
        for done in await asyncio.gather(*closing, return_exceptions=True):
            # The other lab was faster.
            assert done is None or (isinstance(done, web.HTTPError) and done.status_code == 404)
        assert not kernels.running


async def test_a_kernel_that_cannot_be_ended_keeps_its_session(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    session = await post(labs[0])
    kernels.away = True
    with pytest.raises(web.HTTPError) as refused:
        await labs[0].delete_session(session["id"])
    assert refused.value.status_code == 503
    assert (await labs[1].get_session(session["id"]))["kernel"]["id"] == session["kernel"]["id"]
    other = await post(labs[1])
    assert other["kernel"]["id"] == session["kernel"]["id"]
    kernels.away = False
    await labs[1].delete_session(session["id"])
    assert kernels.running
    await labs[1].delete_session(other["id"])
    assert not kernels.running


async def test_a_session_that_goes_while_it_is_looked_up_is_not_found(
    labs: list[FleetSessionManager], kernels: Kernels, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await labs[0].create_session(PATH)
    look = labs[1].kernel_manager.kernel_model

    async def slow(kernel_id: str) -> dict[str, Any]:
        model = await look(kernel_id)
        await labs[0].delete_session(session["id"])
        return model

    assert await labs[1].find(PATH) is not None
    monkeypatch.setattr(labs[1].kernel_manager, "kernel_model", slow)
    assert await labs[1].find(PATH) is None
