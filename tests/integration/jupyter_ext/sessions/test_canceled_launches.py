"""Sessions that people end during a launch: nobody loses a kernel that runs already."""

import asyncio
from datetime import UTC, datetime
from functools import partial

import pytest
from sqlalchemy import update
from tornado import web

from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.store import endings
from jupyter_ext.sessions.sweep import SessionSweep
from jupyter_ext.sessions.tables import kernel_start
from tests.integration.jupyter_ext.sessions.killed_lab import Killed, kill_at
from tests.integration.jupyter_ext.sessions.scripted_labs import (
    Gateways,
    changed,
    former_of,
    listed,
    new_lab,
    open_page,
)

OTHER_PAGE = "demo/6d5f1f3c-0d6c-4d38-9a3d-0c9f6a1f2b11"
OTHER_NOTEBOOK = "demo/b.ipynb"


async def refused(lab: FleetSessionManager, session_id: str, *, launching: bool) -> int:
    """The status of the answer to a deletion that is refused."""
    with pytest.raises(web.HTTPError) as told:
        await lab.delete_session(session_id, launching=launching)
    return told.value.status_code


async def sharing(lab: FleetSessionManager, kernel_id: str) -> str:
    """A session of another notebook on the same kernel."""
    model = await lab.create_session(OTHER_NOTEBOOK, "b.ipynb", kernel_id=kernel_id)
    return str(model["id"])


async def sweep_after_a_while(lab: FleetSessionManager) -> None:
    """Finishes what killed labs have left, of which it is known since when it is there."""
    past = datetime(2026, 1, 1, tzinfo=UTC)
    lab.database.run_blocking(lambda c: c.execute(update(kernel_start).values(lease_until=past)))
    await SessionSweep(sessions=lab, grace_seconds=60.0).sweep()


