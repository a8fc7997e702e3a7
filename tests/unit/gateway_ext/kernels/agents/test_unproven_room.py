"""Places for agents' sockets that have proved nothing yet, and the way to the database for them."""

import asyncio

import pytest

from gateway_ext.kernels.agents.lookup_lane import LaneFull, LookupLane
from gateway_ext.kernels.agents.unproven_room import PER_KERNEL, UnprovenRoom


def test_callers_of_kernels_that_do_not_exist_leave_the_kept_places_free() -> None:
    room = UnprovenRoom(10, 4)
    assert [room.enter(f"x{n}", exists=False) for n in range(8)] == [True] * 6 + [False] * 2
    assert [room.enter(f"k{n}", exists=True) for n in range(5)] == [True] * 4 + [False]
    assert len(room) == 10


def test_one_kernel_takes_few_places() -> None:
    room = UnprovenRoom(20, 10)
    entered = [room.enter("k", exists=True) for _ in range(PER_KERNEL + 2)]
    assert entered == [True] * PER_KERNEL + [False] * 2
    assert room.enter("other", exists=True)
    for left in range(PER_KERNEL, 0, -1):
        assert len(room) == left + 1
        room.leave("k", exists=True)
    assert [room.enter("k", exists=True) for _ in range(PER_KERNEL + 1)] == [
        *[True] * PER_KERNEL,
        False,
    ]


def test_every_place_comes_back() -> None:
    room = UnprovenRoom(4, 2)
    for _ in range(3):
        taken = [
            (kernel_id, exists)
            for kernel_id, exists in (("x", False), ("y", False), ("k", True), ("l", True))
            if room.enter(kernel_id, exists=exists)
        ]
        assert len(taken) == len(room) == 4
        for kernel_id, exists in taken:
            room.leave(kernel_id, exists=exists)
        assert len(room) == 0


async def test_look_ups_are_few_at_once_and_few_wait() -> None:
    lane = LookupLane(2, 3)
    may_end = asyncio.Event()
    at_once = most = 0

    async def look_up() -> int:
        nonlocal at_once, most
        at_once += 1
        most = max(most, at_once)
        await may_end.wait()
        at_once -= 1
        return 7

    calls = [asyncio.ensure_future(lane.run(look_up)) for _ in range(5)]
    await asyncio.sleep(0)
    with pytest.raises(LaneFull):
        await lane.run(look_up)
    # A caller that has gone leaves its place.
    calls.pop().cancel()
    await asyncio.sleep(0)
    calls.append(asyncio.ensure_future(lane.run(look_up)))
    may_end.set()
    assert await asyncio.gather(*calls) == [7] * 5
    assert most == 2
