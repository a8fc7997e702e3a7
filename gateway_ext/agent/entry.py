"""One message of the journal, and for whom it is."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple


class Reach(IntEnum):
    """Which streams a message is for. The numbers are stored in segments: they never change."""

    EVERYBODY = 0
    SESSION = 1
    SESSION_AND_CURSORS = 2
    """Those of a session, and every cursor stream (one whose other end remembers by itself)."""
    CURSORS = 3
    REPLAY = 4
    """The cursor streams of a session. What they get is made of other messages when it is sent."""
    COMM = 5
    """Everybody; a message of a widget, which has a smaller place in the journal."""


class Audience(NamedTuple):
    """For whom a message is. `session` is empty where no session is named."""

    reach: Reach
    session: str = ""

    @classmethod
    def of_session(cls, session: str | None) -> Audience:
        """One session, or everybody if it is None."""
        return EVERYBODY if session is None else cls(Reach.SESSION, session)

    def concerns(self, session: str, cursor: bool) -> bool:
        """Whether a stream of this session is to get the message; `cursor` says that it is a
        cursor stream."""
        match self.reach:
            case Reach.EVERYBODY | Reach.COMM:
                return True
            case Reach.SESSION:
                return self.session == session
            case Reach.SESSION_AND_CURSORS:
                return cursor or self.session == session
            case Reach.CURSORS:
                return cursor
            case Reach.REPLAY:
                return cursor and self.session == session


EVERYBODY = Audience(Reach.EVERYBODY)
CURSORS = Audience(Reach.CURSORS)
COMM = Audience(Reach.COMM)


class Entry(NamedTuple):
    """A numbered message, in the v1 layout."""

    sequence: int
    audience: Audience
    message: bytes

    def concerns(self, session: str, cursor: bool = False) -> bool:
        """Whether a stream of this session is to get the message."""
        return self.audience.concerns(session, cursor)
