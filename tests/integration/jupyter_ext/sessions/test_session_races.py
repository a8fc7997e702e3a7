"""Pages that open and close the same notebook at once, in two labs."""

import asyncio
import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest
from sqlalchemy import select, update
from tornado import web

from jupyter_ext.database.engine import Database
from jupyter_ext.kernels.manager import FleetKernelManager
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.store import endings, leases, moves, session_rows
from jupyter_ext.sessions.sweep import SessionSweep
from jupyter_ext.sessions.tables import kernel_start, session_kernel
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity
from tests.integration.jupyter_ext.sessions.killed_lab import Killed, kill_at

PATH = "demo/a.ipynb"


class Kernels:
    """What the gateways know, with answers that take a moment."""

    def __init__(self) -> None:
        self.running: set[str] = set()
        self.away = False
        self.stuck: set[str] = set()
        """Kernels that no gateway can end."""
        self.unknown: set[str] = set()
        """Kernels that no gateway can tell anything about."""
        self.reasons: dict[str, str] = {}
        self.connections = 0

    def model(self, kernel_id: str) -> dict[str, Any]:
        return {
            "id": kernel_id,
            "name": "python3",
            "execution_state": "idle",
            "connections": self.connections,
        }

    async def pause(self) -> None:
        await asyncio.sleep(random.uniform(0, 0.01))


class SlowKernels(FleetKernelManager):
    """Asks `Kernels` instead of gateways."""

    fleet: Kernels

    async def launch(self, *, kernel_id: str | None = None, **_: Any) -> dict[str, Any]:
        await self.fleet.pause()
        kernel_id = kernel_id or str(uuid.uuid4())
        self.fleet.running.add(kernel_id)
        return self.fleet.model(kernel_id)

    async def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        exists = kernel_id in self.fleet.running
        await self.fleet.pause()
        if kernel_id in self.fleet.unknown or self.fleet.away:
            raise web.HTTPError(503, "no gateway can answer")
        if not exists:
            raise web.HTTPError(404)
        return self.fleet.model(kernel_id)

    async def list_kernels(self) -> list[dict[str, Any]]:
        if self.fleet.away:
            raise web.HTTPError(503, "no gateway answers")
        return [self.fleet.model(kernel_id) for kernel_id in self.fleet.running]

    async def shutdown_kernel(  # type: ignore[override]
        self, kernel_id: str, *_: Any, reason: str = "", launching: bool = False
    ) -> None:
        await self.fleet.pause()
        self.fleet.reasons[kernel_id] = reason
        if self.fleet.away or kernel_id in self.fleet.stuck:
            raise web.HTTPError(503, "no gateway answers")
        if kernel_id not in self.fleet.running:
            raise web.HTTPError(404)
        self.fleet.running.remove(kernel_id)


@pytest.fixture
def kernels() -> Kernels:
    return Kernels()


def new_lab(database: Database, kernels: Kernels) -> FleetSessionManager:
    manager = SlowKernels()
    manager.fleet = kernels
    return FleetSessionManager(kernel_manager=manager, database=database)


@pytest.fixture
def labs(lab_database_url: str, kernels: Kernels) -> Iterator[list[FleetSessionManager]]:
    """The session managers of two labs; calls are those of ada."""
    databases = [Database(lab_database_url), Database(lab_database_url)]
    act_as(make_identity("ada"))
    yield [new_lab(database, kernels) for database in databases]
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
    kernels.stuck.add(session["kernel"]["id"])
    with pytest.raises(web.HTTPError) as refused:
        await labs[0].delete_session(session["id"])
    assert refused.value.status_code == 503
    assert (await labs[1].get_session(session["id"]))["kernel"]["id"] == session["kernel"]["id"]
    other = await post(labs[1])
    assert other["kernel"]["id"] == session["kernel"]["id"]
    kernels.stuck.clear()
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


async def patch_as_a_page_does(
    labs: list[FleetSessionManager], session_id: str, path: str
) -> list[dict[str, Any]]:
    """The two requests of one rename, at once and in either order, at two labs."""

    async def patch(lab: FleetSessionManager, **fields: str) -> dict[str, Any]:
        await asyncio.sleep(random.uniform(0, 0.003))
        return await lab.update_session(session_id, SessionChange(**fields))  # type: ignore[arg-type]

    one, two = random.sample(labs, 2)
    return await asyncio.gather(patch(one, path=path), patch(two, name=path.rpartition("/")[2]))


