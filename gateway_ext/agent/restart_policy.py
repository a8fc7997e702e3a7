"""When a kernel that ended by itself is restarted."""

from __future__ import annotations

LIMIT = 5
"""Restarts in a row after unexpected ends, as in jupyter_client's KernelRestarter."""
STABLE_SECONDS = 10.0
"""A process that lived this long has started successfully: the count starts again."""


class RestartPolicy:
    """Counts unexpected ends in a row and decides how long to wait before the next start."""

    def __init__(self) -> None:
        self._row = 0

    def pause(self, lived: float) -> float | None:
        """Seconds to wait before the next start of a process that lived `lived` seconds.

        None if it must not be restarted any more.
        """
        if lived >= STABLE_SECONDS:
            self._row = 0
        if self._row == LIMIT:
            return None
        self._row += 1
        return 0.0 if self._row == 1 else min(0.1 * 2**self._row, 1.0)

    def reset(self) -> None:
        """A user asked for a new process: reset the count."""
        self._row = 0
