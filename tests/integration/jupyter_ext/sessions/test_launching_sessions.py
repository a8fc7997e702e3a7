"""Sessions whose kernels are on their way, in two labs in front of scripted gateways: when and how
a launch ends is the tests' to say."""

import asyncio
import time
import uuid
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from jupyter_ext.kernels.launches import LaunchFailed, StillLaunching
from jupyter_ext.sessions.manager import FleetSessionManager
from jupyter_ext.sessions.new_sessions import NewSession
from jupyter_ext.sessions.patch import SessionChange
from jupyter_ext.sessions.sweep import SessionSweep
from jupyter_ext.sessions.tables import kernel_start, session_kernel
from tests.integration.jupyter_ext.contents.conftest import act_as, make_identity
from tests.integration.jupyter_ext.sessions.killed_lab import Killed, kill_at
from tests.integration.jupyter_ext.sessions.scripted_labs import (
    PATH,
    Gateways,
    listed,
    new_lab,
    open_page,
    until,
)


async def open_waiting(lab: FleetSessionManager, path: str = PATH) -> dict[str, Any]:
    """A session as a stock client makes it."""
    wanted = NewSession(path, "a.ipynb", kernel_name="python", awaited=True)
    return await lab.open_session(wanted)


async def impatient(lab: FleetSessionManager) -> StillLaunching:
    """What a stock client is told whose kernel does not run in time."""
    patience, lab.answer_seconds = lab.answer_seconds, 0.0
    try:
        with pytest.raises(StillLaunching) as told:
            await open_waiting(lab)
    finally:
        lab.answer_seconds = patience
    return told.value


async def made(lab: FleetSessionManager, count: int) -> list[str]:
    """The ids of the sessions, once there are so many."""
    while len(sessions := await listed(lab)) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    return list(sessions)


