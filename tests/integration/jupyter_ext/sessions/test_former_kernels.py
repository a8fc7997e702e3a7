"""Another kernel for a notebook, whose earlier one holds somebody's variables until it runs."""

import asyncio
from functools import partial
from typing import Any

import pytest
from sqlalchemy import Connection, select
from tornado import web

from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.store import endings, moves, started_kernels
from jupyter_ext.sessions.sweep import SessionSweep
from jupyter_ext.sessions.tables import kernel_start, session, session_kernel
from tests.integration.jupyter_ext.contents.conftest import act_as
from tests.integration.jupyter_ext.sessions.killed_lab import Killed, kill_at
from tests.integration.jupyter_ext.sessions.scripted_labs import (
    PATH,
    Gateways,
    changed,
    former_of,
    listed,
    new_lab,
    open_page,
    until,
)

PLACEHOLDER = "demo/6d5f1f3c-0d6c-4d38-9a3d-0c9f6a1f2b11"


def sweep_of(lab: FleetSessionManager) -> SessionSweep:
    return SessionSweep(sessions=lab, grace_seconds=0.0)


BEGINS = pytest.mark.parametrize("moment", ["after it was looked at", "as it is ended"])


def begins(gateways: Gateways, kernel_id: str, moment: str) -> None:
    """Has a kernel that is being launched begin to run while its session gets another one."""
    if moment == "as it is ended":
        gateways.before_shutdown = lambda ended: gateways.run(kernel_id)
    else:
        gateways.before_launch = lambda: gateways.run(kernel_id)


