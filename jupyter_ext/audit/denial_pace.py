"""How many denials are written one by one, so that a flood of them fills no disk."""

from __future__ import annotations

from dataclasses import dataclass

WINDOW_SECONDS = 60.0
MOST_CALLERS = 1000
"""Of more callers, all further ones count as one."""
_OTHERS = "others"


@dataclass
class _Window:
    ends: float
    written: int = 0
    left_out: int = 0


class DenialPace:
    """Counts denials of each caller in windows of a minute; times are of a steady clock."""

    def __init__(self, of_nobody: int, of_a_user: int) -> None:
        """How many a minute are written of all anonymous callers together, and of each user."""
        self._of_nobody = of_nobody
        self._of_a_user = of_a_user
        self._windows: dict[str, _Window] = {}

    def admits(self, user: str, now: float) -> bool:
        """Whether one more is written; `user` is empty for anonymous callers."""
        if user and user not in self._windows and len(self._windows) >= MOST_CALLERS:
            user = _OTHERS
        window = self._windows.setdefault(user, _Window(now + WINDOW_SECONDS))
        if window.written < (self._of_a_user if user else self._of_nobody):
            window.written += 1
            return True
        window.left_out += 1
        return False

    def ended(self, now: float) -> list[tuple[str, int]]:
        """Whose denials were left out in windows that have ended, and how many."""
        over = [user for user, window in self._windows.items() if now >= window.ends]
        counts = [(user, self._windows.pop(user).left_out) for user in over]
        return [(user, count) for user, count in counts if count]
