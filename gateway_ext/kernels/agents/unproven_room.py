"""Limits the number of open websockets whose callers have not proved that they are agents."""

from collections import Counter

PER_KERNEL = 4
"""An agent has one connection at a time; a few broken ones may not have been detected yet."""


class UnprovenRoom:
    """Places for sockets, of which some are kept for kernels that exist.

    Anybody who reaches the gateway can take a place. So a caller that names a kernel which does not
    exist gets none of the kept ones, and one kernel gets PER_KERNEL at most. A place that was given
    is never taken back for somebody else.
    """

    def __init__(self, places: int, kept: int) -> None:
        """`kept` of the `places` are for kernels that exist."""
        self._places = places
        self._for_anybody = places - kept
        self._unknown = 0
        self._known: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._unknown + self._known.total()

    def enter(self, kernel_id: str, *, exists: bool) -> bool:
        """Takes a place for a socket; False if there is none for it."""
        if len(self) >= self._places:
            return False
        if exists:
            if self._known[kernel_id] >= PER_KERNEL:
                return False
            self._known[kernel_id] += 1
            return True
        if self._unknown >= self._for_anybody:
            return False
        self._unknown += 1
        return True

    def leave(self, kernel_id: str, *, exists: bool) -> None:
        """Gives a place back; `exists` as it was when the place was taken."""
        if not exists:
            self._unknown -= 1
        elif self._known[kernel_id] > 1:
            self._known[kernel_id] -= 1
        else:
            del self._known[kernel_id]