async def test_the_earlier_kernel_ends_when_the_new_one_runs_and_no_earlier(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    for lab in labs:
        await sweep_of(lab).sweep()
        assert await listed(lab) == {session_id: second}
    assert first in gateways.kernels
    # The lab that made the change does it by itself, when the user's token may be invalid.
    act_as(None)
    gateways.run(second)
    await until(lambda: list(gateways.kernels) == [second])
    await until(lambda: former_of(labs[1], session_id) is None)


@pytest.mark.parametrize("state", ["restarting", "unreachable"])
async def test_a_kernel_whose_process_does_not_come_up_ends_no_earlier_one(
    labs: list[FleetSessionManager], gateways: Gateways, state: str
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    gateways.kernels[second] |= {"state": state, "execution_state": "starting", "launch": None}
    await sweep_of(labs[1]).sweep()
    model = await labs[1].update_session(session_id, SessionChange(kernel_id=second))
    assert model["former_kernel"] == first
    assert first in gateways.kernels
    gateways.fail(second, "its process has ended 5 times")
    await until(lambda: former_of(labs[1], session_id) is None)
    assert await listed(labs[1]) == {session_id: first}


@pytest.mark.parametrize("end", ["failed", "canceled"])
async def test_whoever_looks_finds_the_earlier_kernel_if_the_new_one_does_not_come(
    labs: list[FleetSessionManager], gateways: Gateways, end: str
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    labs[0].close()
    if end == "failed":
        gateways.fail(second, "no such image")
    else:
        await labs[0].kernel_manager.shutdown_kernel(second)
    assert await listed(labs[1]) == {session_id: first}
    assert (await labs[0].get_session(session_id))["former_kernel"] is None
    other = await open_page(labs[1], PLACEHOLDER)
    assert other["kernel"]["id"] == first
    await sweep_of(labs[1]).sweep()
    assert first in gateways.kernels


async def test_the_lab_that_made_a_change_gives_the_earlier_kernel_back_by_itself(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    act_as(None)
    gateways.fail(second, "quota")
    await until(lambda: former_of(labs[1], session_id) is None)
    row = labs[1].database.run_blocking(lambda c: c.execute(select(session)).one())
    assert row.kernel_id == first
    assert first in gateways.kernels


async def test_a_page_that_opens_the_notebook_first_gets_the_earlier_kernel(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    _, first, second = await changed(labs[0], gateways)
    labs[0].close()
    gateways.fail(second, "no such image")
    other = await open_page(labs[1], PLACEHOLDER)
    assert other["kernel"]["id"] == first
    assert set(gateways.kernels) == {first, second}


async def test_a_session_whose_earlier_kernel_has_ended_as_well_says_why_the_new_one_failed(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    gateways.fail(first, "out of memory")
    gateways.fail(second, "no such image")
    await until(lambda: former_of(labs[1], session_id) is None)
    (model,) = await labs[1].list_sessions()
    assert (model["kernel"]["id"], model["kernel"]["reason"]) == (second, "no such image")


@pytest.mark.parametrize("fails", [True, False])
async def test_of_several_changes_in_a_row_the_first_kernel_stays_and_those_between_end(
    labs: list[FleetSessionManager], gateways: Gateways, fails: bool
) -> None:
    session_id, first, _ = await changed(labs[0], gateways)
    model = await labs[1].update_session(session_id, SessionChange(kernel_name="python"))
    third = model["kernel"]["id"]
    assert model["former_kernel"] == first
    assert set(gateways.kernels) == {first, third}
    if fails:
        gateways.fail(third, "quota")
        assert await listed(labs[0]) == {session_id: first}
    else:
        gateways.run(third)
        await until(lambda: list(gateways.kernels) == [third])
        assert await listed(labs[0]) == {session_id: third}


@BEGINS
async def test_a_kernel_that_begins_to_run_while_another_is_asked_for_is_kept(
    labs: list[FleetSessionManager], gateways: Gateways, moment: str
) -> None:
    page = await open_page(labs[0])
    first = str(page["kernel"]["id"])
    begins(gateways, first, moment)
    model = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    second = str(model["kernel"]["id"])
    assert gateways.kernels[first]["state"] == "running"
    assert (model["former_kernel"], former_of(labs[1], page["id"])) == (first, first)
    labs[0].close()
    gateways.fail(second, "no such image")
    assert await listed(labs[1]) == {page["id"]: first}
    # One that another lab has left unfinished.
    await sweep_of(labs[1]).sweep()
    assert first in gateways.kernels


@BEGINS
async def test_of_several_changes_in_a_row_the_kernel_that_began_to_run_last_is_kept(
    labs: list[FleetSessionManager], gateways: Gateways, moment: str
) -> None:
    session_id, _, second = await changed(labs[0], gateways)
    labs[0].close()
    begins(gateways, second, moment)
    model = await labs[1].update_session(session_id, SessionChange(kernel_name="python"))
    third = model["kernel"]["id"]
    assert (model["former_kernel"], former_of(labs[1], session_id)) == (second, second)
    # As it had run, the one before it had to end.
    assert set(gateways.kernels) == {second, third}
    gateways.run(third)
    await until(lambda: list(gateways.kernels) == [third])
    assert await listed(labs[1]) == {session_id: third}


async def test_a_kernel_that_began_to_run_ends_if_the_new_one_runs_too(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = page["kernel"]["id"]

    def both_run(kernel_id: str) -> None:
        for each in gateways.kernels:
            gateways.run(each)

    gateways.before_shutdown = both_run
    model = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    second = model["kernel"]["id"]
    await until(lambda: list(gateways.kernels) == [second])
    assert await listed(labs[1]) == {page["id"]: second}
    assert first not in gateways.kernels


async def test_gateways_of_an_earlier_version_end_the_kernel_that_began_to_run(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    gateways.earlier = True
    begins(gateways, page["kernel"]["id"], "as it is ended")
    model = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    assert model["former_kernel"] is None
    assert list(gateways.kernels) == [model["kernel"]["id"]]


async def test_who_chooses_the_earlier_kernel_again_ends_the_launch(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, _ = await changed(labs[0], gateways)
    model = await labs[1].update_session(session_id, SessionChange(kernel_id=first))
    assert (model["kernel"]["id"], model["former_kernel"]) == (first, None)
    assert list(gateways.kernels) == [first]
    await sweep_of(labs[1]).sweep()
    assert await listed(labs[0]) == {session_id: first}


async def test_a_failed_kernel_that_is_started_again_takes_the_place_only_when_it_runs(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    gateways.fail(second, "quota")
    assert await listed(labs[1]) == {session_id: first}
    # As "Start Again" does it: the kernel is launched again, and the session gets it.
    gateways.kernels[second] |= {"state": "launching", "execution_state": "starting"}
    model = await labs[0].update_session(session_id, SessionChange(kernel_id=second))
    assert (model["kernel"]["id"], model["former_kernel"]) == (second, first)
    gateways.fail(second, "quota again")
    assert await listed(labs[1]) == {session_id: first}
    # Also if it has failed before the session gets it.
    model = await labs[0].update_session(session_id, SessionChange(kernel_id=second))
    assert model["kernel"]["reason"] == "quota again"
    assert await listed(labs[1]) == {session_id: first}
    assert first in gateways.kernels


async def test_deleting_a_session_during_a_change_ends_both_kernels(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, _, _ = await changed(labs[0], gateways)
    await labs[1].delete_session(session_id)
    assert gateways.kernels == {}
    for table in (session, kernel_start, session_kernel):
        rows = labs[1].database.run_blocking(lambda c, t=table: c.execute(select(t)).all())
        assert rows == [], table


async def test_a_launch_that_is_canceled_with_its_session_ends_neither_kernel(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    labs[0].close()
    # The page does not know of the former kernel yet.
    with pytest.raises(web.HTTPError, match="cancel the new kernel") as refused:
        await labs[1].delete_session(session_id, launching=True)
    assert refused.value.status_code == 409
    assert set(gateways.kernels) == {first, second}
    gateways.run(second)
    assert await listed(labs[1]) == {session_id: second}
    await sweep_of(labs[1]).sweep()
    with pytest.raises(web.HTTPError, match="runs already"):
        await labs[1].delete_session(session_id, launching=True)
    assert await listed(labs[1]) == {session_id: second}
    await labs[1].delete_session(session_id)
    assert gateways.kernels == {}


async def test_the_last_other_session_of_the_earlier_kernel_does_not_end_it(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = page["kernel"]["id"]
    other = await open_page(labs[1], PLACEHOLDER)
    gateways.run(first)
    model = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    second = model["kernel"]["id"]
    await labs[1].delete_session(other["id"])
    assert set(gateways.kernels) == {first, second}
    gateways.fail(second, "quota")
    assert await listed(labs[1]) == {page["id"]: first}


async def test_a_change_survives_a_rename(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await changed(labs[0], gateways)
    labs[0].close()
    after = "demo/b.ipynb"
    await labs[1].run(partial(moves.move_documents, old=PATH, new=after))
    await labs[0].update_session(session_id, SessionChange(path=after))
    assert former_of(labs[1], session_id) == first
    gateways.fail(second, "no such image")
    found = await labs[0].find(after)
    assert found is not None
    assert found["kernel"]["id"] == first
    other = await labs[1].create_session(PLACEHOLDER, "b.ipynb")
    assert other["kernel"]["id"] == first


@pytest.mark.parametrize("end", ["runs", "failed", "gone"])
async def test_wherever_the_lab_that_made_a_change_is_killed_the_sweep_of_another_settles_it(
    labs: list[FleetSessionManager], gateways: Gateways, end: str
) -> None:
    died, step = True, 0
    while died:
        page = await open_page(labs[1])
        first = page["kernel"]["id"]
        gateways.run(first)
        dying, step = new_lab(labs[0].database, gateways), step + 1
        kill_at(dying, step)
        try:
            await dying.update_session(page["id"], SessionChange(kernel_name="scala"))
            died = False
        except Killed:
            pass
        dying.close()
        for kernel_id in set(gateways.kernels) - {first}:
            if end == "runs":
                gateways.run(kernel_id)
            elif end == "failed":
                gateways.fail(kernel_id, "no such image")
            else:
                del gateways.kernels[kernel_id]
        sweep = sweep_of(labs[1])
        for _ in range(2):
            await sweep.sweep()
        running = [key for key, kernel in gateways.kernels.items() if kernel["state"] == "running"]
        assert await listed(labs[1]) == {page["id"]: running[0]}, step
        assert len(running) == 1
        assert running == [first] or end == "runs"
        assert former_of(labs[1], page["id"]) is None
        await labs[1].delete_session(page["id"])
        gateways.kernels.clear()
    assert (running == [first]) == (end != "runs")
    assert step > 4, "it was killed at every step"


async def test_a_kernel_that_others_end_as_a_session_gets_it_is_to_be_asked_for_again(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = gateways.only
    gateways.run(first)

    def others_end_it() -> None:
        def release(connection: Connection) -> None:
            for kernel_id in started_kernels.unused_kernels(connection):
                endings.release_kernel(connection, kernel_id)

        labs[1].database.run_blocking(release)

    gateways.before_launch = others_end_it
    with pytest.raises(web.HTTPError, match="try again") as told:
        await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    assert told.value.status_code == 409
    gateways.before_launch = lambda: None
    assert await listed(labs[1]) == {page["id"]: first}
    model = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    assert model["former_kernel"] == first


@pytest.mark.parametrize("chosen", [True, False], ids=["that runs", "on its way"])
async def test_a_session_whose_new_kernel_ends_as_it_gets_it_keeps_the_one_that_it_had(
    labs: list[FleetSessionManager], gateways: Gateways, chosen: bool
) -> None:
    session_id, _, second = await changed(labs[0], gateways)
    gateways.run(second)
    await until(lambda: list(gateways.kernels) == [second])
    wanted = SessionChange(kernel_name="python")
    if chosen:
        third = await labs[0].kernel_manager.launch(kernel_name="python")
        gateways.run(third["id"])
        wanted = SessionChange(kernel_id=third["id"])
    run = labs[1].run

    async def and_it_ends(function: Any, **named: Any) -> Any:
        result = await run(function, **named)
        row = labs[0].database.run_blocking(lambda c: c.execute(select(session)).one())
        if row.kernel_id != second:
            gateways.kernels.pop(row.kernel_id, None)
        return result

    labs[1].run = and_it_ends  # type: ignore[method-assign]
    with pytest.raises(web.HTTPError) as told:
        await labs[1].update_session(session_id, wanted)
    assert told.value.status_code == (400 if chosen else 409)
    assert await listed(labs[0]) == {session_id: second}
    assert (list(gateways.kernels), former_of(labs[0], session_id)) == ([second], None)


async def test_many_changes_at_once_leave_the_earlier_kernel_and_one_more(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, _ = await changed(labs[0], gateways)
    names = ["scala", "python", "scala", "python"]
    changes = (
        labs[number % 2].update_session(session_id, SessionChange(kernel_name=name))
        for number, name in enumerate(names)
    )
    for result in await asyncio.gather(*changes, return_exceptions=True):
        # The kernel that it joined was the one that another change has ended.
        refused = isinstance(result, web.HTTPError) and result.status_code == 409
        assert refused or isinstance(result, dict), result
    assert first in gateways.kernels
    await sweep_of(labs[1]).sweep()
    ((_, last),) = (await listed(labs[0])).items()
    assert set(gateways.kernels) == {first, last}
    gateways.run(last)
    await until(lambda: list(gateways.kernels) == [last])