async def test_thirty_renames_by_two_requests_at_once_lose_neither(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    session = await post(labs[0])
    for number in range(30):
        path = f"demo/n{number}.ipynb"
        answers = await patch_as_a_page_does(labs, session["id"], path)
        assert answers[0]["path"] == path
        found = await labs[number % 2].get_session(session["id"])
        assert (found["path"], found["name"]) == (path, f"n{number}.ipynb")
        assert found["kernel"]["id"] == session["kernel"]["id"]
        # A second page that opens the new name has the same kernel.
        placeholder = f"demo/{uuid.uuid4()}"
        second = await labs[1].create_session(placeholder, f"n{number}.ipynb")
        assert second["path"] == placeholder
        assert second["kernel"]["id"] == session["kernel"]["id"]
        await labs[0].delete_session(second["id"])
    assert len(kernels.running) == 1


def rename(lab: FleetSessionManager, old: str, new: str) -> Any:
    """What contents do in the transaction of a rename."""
    return lab.run(partial(moves.move_documents, old=old, new=new))


def tell_when_asked(lab: FleetSessionManager) -> asyncio.Event:
    """Is set after each transaction of the lab."""
    asked, run = asyncio.Event(), lab.run

    async def watched(*arguments: Any, **named: Any) -> Any:
        result = await run(*arguments, **named)
        asked.set()
        return result

    lab.run = watched  # type: ignore[method-assign]
    return asked


async def test_a_rename_during_all_of_a_start_leaves_one_kernel(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    asked = [tell_when_asked(lab) for lab in labs]
    for number in range(15):
        for event in asked:
            event.clear()
        before, after = f"demo/b{number}.ipynb", f"demo/a{number}.ipynb"

        async def open_page(lab: FleetSessionManager, path: str = before) -> dict[str, Any]:
            placeholder = f"demo/{uuid.uuid4()}"
            made = await lab.create_session(placeholder, path.rpartition("/")[2])
            assert made["path"] == placeholder
            answer = await lab.update_session(made["id"], SessionChange(path=path))
            assert answer["path"] == path
            return answer

        async def rename_later(old: str = before, new: str = after) -> None:
            # Both pages have asked by the old name.
            for event in asked:
                await event.wait()
            await asyncio.sleep(random.uniform(0, 0.02))
            await rename(labs[1], old, new)

        one, two, _ = await asyncio.gather(open_page(labs[0]), open_page(labs[1]), rename_later())
        three = await open_page(labs[0], after)
        assert len({made["kernel"]["id"] for made in (one, two, three)}) == 1
        await patch_as_a_page_does(labs, one["id"], after)
        # The other page hears of the new name when it next asks.
        shown = {model["id"]: model["path"] for model in await labs[1].list_sessions()}
        assert shown == {made["id"]: after for made in (one, two, three)}
        for made in (one, two, three):
            await labs[0].delete_session(made["id"])
        assert not kernels.running


@pytest.mark.parametrize("old", ["demo/dir/b.ipynb", "demo/dir"])
async def test_a_session_is_at_the_new_name_if_its_kernel_started_during_a_rename(
    labs: list[FleetSessionManager], kernels: Kernels, old: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Scripts, and pages that come back, post the path itself and no placeholder.
    before = "demo/dir/b.ipynb"
    new = old.replace("dir", "place")
    after = before.replace(old, new)
    launch = labs[0].kernel_manager.launch

    async def launch_during_rename(**arguments: Any) -> dict[str, Any]:
        await rename(labs[1], old, new)
        return await launch(**arguments)

    monkeypatch.setattr(labs[0].kernel_manager, "launch", launch_during_rename)
    made = await labs[0].create_session(before, "b.ipynb")
    # The page takes another path in the answer for somebody else's session.
    assert made["path"] == before
    monkeypatch.undo()
    found = await labs[1].get_session(made["id"])
    assert (found["path"], found["name"]) == (after, "b.ipynb")
    assert await labs[1].find(before) is None
    at_old_name = await labs[1].create_session(before, "b.ipynb")
    assert at_old_name["kernel"]["id"] != made["kernel"]["id"]
    at_new_name = await labs[0].find(after)
    assert at_new_name is not None
    assert at_new_name["id"] == made["id"]
    for session in (made, at_old_name):
        await labs[0].delete_session(session["id"])
    assert not kernels.running


def all_leases_run_out(lab: FleetSessionManager) -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    lab.database.run_blocking(lambda c: c.execute(update(kernel_start).values(lease_until=past)))


async def test_wherever_a_lab_dies_no_kernel_is_left_that_nobody_lists(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    kernels.running.add("of a client")
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    died, step, half_ended = True, 0, 0
    while died:
        dying, step = new_lab(labs[0].database, kernels), step + 1
        kill_at(dying, step)
        try:
            session = await post(dying)
            await dying.update_session(session["id"], SessionChange(kernel_name="python3"))
            await dying.delete_session(session["id"])
            died = False
        except Killed:
            pass
        all_leases_run_out(labs[1])
        ending = kernels.running & set(labs[1].database.run_blocking(endings.unfinished_endings))
        half_ended += len(ending)
        await sweep.sweep()
        assert not kernels.running & ending
        listed = await labs[1].list_sessions()
        assert {model["kernel"]["id"] for model in listed} == kernels.running - {"of a client"}
        for model in listed:
            await labs[1].delete_session(model["id"])
        await sweep.sweep()
        assert kernels.running == {"of a client"}
        for table in (kernel_start, session_kernel):
            rows = labs[1].database.run_blocking(lambda c, t=table: c.execute(select(t)).all())
            assert rows == [], (step, table)
    assert step > 12, "it died at every step"
    assert half_ended > 1, "it died while it ended kernels"


async def test_the_sweep_waits_and_takes_only_what_it_knows(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    session = await post(labs[0])
    kernel_id = session["kernel"]["id"]
    await labs[0].run(partial(session_rows.forget_session, session_id=session["id"]))
    patient = SessionSweep(sessions=labs[0], grace_seconds=60.0)
    await patient.sweep()
    await patient.sweep()
    assert kernels.running == {kernel_id}
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    kernels.connections = 1
    await sweep.sweep()
    assert kernels.running == {kernel_id}
    kernels.connections = 0
    kernels.away = True
    with pytest.raises(web.HTTPError):
        await sweep.sweep()
    kernels.away = False
    assert kernels.running == {kernel_id}
    await sweep.sweep()
    assert not kernels.running
    assert "no session has used it" in kernels.reasons[kernel_id]
    # The other way round: the kernel has gone, and its session goes.
    session = await post(labs[0])
    kernels.running.clear()
    await patient.sweep()
    get = partial(session_rows.get_session, session_id=session["id"])
    assert await labs[0].run(get) is not None
    await sweep.sweep()
    assert await labs[0].run(get) is None


async def test_a_kernel_that_cannot_be_ended_does_not_keep_the_others(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    for name in ("first", "second"):
        session = await labs[0].create_session(f"demo/{name}.ipynb", f"{name}.ipynb")
        await labs[0].run(partial(session_rows.forget_session, session_id=session["id"]))
    # The sweep goes by their ids.
    kernels.stuck = {min(kernels.running)}
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    await sweep.sweep()
    assert kernels.running == kernels.stuck
    all_leases_run_out(labs[1])
    kernels.stuck = set()
    await sweep.sweep()
    assert not kernels.running


async def test_a_kernel_that_cannot_be_looked_up_does_not_keep_the_others(
    labs: list[FleetSessionManager], kernels: Kernels
) -> None:
    for number in range(4):
        await labs[0].create_session(f"demo/{number}.ipynb", f"{number}.ipynb")
    unknown = min(kernels.running)
    left = min(kernels.running - {unknown})
    kernels.running = {left}
    kernels.unknown = {unknown}
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    await sweep.sweep()
    rows = labs[1].database.run_blocking(partial(session_rows.sessions_of_projects, projects=None))
    assert {row.kernel_id for row in rows} == {unknown, left}


async def test_one_lab_sweeps_until_it_dies(labs: list[FleetSessionManager]) -> None:
    hold = partial(leases.hold_lease, name="test")
    firsts = await asyncio.gather(
        *(lab.run(partial(hold, holder=f"{n}", seconds=60)) for n, lab in enumerate(labs))
    )
    assert sorted(firsts) == [False, True]
    winner, loser = (f"{firsts.index(held)}" for held in (True, False))
    assert await labs[0].run(partial(hold, holder=winner, seconds=-1))
    assert await labs[1].run(partial(hold, holder=loser, seconds=60))
    assert not await labs[0].run(partial(hold, holder=winner, seconds=60))