async def test_a_cancel_that_is_refused_has_changed_nothing_for_anybody_meanwhile(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    kernel_id = gateways.only
    gateways.run(kernel_id)
    gateways.answers.clear()
    cancels = [
        asyncio.ensure_future(refused(lab, page["id"], launching=True)) for lab in (*labs, *labs)
    ]
    while gateways.calls.count("shutdown") < len(cancels):  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    for lab in labs:
        assert (await lab.get_session(page["id"]))["kernel"]["id"] == kernel_id
        assert await listed(lab) == {page["id"]: kernel_id}
    colleague = await open_page(labs[1], OTHER_PAGE)
    assert colleague["kernel"]["id"] == kernel_id
    gateways.answers.set()
    assert await asyncio.gather(*cancels) == [409] * len(cancels)
    assert await listed(labs[0]) == dict.fromkeys((page["id"], colleague["id"]), kernel_id)
    assert gateways.only == kernel_id


async def test_a_launch_that_many_cancel_at_once_ends_for_each_of_them(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    cancels = (lab.delete_session(page["id"], launching=True) for lab in (*labs, *labs))
    for result in await asyncio.gather(*cancels, return_exceptions=True):
        gone = isinstance(result, web.HTTPError) and result.status_code == 404
        assert gone or result is None, result
    assert gateways.kernels == {}
    assert await listed(labs[1]) == {}


@pytest.mark.parametrize("runs", [True, False])
async def test_wherever_a_lab_is_killed_that_cancels_no_kernel_ends_that_runs_by_then(
    labs: list[FleetSessionManager], gateways: Gateways, runs: bool
) -> None:
    died, step = True, 0
    while died:
        page = await open_page(labs[1])
        kernel_id = gateways.only
        if runs:
            gateways.run(kernel_id)
        dying, step = new_lab(labs[0].database, gateways), step + 1
        kill_at(dying, step)
        try:
            if runs:
                assert await refused(dying, page["id"], launching=True) == 409
            else:
                await dying.delete_session(page["id"], launching=True)
            died = False
        except Killed:
            pass
        if kernel_id in gateways.kernels:
            gateways.run(kernel_id)
            await sweep_after_a_while(labs[1])
            assert gateways.only == kernel_id, step
            assert await listed(labs[1]) == {page["id"]: kernel_id}, step
            await labs[1].delete_session(page["id"])
        assert gateways.kernels == {}
    assert step > 2, "it was killed at every step"


async def test_wherever_a_lab_is_killed_that_leaves_a_launch_no_kernel_ends_that_runs_by_then(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    died, step = True, 0
    while died:
        page = await open_page(labs[1])
        first = gateways.only
        dying, step = new_lab(labs[0].database, gateways), step + 1
        kill_at(dying, step)
        try:
            await dying.update_session(page["id"], SessionChange(kernel_name="scala"))
            died = False
        except Killed:
            pass
        dying.close()
        if first in gateways.kernels:
            gateways.run(first)
            await sweep_after_a_while(labs[1])
            assert first in gateways.kernels, step
        await labs[1].delete_session(page["id"])
        gateways.kernels.clear()
    assert step > 4, "it was killed at every step"


@pytest.mark.parametrize("status", [403, 503])
@pytest.mark.parametrize("both", [True, False])
async def test_a_deletion_that_is_refused_leaves_the_session_its_earlier_kernel(
    labs: list[FleetSessionManager], gateways: Gateways, status: int, both: bool
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    labs[0].close()
    gateways.refusals = dict.fromkeys((first, second) if both else (second,), status)
    assert await refused(labs[1], session_id, launching=False) == status
    assert former_of(labs[1], session_id) == first
    await SessionSweep(sessions=labs[1], grace_seconds=0.0).sweep()
    assert set(gateways.kernels) == {first, second}
    # It may be deleted later, or go back.
    gateways.refusals.clear()
    if both:
        await labs[0].delete_session(session_id)
        assert gateways.kernels == {}
    else:
        gateways.fail(second, "no such image")
        assert await listed(labs[1]) == {session_id: first}
        assert (await open_page(labs[0], OTHER_PAGE))["kernel"]["id"] == first


async def test_a_cancel_of_one_of_several_sessions_of_a_kernel_that_runs_is_refused(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    kernel_id = gateways.only
    gateways.run(kernel_id)
    other = await sharing(labs[1], kernel_id)
    for session_id in (page["id"], other):
        assert await refused(labs[0], session_id, launching=True) == 409
    assert await listed(labs[1]) == dict.fromkeys((page["id"], other), kernel_id)
    await labs[0].delete_session(page["id"])
    assert await refused(labs[1], other, launching=True) == 409
    assert await listed(labs[0]) == {other: kernel_id}


@pytest.mark.parametrize("fails", [True, False])
async def test_a_launch_goes_on_for_the_other_sessions_of_its_kernel(
    labs: list[FleetSessionManager], gateways: Gateways, fails: bool
) -> None:
    page = await open_page(labs[0])
    kernel_id = gateways.only
    other = await sharing(labs[1], kernel_id)
    if fails:
        gateways.fail(kernel_id, "no such image")
    await labs[1].delete_session(page["id"], launching=True)
    assert gateways.only == kernel_id
    assert await listed(labs[0]) == {other: kernel_id}
    await labs[0].delete_session(other, launching=True)
    assert gateways.kernels == {}
    assert await listed(labs[1]) == {}


async def test_a_session_that_has_been_changed_meanwhile_does_not_leave_the_kernel_that_it_had(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = gateways.only
    others = [(await open_page(labs[1], OTHER_PAGE))["id"], await sharing(labs[1], first)]
    changed = await labs[1].update_session(page["id"], SessionChange(kernel_name="scala"))
    second = changed["kernel"]["id"]
    release = partial(endings.release_shared, session_id=page["id"], kernel_id=first)
    assert not await labs[0].run(release)
    assert await listed(labs[0]) == {page["id"]: second, **dict.fromkeys(others, first)}


async def test_a_cancel_is_refused_if_somebody_gives_the_session_another_kernel_meanwhile(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = gateways.only
    gateways.answers.clear()
    cancel = asyncio.ensure_future(refused(labs[0], page["id"], launching=True))
    await gateways.asked.wait()
    gateways.launched.clear()
    scala = SessionChange(kernel_name="scala")
    change = asyncio.ensure_future(labs[1].update_session(page["id"], scala))
    while gateways.calls.count("shutdown") < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    gateways.answers.set()
    assert await cancel == 409
    second = (await change)["kernel"]["id"]
    assert second != first
    assert await listed(labs[1]) == {page["id"]: second}
    assert gateways.only == second
