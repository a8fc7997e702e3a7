"""When a kernel's way to the internet that has ended is made again."""

from __future__ import annotations

STABLE_SECONDS = 60.0
"""A way that led out for so long ended for another reason than the one before."""
LONGEST_PAUSE = 60.0


class WayPolicy:
    """Counts ends in a row, and decides how long to wait before the next try. It never gives up,
    because what prevents a way, such as too little memory, may change by itself."""

    def __init__(self) -> None:
        self._row = 0

    def pause(self, lived: float) -> float:
        """Seconds to wait before the next one, after one that lived `lived` seconds."""
        self._row = 0 if lived >= STABLE_SECONDS else self._row
        self._row += 1
        # The exponent needs a limit too: `2.0 ** 1024` overflows.
        return 0.0 if self._row == 1 else min(2.0 ** min(self._row - 2, 10), LONGEST_PAUSE)