async def test_a_page_waits_for_nothing_that_depends_on_the_launch(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    began = time.monotonic()
    page = await open_page(labs[0])
    print(f"answered in {1000 * (time.monotonic() - began):.0f} ms")
    # One call, which gateways answer when the record is written.
    assert gateways.calls == ["launch"]
    assert page["kernel"]["state"] == "launching"
    assert page["kernel"]["launch"]["message"] == "40 %"
    assert await labs[1].list_sessions() == [page]
    # Other pages, of either lab: they join, and ask once for the kernel's state.
    for lab in labs:
        gateways.calls.clear()
        other = await open_page(lab, f"demo/{uuid.uuid4()}")
        assert other["kernel"] == page["kernel"]
        assert gateways.calls == ["model"]
    again = await open_page(labs[1])
    assert again == page
    gateways.run(gateways.only)
    assert (await labs[0].get_session(page["id"]))["kernel"]["state"] == "running"


async def test_a_stock_client_is_answered_when_the_kernel_runs(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    waiting = [
        asyncio.ensure_future(open_waiting(labs[number % 2], f"demo/{uuid.uuid4()}"))
        for number in range(4)
    ]
    await gateways.launched.wait()
    page = await open_page(labs[0])
    assert page["kernel"]["state"] == "launching"
    assert not any(client.done() for client in waiting)
    gateways.run(gateways.only)
    models = await asyncio.gather(*waiting)
    assert {model["kernel"]["id"] for model in models} == {gateways.only}
    assert {model["kernel"]["state"] for model in models} == {"running"}
    assert len(await listed(labs[1])) == 5


async def test_the_same_request_joins_launch_and_session_at_any_lab(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    told = await impatient(labs[0])
    kernel_id = gateways.only
    assert (told.status_code, told.fields["kernel_id"]) == (503, kernel_id)
    assert "40 %" in told.message
    sessions = await listed(labs[1])
    assert list(sessions.values()) == [kernel_id]
    for lab in labs:
        await impatient(lab)
    # Also two at once, of which neither sees the other's session when it begins.
    joined = [asyncio.ensure_future(open_waiting(lab)) for lab in (*labs, *labs)]
    await asyncio.sleep(0)
    gateways.run(kernel_id)
    assert {model["id"] for model in await asyncio.gather(*joined)} == set(sessions)
    assert await listed(labs[0]) == sessions
    assert gateways.calls.count("launch") == 1


async def test_equal_requests_at_once_make_one_session(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    models = await asyncio.gather(*(open_page(lab) for lab in (*labs, *labs)))
    assert len({model["id"] for model in models}) == 1
    assert list(await listed(labs[0])) == [models[0]["id"]]


async def test_a_stock_client_is_told_why_the_kernel_does_not_start(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    waiting = [asyncio.ensure_future(open_waiting(lab, f"demo/{uuid.uuid4()}")) for lab in labs]
    await made(labs[0], 2)
    gateways.fail(gateways.only, "no such image: x")
    for client in waiting:
        with pytest.raises(LaunchFailed) as told:
            await client
        assert (told.value.status_code, told.value.message) == (500, "no such image: x")
    assert await listed(labs[0]) == {}
    # Whoever asks next starts another one.
    page = await open_page(labs[1])
    assert page["kernel"]["state"] == "launching"
    assert len(gateways.kernels) == 2


async def test_a_failure_that_happens_between_two_requests_is_told_once(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    await impatient(labs[0])
    gateways.fail(gateways.only, "quota")
    # Somebody lists sessions meanwhile: that tells no client.
    (model,) = await labs[1].list_sessions()
    assert model["kernel"]["reason"] == "quota"
    with pytest.raises(LaunchFailed) as told:
        await open_waiting(labs[1])
    assert told.value.message == "quota"
    assert await listed(labs[0]) == {}
    await impatient(labs[0])
    assert len(gateways.kernels) == 2


async def test_a_page_that_reloads_learns_why_the_launch_failed(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    failed = gateways.only
    # A stock client that joins the page's session does not take it away.
    waiting = asyncio.ensure_future(open_waiting(labs[1]))
    while "model" not in gateways.calls:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    gateways.fail(failed, "insufficient memory")
    with pytest.raises(LaunchFailed):
        await waiting
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    await sweep.sweep()
    (model,) = await labs[1].list_sessions()
    assert model["id"] == page["id"]
    assert model["kernel"]["reason"] == "insufficient memory"
    assert (await labs[0].get_session(page["id"]))["kernel"]["state"] == "dead"
    # A page that starts another kernel: the notebook has that one, in every page.
    other = await open_page(labs[1], f"demo/{uuid.uuid4()}")
    assert other["kernel"]["state"] == "launching"
    assert other["kernel"]["id"] != failed
    assert await listed(labs[0]) == dict.fromkeys((page["id"], other["id"]), other["kernel"]["id"])


async def test_a_failed_start_that_no_session_shows_goes_after_a_while(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    failed = gateways.only
    gateways.fail(failed, "no such image")
    # The notebook gets another kernel.
    changed = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    other = changed["kernel"]["id"]
    gateways.run(other)
    patient = SessionSweep(sessions=labs[0], grace_seconds=60.0)
    await patient.sweep()
    await patient.sweep()
    assert gateways.kernels.keys() == {failed, other}
    await SessionSweep(sessions=labs[0], grace_seconds=0.0).sweep()
    assert gateways.only == other
    assert await listed(labs[1]) == {page["id"]: other}


async def test_a_kernel_that_ran_and_ended_keeps_its_record(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    ended = gateways.only
    gateways.die(ended, "out of memory")
    changed = await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"))
    gateways.run(changed["kernel"]["id"])
    sweep = SessionSweep(sessions=labs[0], grace_seconds=0.0)
    await sweep.sweep()
    await sweep.sweep()
    assert gateways.kernels[ended]["reason"] == "out of memory"


async def test_pages_that_start_a_failed_kernel_again_at_once_get_one(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    pages = [await open_page(lab, f"demo/{uuid.uuid4()}") for lab in labs]
    failed = gateways.only
    gateways.fail(failed, "evicted")
    again = await asyncio.gather(
        *(
            lab.update_session(page["id"], SessionChange(kernel_name=name))
            for lab, page, name in zip(labs, pages, ("python", "python3"), strict=True)
        )
    )
    (kernel_id,) = {model["kernel"]["id"] for model in again}
    assert kernel_id != failed
    assert gateways.kernels[kernel_id]["state"] == "launching"
    # Who wants another one gets it.
    third = await labs[0].update_session(pages[0]["id"], SessionChange(kernel_name="scala"))
    assert third["kernel"]["name"] == "scala"
    assert (await labs[1].get_session(pages[1]["id"]))["kernel"]["id"] == kernel_id


async def test_another_kernel_that_is_on_its_way_is_joined_by_the_same_request(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    page = await open_page(labs[0])
    first = gateways.only
    gateways.run(first)
    labs[0].answer_seconds = 0.0
    with pytest.raises(StillLaunching) as told:
        await labs[0].update_session(page["id"], SessionChange(kernel_name="scala"), wait=True)
    (second,) = set(gateways.kernels) - {first}
    assert told.value.fields["kernel_id"] == second
    asked = gateways.calls.count("model")
    waiting = asyncio.ensure_future(
        labs[1].update_session(page["id"], SessionChange(kernel_name="scala"), wait=True)
    )
    # Once to decide, once for the answer: after that it waits for the kernel that it has joined.
    while gateways.calls.count("model") < asked + 2:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    other = await labs[1].update_session(page["id"], SessionChange(kernel_name="scala"))
    assert other["kernel"]["state"] == "launching"
    gateways.run(second)
    assert (await waiting)["kernel"]["id"] == second
    await until(lambda: list(gateways.kernels) == [second])


async def session_with_other_kernel(
    lab: FleetSessionManager, gateways: Gateways
) -> tuple[str, str, str]:
    """The session of a page whose user has asked, as a stock client, for another kernel, and has
    been told that it does not run yet; its first kernel, and the other one."""
    page = await open_page(lab)
    first = gateways.only
    gateways.run(first)
    await still_launching(lab, page["id"])
    (second,) = set(gateways.kernels) - {first}
    return page["id"], first, second


async def still_launching(lab: FleetSessionManager, session_id: str) -> None:
    patience, lab.answer_seconds = lab.answer_seconds, 0.0
    try:
        with pytest.raises(StillLaunching):
            await other(lab, session_id)
    finally:
        lab.answer_seconds = patience


async def other(
    lab: FleetSessionManager, session_id: str, *, wait: bool = True, kernel_name: str = "scala"
) -> dict[str, Any]:
    """The session's other kernel, as a stock client asks for it."""
    model = await lab.update_session(session_id, SessionChange(kernel_name=kernel_name), wait=wait)
    kernel: dict[str, Any] = model["kernel"]
    return kernel


async def test_another_kernel_that_has_come_up_meanwhile_is_joined_by_the_same_request(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, _, second = await session_with_other_kernel(labs[0], gateways)
    gateways.run(second)
    assert (await other(labs[1], session_id))["id"] == second
    await until(lambda: list(gateways.kernels) == [second])
    # It has been told: who asks again wants a fresh one.
    gateways.launched.clear()
    again = asyncio.ensure_future(other(labs[0], session_id))
    await gateways.launched.wait()
    (third,) = set(gateways.kernels) - {second}
    gateways.run(third)
    assert (await again)["id"] == third
    await until(lambda: list(gateways.kernels) == [third])


async def test_only_the_same_request_joins_another_kernel_that_has_come_up(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, _, second = await session_with_other_kernel(labs[0], gateways)
    gateways.run(second)
    act_as(make_identity("eve"))
    third = (await other(labs[1], session_id, wait=False))["id"]
    assert third != second
    # What eve did is not what ada has asked for, and takes nobody's place afterwards.
    gateways.run(third)
    act_as(make_identity("ada"))
    await still_launching(labs[0], session_id)
    (fourth,) = set(gateways.kernels) - {second, third}
    gateways.run(fourth)
    fifth = await other(labs[1], session_id, wait=False, kernel_name="python")
    assert fifth["name"] == "python"


async def test_a_failure_between_two_requests_for_another_kernel_is_told_once(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    session_id, first, second = await session_with_other_kernel(labs[0], gateways)
    gateways.fail(second, "quota")
    with pytest.raises(LaunchFailed) as told:
        await other(labs[1], session_id)
    assert (told.value.status_code, told.value.message) == (500, "quota")
    assert await listed(labs[0]) == {session_id: first}
    await still_launching(labs[0], session_id)
    assert len(gateways.kernels) == 3


@pytest.mark.parametrize("lives", [True, False])
async def test_who_waits_for_another_kernel_that_fails_has_the_earlier_one_if_that_lives(
    labs: list[FleetSessionManager], gateways: Gateways, lives: bool
) -> None:
    page = await open_page(labs[0])
    first = gateways.only
    gateways.run(first)
    changing = asyncio.ensure_future(
        labs[0].update_session(page["id"], SessionChange(kernel_name="scala"), wait=True)
    )
    while len(gateways.kernels) < 2:  # noqa: ASYNC110
        await asyncio.sleep(0.005)
    (second,) = set(gateways.kernels) - {first}
    if not lives:
        gateways.fail(first, "out of memory")
    gateways.fail(second, "no such image")
    with pytest.raises(LaunchFailed) as told:
        await changing
    assert told.value.message == "no such image"
    kernel = (await labs[1].get_session(page["id"]))["kernel"]
    assert kernel["id"] == (first if lives else second)
    # It is also the one that the next page gets, or that page starts a third.
    other = await open_page(labs[1], f"demo/{uuid.uuid4()}")
    assert (other["kernel"]["id"] == first) == lives


async def test_a_session_that_is_deleted_cancels_the_launch(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    waiting = asyncio.ensure_future(open_waiting(labs[0]))
    (session_id,) = await made(labs[1], 1)
    await labs[1].delete_session(session_id)
    assert gateways.kernels == {}
    with pytest.raises(LaunchFailed) as told:
        await waiting
    assert "shut down" in told.value.message


async def test_wherever_a_lab_is_killed_the_same_request_finds_the_launch(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    past = datetime(2026, 1, 1, tzinfo=UTC)
    sweep = SessionSweep(sessions=labs[1], grace_seconds=0.0)
    died, step = True, 0
    while died:
        gateways.kernels.clear()
        dying, step = new_lab(labs[0].database, gateways), step + 1
        dying.answer_seconds = 0.0
        kill_at(dying, step)
        try:
            await open_waiting(dying)
        except StillLaunching:
            died = False
        except Killed:
            pass
        labs[1].database.run_blocking(
            lambda c: c.execute(update(kernel_start).values(lease_until=past))
        )
        told = await impatient(labs[1])
        kernel_id = gateways.only
        assert told.fields["kernel_id"] == kernel_id
        # The sweep does not take a launch for something that nobody needs.
        await sweep.sweep()
        gateways.run(kernel_id)
        page = await open_waiting(labs[1])
        assert await listed(labs[1]) == {page["id"]: kernel_id}
        await labs[1].delete_session(page["id"])
        assert gateways.kernels == {}
        for table in (kernel_start, session_kernel):
            rows = labs[1].database.run_blocking(lambda c, t=table: c.execute(select(t)).all())
            assert rows == [], (step, table)
    assert step > 4, "it was killed at every step"


async def test_a_sweep_removes_all_that_a_failed_launch_left(
    labs: list[FleetSessionManager], gateways: Gateways
) -> None:
    waiting = asyncio.ensure_future(open_waiting(labs[0]))
    await made(labs[0], 1)
    gateways.fail(gateways.only, "refused")
    with pytest.raises(LaunchFailed):
        await waiting
    await SessionSweep(sessions=labs[1], grace_seconds=0.0).sweep()
    for table in (kernel_start, session_kernel):
        rows = labs[1].database.run_blocking(lambda c, t=table: c.execute(select(t)).all())
        assert rows == [], table
    # Its record has said why for as long as somebody could look.
    assert gateways.kernels == {}
