"""How many kernels start at the same time."""

import asyncio

from gateway_ext.kernels.launch_turns import LaunchTurns


def test_so_many_start_at_once_and_one_that_hangs_holds_nobody_up() -> None:
    async def run() -> None:
        turns = LaunchTurns(2, 0.2)
        at_work: list[int] = []
        most = 0

        async def start(seconds: float) -> None:
            nonlocal most
            async with turns.turn():
                at_work.append(1)
                most = max(most, len(at_work))
                await asyncio.sleep(seconds)
                at_work.pop()

        await asyncio.wait_for(asyncio.gather(*(start(0.01) for _ in range(20))), 2)
        assert most == 2
        # Two that hang do not keep their turns, and give none back twice.
        hanging = [asyncio.ensure_future(start(0.5)) for _ in range(2)]
        await asyncio.sleep(0)
        await asyncio.wait_for(start(0), 0.4)
        await asyncio.gather(*hanging)
        most = 0
        await asyncio.gather(*(start(0.01) for _ in range(20)))
        assert most == 2

    asyncio.run(run())
