"""How many kernels start at the same time."""

import asyncio

from gateway_ext.kernels.lifecycle.launch_turns import LaunchTurns, places
from tests import skipped_time


class Starts:
    """Kernels that start, as many at once as `turns` says."""

    def __init__(self, turns: LaunchTurns) -> None:
        self._turns = turns
        self.now = self.most = 0

    async def start(self, until: asyncio.Event | None = None, project: str = "a") -> None:
        """One that takes a moment, or until then."""
        async with self._turns.turn(project, "k"):
            self.now += 1
            self.most = max(self.most, self.now)
            await (asyncio.sleep(0.01) if until is None else until.wait())
            self.now -= 1

    async def most_of(self, count: int) -> int:
        """How many of so many start at the same time."""
        self.most = 0
        await asyncio.gather(*(self.start(project="ab"[i % 2]) for i in range(count)))
        return self.most


def test_so_many_start_at_once_and_one_that_hangs_holds_nobody_up() -> None:
    async def run() -> None:
        starts = Starts(LaunchTurns(2, 0.2))
        assert await starts.most_of(20) == 2
        # Two that hang do not keep their turns, and give none back twice.
        end = asyncio.Event()
        hanging = [asyncio.ensure_future(starts.start(end, project)) for project in "ab"]
        await asyncio.sleep(0)
        await asyncio.wait_for(starts.start(), 10)
        end.set()
        await asyncio.gather(*hanging)
        assert await starts.most_of(20) == 2

    skipped_time.run(run())


def test_nobody_waits_any_more_when_the_turns_are_opened() -> None:
    async def run() -> None:
        turns = LaunchTurns(2, 60)
        starts = Starts(turns)
        end = asyncio.Event()
        waiting = [asyncio.ensure_future(starts.start(end, "ab"[i % 2])) for i in range(10)]
        await asyncio.sleep(1)
        assert starts.now == 2
        turns.open()
        await asyncio.sleep(1)
        assert starts.now == 10
        end.set()
        await asyncio.gather(*waiting)
        # Those who come later wait again.
        assert await starts.most_of(20) == 2

    skipped_time.run(run())


def test_a_project_whose_starts_all_hang_leaves_a_turn_to_the_others() -> None:
    async def run() -> None:
        starts = Starts(LaunchTurns(3, 60))
        end = asyncio.Event()
        hanging = [asyncio.ensure_future(starts.start(end, "a")) for _ in range(20)]
        await asyncio.sleep(0)
        await asyncio.wait_for(starts.start(project="b"), 10)
        assert starts.now == 2
        end.set()
        await asyncio.gather(*hanging)

    skipped_time.run(run())


def test_projects_take_turns_however_many_kernels_one_of_them_starts() -> None:
    async def run() -> None:
        turns = LaunchTurns(1, 60)
        order: list[str] = []

        async def start(project: str) -> None:
            async with turns.turn(project, "k"):
                order.append(project)

        async with turns.turn("z", "k"):
            waiting = [asyncio.ensure_future(start(project)) for project in "aaaaabc"]
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert "".join(order) == "abcaaaa"

    skipped_time.run(run())


def test_starts_that_are_canceled_keep_no_turn() -> None:
    async def run() -> None:
        starts = Starts(LaunchTurns(1, 60))
        end = asyncio.Event()
        first = asyncio.ensure_future(starts.start(end))
        waiting = asyncio.ensure_future(starts.start(end))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.sleep(0)
        # This one gets the turn and is canceled before it notices.
        granted = asyncio.ensure_future(starts.start(end))
        await asyncio.sleep(0)
        end.set()
        await first
        granted.cancel()
        await asyncio.wait([waiting, granted])
        await asyncio.wait_for(starts.start(), 10)

    skipped_time.run(run())


def test_places_follow_the_turns_of_the_projects() -> None:
    line = {"a": ["a1", "a2", "a3"], "b": ["b1"], "c": ["c1", "c2"]}
    in_turn = places(line, ["b", "c", "a"])
    assert sorted(in_turn, key=in_turn.__getitem__) == ["b1", "c1", "a1", "c2", "a2", "a3"]
    assert sorted(in_turn.values()) == [1, 2, 3, 4, 5, 6]
    assert places({}, []) == places({}, ["a"]) == {}


def test_kernels_that_wait_know_their_place_until_they_have_their_turn() -> None:
    async def run() -> None:
        turns = LaunchTurns(1, 60)
        order: list[str] = []

        async def start(project: str, kernel_id: str) -> None:
            async with turns.turn(project, kernel_id):
                order.append(kernel_id)

        async with turns.turn("z", "first"):
            names = ["a1", "a2", "b1", "a3"]
            waiting = [asyncio.ensure_future(start(name[0], name)) for name in names]
            await asyncio.sleep(0)
            shown = turns.places()
            assert shown == {"a1": 1, "b1": 2, "a2": 3, "a3": 4}
            waiting.pop().cancel()
            await asyncio.sleep(0)
            assert "a3" not in turns.places()
        await asyncio.gather(*waiting)
        assert order == ["a1", "b1", "a2"]
        assert turns.places() == {}

    skipped_time.run(run())
