"""The agent: the journal, the index of requests, and the last number of each client end."""

from __future__ import annotations

from collections.abc import Hashable, Iterator

from tests.unit.protocol.kernel import Kernel
from tests.unit.protocol.relay import (
    Answer,
    Ask,
    Closed,
    Entry,
    Frame,
    Kind,
    Opened,
    Relay,
    Request,
    Sent,
)
from tests.unit.protocol.weakened import Weakened

IOPUB = (Kind.OUTPUT, Kind.IDLE)

_BY_NUMBER_ALONE = (
    Weakened.KNOWN_REQUESTS_RUN_AGAIN,
    Weakened.NUMBERS_AT_OWNER,
    Weakened.NUMBERS_BY_SESSION_AND_NONCE,
)
"""Numbers alone say that a request has come. Messages that are no requests always need them."""


class Agent:
    """One agent, whose journal has an id of its own."""

    def __init__(self, journal: int, kernel: Kernel, weakened: Weakened | None) -> None:
        self.journal = journal
        self.kernel = kernel
        self.entries: list[Entry] = []
        self.numbers: dict[Hashable, int] = {}
        """The last number that was taken, by the nonce of the client's end."""
        self.taken: list[Request] = []
        self.waiting: list[Request] = []
        """For the kernel that is being started."""
        self.streams: list[Relay] = []
        self._weakened = weakened

    @property
    def last(self) -> int:
        """The number of the newest message."""
        return len(self.entries)

    # -- streams

    def open(self, stream: Relay) -> None:
        """A client's connection arrives."""
        stream.dialled = stream.at_agent = True
        stream.position = start = self._start(stream)
        self.streams.append(stream)
        stream.down.append(Opened(start, self._number(stream), self.journal))

    def _start(self, stream: Relay) -> int:
        if stream.received is None:
            return self.last
        if self._weakened is Weakened.RECEIVED_WITHOUT_JOURNAL:
            return stream.received if stream.received <= self.last else 0
        return stream.received if stream.journal == self.journal else 0

    def _key(self, stream: Relay) -> Hashable:
        if self._weakened is Weakened.NUMBERS_BY_SESSION:
            return stream.session
        if self._weakened is Weakened.NUMBERS_BY_SESSION_AND_NONCE:
            return stream.session, stream.nonce
        return stream.nonce

    def _number(self, stream: Relay) -> int:
        return self.numbers.get(self._key(stream), 0)

    def send(self, stream: Relay) -> bool:
        """Send the stream its next message; whether there was one."""
        while stream.at_agent and stream.position < self.last:
            entry = self.entries[stream.position]
            stream.position += 1
            if entry.concerns(stream):
                stream.down.append(Frame(entry, self._number(stream)))
                return True
        return False

    def take(self, stream: Relay) -> None:
        """Take the stream's next message to the kernel, if there is one."""
        if not stream.at_agent or not stream.up:
            return
        sent, last = stream.up.popleft(), self._number(stream)
        if sent.number <= last:
            return
        if sent.number > last + 1 and last > 0:
            self._end(stream)
            return
        self.numbers[self._key(stream)] = sent.number
        self._take(sent)

    def forget(self) -> None:
        """Forget the numbers of clients' ends that nobody has a stream open for."""
        kept = {self._key(stream) for stream in self.streams if stream.at_agent}
        self.numbers = {key: number for key, number in self.numbers.items() if key in kept}

    def _take(self, sent: Sent) -> None:
        if isinstance(sent.message, Ask):
            self._answer(sent.message)
            return
        if sent.message in self.taken and self._weakened not in _BY_NUMBER_ALONE:
            return
        self.taken.append(sent.message)
        if self.kernel.starting:
            self.waiting.append(sent.message)
        else:
            self.kernel.queue.append(sent.message)

    def _end(self, stream: Relay) -> None:
        stream.at_agent = False
        stream.up.clear()
        stream.down.append(Closed())
        self.streams.remove(stream)

    # -- the kernel

    def kernel_steps(self) -> None:
        """The kernel goes on by one step."""
        for kind, request in self.kernel.step():
            if kind is Kind.OUTPUT and not self.numbers_of(request):
                self._announce(request)
            self._say(kind, request)
        if request_done := self._newly_done():
            self._announce(request_done)

    def kernel_dies(self) -> None:
        """Its process ends by itself; another one is started."""
        self._say_of_the_dead(self.kernel.die())

    def kernel_started(self) -> None:
        """The new process answers, and gets what has waited."""
        self.kernel.starting = False
        self.kernel.queue.extend(self.waiting)
        self.waiting.clear()

    def restart(self) -> list[Request]:
        """A person's restart, a barrier: nothing that was sent before it runs after it. Returns
        what the kernel will not run."""
        dead = [*self.kernel.die(), *self.waiting]
        self.waiting.clear()
        self._say_of_the_dead(dead)
        if self._weakened is not Weakened.RESTART_IS_NO_BARRIER:
            for stream in [one for one in self.streams if one.cursor]:
                self._end(stream)
        return dead

    def _say_of_the_dead(self, requests: list[Request]) -> None:
        if self._weakened is Weakened.NO_WORD_OF_THE_DEAD:
            return
        for request in requests:
            self._say(Kind.REPLY, request)
            self._say(Kind.IDLE, request)
            self._announce(request)

    # -- the journal

    def _say(self, kind: Kind, request: Request) -> None:
        entry = Entry(self.last + 1, kind, request)
        if kind is Kind.REPLY:
            session, cursors = request.session, request.with_cell
            entry = Entry(self.last + 1, kind, request, session, cursors)
        self.entries.append(entry)

    def _announce(self, request: Request) -> None:
        number = self.last + 1
        self.entries.append(Entry(number, Kind.ANNOUNCEMENT, request, for_cursors=True))

    def _newly_done(self) -> Request | None:
        said = self.entries[-2:]
        if {entry.kind for entry in said} == {Kind.REPLY, Kind.IDLE}:
            return said[0].request
        return None

    def numbers_of(self, request: Request) -> tuple[int, ...]:
        """The numbers of what the request has said on iopub."""
        return tuple(e.number for e in self.entries if e.request == request and e.kind in IOPUB)

    def requests(self) -> Iterator[Request]:
        """Those of cells that were begun, or have ended."""
        return (request for request in self.taken if request.with_cell)

    def _answer(self, ask: Ask) -> None:
        numbers = {request: self.numbers_of(request) for request in self.requests()}
        missing = {
            request: these
            for request, these in numbers.items()
            if these and ask.held.get(request, 0) < these[-1]
        }
        replied = (entry.request for entry in self.entries if entry.kind is Kind.REPLY)
        answer = Answer(missing, frozenset(request for request in replied if request))
        entry = Entry(self.last + 1, Kind.ANSWER, None, ask.session, answer=answer)
        self.entries.append(entry)
