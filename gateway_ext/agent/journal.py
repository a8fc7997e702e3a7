"""The numbered journal of what the kernel said, bounded in bytes."""

from __future__ import annotations

from typing import NamedTuple


class Entry(NamedTuple):
    """One message of the journal: for one session, or for all if `session` is None."""

    sequence: int
    session: str | None
    message: bytes

    def concerns(self, session: str) -> bool:
        """Whether a client of this session is to get the message."""
        return self.session is None or self.session == session


class Journal:
    """Messages numbered 1, 2, 3 ...; the oldest go when they hold more than `limit` bytes together.

    The newest message is kept however large it is, and does not drive out the others.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[int, Entry] = {}
        self._bytes = 0
        self._first = 1
        self._dropped_for_all = 0
        self._dropped_for: dict[str, int] = {}
        self.last = 0
        """The number of the newest message, 0 if there is none."""

    def append(self, session: str | None, message: bytes) -> Entry:
        """Number a message and keep it."""
        self.last += 1
        entry = self._entries[self.last] = Entry(self.last, session, message)
        self._bytes += len(message)
        while self._bytes - len(message) > self._limit:
            self._drop(self._entries.pop(self._first))
        return entry

    def _drop(self, entry: Entry) -> None:
        self._first += 1
        self._bytes -= len(entry.message)
        if entry.session is None:
            self._dropped_for_all = entry.sequence
        else:
            self._dropped_for[entry.session] = entry.sequence

    def get(self, sequence: int) -> Entry | None:
        """The message with this number, None if it was dropped or is not there yet."""
        return self._entries.get(sequence)

    def gap(self, session: str, after: int) -> tuple[int, int] | None:
        """What a session that has everything up to `after` can no longer get: first and last.

        None if everything that concerns the session is still here.
        """
        end = max(self._dropped_for_all, self._dropped_for.get(session, 0))
        return (after + 1, end) if end > after else None

    def forget(self, session: str) -> None:
        """Stop remembering which messages of a session were dropped: it is gone."""
        self._dropped_for.pop(session, None)
