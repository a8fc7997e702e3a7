"""How much memory all processes of a run take together."""

from __future__ import annotations

import threading
from pathlib import Path

from tests.chaos.left_over import processes

LIMIT = 6_000_000_000
"""Bytes that a run may take, so that a machine with 8 GB is enough."""
_SECONDS = 10.0
"""Reading the maps of a hundred processes takes a noticeable part of a second."""


def used() -> int:
    """Bytes of all processes that can be seen; what several share is counted once (PSS)."""
    return sum(_bytes_of(pid) for pid in processes())


def _bytes_of(pid: int) -> int:
    try:
        words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
        return int(words[words.index("Pss:") + 1]) * 1024
    except (OSError, ValueError):
        # It has ended, or belongs to the operating system.
        return 0


class MemoryWatch:
    """Measures again and again. `test` is what runs, `most` in bytes by test."""

    def __init__(self) -> None:
        self.test = ""
        self.most: dict[str, int] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        """Measures from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the measuring."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_SECONDS):
            test, now = self.test, used()
            self.most[test] = max(now, self.most.get(test, 0))

    @property
    def peak(self) -> tuple[int, str]:
        """The most bytes, and the test that ran then."""
        return max(((size, test) for test, size in self.most.items()), default=(0, ""))
