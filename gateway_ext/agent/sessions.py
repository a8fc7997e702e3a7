"""What the agent remembers of each client session: what it acknowledged and what it sent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .slow_readers import Excused

REMEMBERED_NONCES = 1000
"""Client ends remembered for one session; only the longest unused is forgotten beyond this."""
MOST_SESSIONS = 100
"""Sessions of one kernel. Each has three sockets, which take 6 of the agent's file descriptors and
3 of the kernel's, of usually 1024; ZMQ itself has no more than 1023 sockets."""


class TooManySessions(Exception):
    """No session can be forgotten to make room for another one."""


@dataclass
class Session:
    """One of Jupyter's session ids: a page, with any number of connections and client ends."""

    session_id: str
    acknowledged: int
    """The last number of the journal that the session has acknowledged."""
    received: dict[str, int] = field(default_factory=dict)
    """By the nonce of the client's end: the last number that the kernel was given."""
    began: int = 0
    """The last number of the journal when the session was new."""
    in_flight: set[str] = field(default_factory=set)
    """Ids of requests that the kernel was given and has not finished."""
    excused_until: int = 0
    """Nobody waits for it before it has acknowledged this number: it was too slow."""
    idle_since: float | None = None
    """Since when nobody has a stream open (monotonic seconds), None while somebody has."""

    def received_from(self, nonce: str) -> int:
        """The highest number taken from this client end, 0 if none."""
        return self.received.get(nonce, 0)

    def skips(self, nonce: str, sequence: int) -> bool:
        """Whether messages before this one have never come from this client end. One that is not
        known (any more) may begin at any number: an earlier agent may have taken the others."""
        last = self.received_from(nonce)
        return 0 < last < sequence - 1

    def take(self, nonce: str, sequence: int) -> bool:
        """Note that a message with this number came; False if it was taken before."""
        if sequence <= self.received_from(nonce):
            return False
        # Put last again: the first in the dictionary is the one that was unused the longest.
        self.received.pop(nonce, None)
        self.received[nonce] = sequence
        if len(self.received) > REMEMBERED_NONCES:
            del self.received[next(iter(self.received))]
        return True

    def acknowledge(self, sequence: int) -> None:
        """The client has everything up to this number of the journal."""
        self.acknowledged = max(self.acknowledged, sequence)

    def start(
        self, received: int | None, last: int, *, cursor: bool = False, same_journal: bool = True
    ) -> int:
        """After which number of the journal a stream of this session starts.

        `received` is the number that the client reports, `last` the journal's newest one. A number
        of another journal says nothing of this one, and a higher one than `last` is of another
        journal. A new cursor stream starts at the end: its other end asks for what it lacks.
        """
        if received is None:
            return last if cursor else self.acknowledged
        return received if same_journal and received <= last else 0


class Sessions:
    """All sessions of one kernel."""

    def __init__(self) -> None:
        self._sessions: dict[str, Session] = {}
        self.excused = Excused()

    def __iter__(self) -> Iterator[Session]:
        return iter(self._sessions.values())

    def get(self, session_id: str) -> Session | None:
        """The session, None if it is not known (any more)."""
        return self._sessions.get(session_id)

    def known(self, session_id: str, last: int) -> Session:
        """The session; a new one starts at the journal's end, `last`."""
        if session_id not in self._sessions:
            self._sessions[session_id] = Session(session_id, acknowledged=last, began=last)
        return self._sessions[session_id]

    def make_room(self) -> Session | None:
        """Forget, and return, the session that has been idle longest if there is no room for
        another one. Raises TooManySessions."""
        if len(self._sessions) < MOST_SESSIONS:
            return None
        idle = [(one.idle_since, one) for one in self if one.idle_since is not None]
        without_work = [(since, one.session_id) for since, one in idle if not one.in_flight]
        if not without_work:
            raise TooManySessions(
                f"{MOST_SESSIONS} clients are connected to this kernel or wait for their cells:"
                " close some of their pages, or interrupt the kernel"
            )
        return self._sessions.pop(min(without_work)[1])

    def finished(self, request: str) -> None:
        """The kernel has finished a request of whichever session sent it."""
        for session in self:
            session.in_flight.discard(request)

    def nothing_in_flight(self) -> None:
        """The process that had the requests has ended: forget them."""
        for session in self:
            session.in_flight.clear()

    def forget_idle(self, now: float, after: float) -> list[Session]:
        """Forget, and return, sessions without work and for `after` seconds without a stream."""
        idle = [
            session
            for session in self
            if session.idle_since is not None
            and now - session.idle_since >= after
            and not session.in_flight
        ]
        for session in idle:
            del self._sessions[session.session_id]
        return idle
