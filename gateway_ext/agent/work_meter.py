"""Whether a kernel works although it runs no cell, by the processor time of its processes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from .process_tree import Process

WINDOW_SECONDS = 300.0
SHARE = 0.03
"""A kernel works if it uses more of a core than this, over the window."""
DAEMON_SHARE = 0.25
"""Ray's and Spark's daemons count only above this, each by itself: idle ones use a few per cent,
and a Spark driver that computes is work."""


class WorkMeter:
    """Gets the kernel's processes from time to time and decides whether they have worked."""

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window = window_seconds
        self._begun: float | None = None
        self._last = 0.0
        self._before: dict[tuple[int, int], float] = {}
        # When the stretch ended, and the seconds of processor time in it.
        self._used: deque[tuple[float, float]] = deque()

    def look(self, now: float, processes: Iterable[Process]) -> bool:
        """Whether there was work since the last look: more than the share of a core since then, and
        over the window too. `now` is any clock that does not jump, in seconds."""
        passed = now - self._last
        present = {(one.pid, one.started): one for one in processes}
        used = 0.0
        for key, process in present.items():
            seconds = max(0.0, process.cpu_seconds - self._before.get(key, 0.0))
            if not process.is_daemon or seconds > DAEMON_SHARE * passed:
                used += seconds
        self._before = {key: process.cpu_seconds for key, process in present.items()}
        self._last = now
        if self._begun is None:
            self._begun = now
            return True
        self._used.append((now, used))
        while self._used[0][0] <= now - self._window:
            self._used.popleft()
        window = min(self._window, now - self._begun)
        over_the_window = sum(seconds for _, seconds in self._used)
        return used > SHARE * passed and over_the_window > SHARE * window
