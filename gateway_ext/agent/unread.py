"""How much of what a journal holds in memory alone may not have been read yet."""

from __future__ import annotations

from collections import deque

_STEP_BYTES = 2**16


class Unread:
    """Counts the bytes of messages behind the last one that all who read are known to have, within
    64 KB."""

    def __init__(self) -> None:
        self._marks: deque[tuple[int, int]] = deque()
        """Numbers of messages, and the bytes of all up to each of them."""
        self._last = 0
        self._total = 0
        self._read = 0
        """The bytes of all messages that were read, or are gone."""

    def append(self, number: int, size: int, held: int) -> None:
        """A message has come; so many bytes are held in memory with it. What is not held is not
        waited for."""
        self._last = number
        self._total += size
        self._read = max(self._read, self._total - held)
        if not self._marks or self._total - self._marks[-1][1] >= _STEP_BYTES:
            self._marks.append((number, self._total))
        self._forget()

    @property
    def bytes(self) -> int:
        """Of messages that may not have been read."""
        return self._total - self._read

    def next(self, size: int) -> int:
        """Up to which number about `size` unread bytes go."""
        within = 0
        for number, total in self._marks:
            if within and total - self._read > size:
                return within
            within = number
        return self._last

    def read(self, number: int) -> None:
        """All who read have everything up to this number, or are not waited for."""
        if number >= self._last:
            self._read = self._total
        for mark, total in self._marks:
            if mark > number:
                break
            self._read = max(self._read, total)
        self._forget()

    def _forget(self) -> None:
        while self._marks and self._marks[0][1] <= self._read:
            self._marks.popleft()
