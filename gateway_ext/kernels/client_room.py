"""How many websockets one person may have at one kernel."""

from collections import Counter

PER_PERSON = 50
"""Half of what a kernel takes (`launch_board.MOST_LISTENERS`, and the agent's `MOST_SESSIONS`)."""


class ClientRoom:
    """Counts the websockets of each person at each kernel, so that nobody takes the places that
    others need to follow its launch or to use it."""

    def __init__(self) -> None:
        self._open: Counter[tuple[str, str]] = Counter()

    def enter(self, kernel_id: str, user: str) -> bool:
        """Takes a place for a websocket; False if this person has all that one may have."""
        if self._open[kernel_id, user] >= PER_PERSON:
            return False
        self._open[kernel_id, user] += 1
        return True

    def leave(self, kernel_id: str, user: str) -> None:
        """Gives a place back."""
        self._open[kernel_id, user] -= 1
        if not self._open[kernel_id, user]:
            del self._open[kernel_id, user]
