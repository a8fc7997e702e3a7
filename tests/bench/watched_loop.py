"""A server whose event loop is watched: `watched_loop.py FILE MODULE [argument …]`.

Runs the module as `python -m` does and writes a line to FILE for each callback of the loop that
took 5 ms or more of its thread's CPU time: when it ended (monotonic seconds), the milliseconds, and
what it was. CPU time, because a busy machine makes every callback take long.
"""

import asyncio.events
import runpy
import sys
import time
from pathlib import Path

LONG_SECONDS = 0.005


def watch(file: Path) -> None:
    """Begin to write long callbacks of every event loop of this process to `file`."""
    run = asyncio.events.Handle._run
    lines = file.open("a", buffering=1)

    def watched(handle: asyncio.events.Handle) -> None:
        before = time.thread_time()
        run(handle)
        taken = time.thread_time() - before
        if taken >= LONG_SECONDS:
            lines.write(f"{time.monotonic()} {taken * 1000:.1f} {handle!r}\n")

    asyncio.events.Handle._run = watched  # type: ignore[method-assign]


def longest(file: Path, since: float) -> float:
    """The longest callback in milliseconds after `since`; 0 if there was no long one."""
    if not file.exists():
        return 0.0
    lines = [line.split(" ", 2) for line in file.read_text().splitlines()]
    return max((float(line[1]) for line in lines if float(line[0]) > since), default=0.0)


if __name__ == "__main__":
    watch(Path(sys.argv[1]))
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
