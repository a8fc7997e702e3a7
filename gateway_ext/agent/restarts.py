"""When a kernel that ended by itself is started again."""

from __future__ import annotations

LIMIT = 5
"""Starts in a row after unasked ends, as in jupyter_client's KernelRestarter."""
STABLE_SECONDS = 10.0
"""A process that lived this long has started well: the row begins anew."""


class RestartPolicy:
    """Counts unasked ends in a row and says how long to wait before the next start."""

    def __init__(self) -> None:
        self._row = 0

    def pause(self, lived: float) -> float | None:
        """Seconds to wait before the next start of a process that lived `lived` seconds.

        None if it has been started again often enough.
        """
        if lived >= STABLE_SECONDS:
            self._row = 0
        if self._row == LIMIT:
            return None
        self._row += 1
        return 0.0 if self._row == 1 else min(0.1 * 2**self._row, 1.0)

    def reset(self) -> None:
        """A person asked for a new process: the row begins anew."""
        self._row = 0
