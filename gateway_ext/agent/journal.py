"""The numbered journal of the kernel's messages, bounded in bytes."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

SHORT_BYTES = 4096
"""Replies and states are rarely longer than this; outputs that fill the journal mostly are."""


class Entry(NamedTuple):
    """One message of the journal: for one session, or for all if `session` is None."""

    sequence: int
    session: str | None
    message: bytes

    def concerns(self, session: str) -> bool:
        """Whether a client of this session is to get the message."""
        return self.session is None or self.session == session


class Journal:
    """Messages numbered 1, 2, 3, …; the oldest are dropped if all exceed `limit` bytes together.

    Long messages are dropped first as long as short ones take no more than half of the limit, so
    that a client that missed some output still learns that the cell has ended. The newest message
    is kept whatever its size, and its size does not cause others to be dropped.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[int, Entry] = {}
        self._bytes = 0
        self._short_bytes = 0
        self._short: deque[int] = deque()
        self._long: deque[int] = deque()
        self._dropped_for_all = 0
        self._dropped_for: dict[str, int] = {}
        self.last = 0
        """The number of the newest message, 0 if there is none."""

    def append(self, session: str | None, message: bytes) -> Entry:
        """Number a message and keep it."""
        self.last += 1
        entry = self._entries[self.last] = Entry(self.last, session, message)
        while self._bytes > self._limit:
            self._drop(self._entries.pop(self._oldest()))
        self._bytes += len(message)
        if len(message) <= SHORT_BYTES:
            self._short.append(self.last)
            self._short_bytes += len(message)
        else:
            self._long.append(self.last)
        return entry

    def _oldest(self) -> int:
        if self._long and self._short_bytes <= self._limit // 2:
            return self._long.popleft()
        if not self._short:
            return self._long.popleft()
        number = self._short.popleft()
        self._short_bytes -= len(self._entries[number].message)
        return number

    def _drop(self, entry: Entry) -> None:
        self._bytes -= len(entry.message)
        if entry.session is None:
            self._dropped_for_all = max(self._dropped_for_all, entry.sequence)
        else:
            dropped = self._dropped_for.get(entry.session, 0)
            self._dropped_for[entry.session] = max(dropped, entry.sequence)

    def get(self, sequence: int) -> Entry | None:
        """The message with this number, None if it was dropped or is not there yet."""
        return self._entries.get(sequence)

    def gap(self, session: str, after: int) -> tuple[int, int] | None:
        """The first and last number of the messages that were dropped for a session which has
        everything up to `after`. Short messages in between may still be here.

        None if all messages for the session are still here.
        """
        end = max(self._dropped_for_all, self._dropped_for.get(session, 0))
        return (after + 1, end) if end > after else None

    def forget(self, session: str) -> None:
        """Forget which messages of a session were dropped, because the session has ended."""
        self._dropped_for.pop(session, None)
