"""The page: one notebook, its cells, and what it keeps over cuts and reloads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.unit.protocol.agent import IOPUB
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


@dataclass(frozen=True)
class Stored:
    """What a tab keeps over a reload: what was not acknowledged, and the journal it was sent to."""

    nonce: int
    sent: int
    pending: tuple[Sent, ...]
    journal: int | None


@dataclass(frozen=True)
class Saved:
    """A cell in the saved notebook: its outputs, and the number of the last one."""

    outputs: tuple[int, ...]
    number: int


File = dict[Request, Saved]


@dataclass
class Cell:
    """A cell that was run. Its outputs are their numbers in the journal."""

    outputs: list[int] = field(default_factory=list)
    number: int = 0


class Page:
    """Made by opening the notebook. `new_id` gives sessions and nonces that nobody else has."""

    def __init__(
        self,
        new_id: Callable[[], int],
        weakened: Weakened | None,
        file: File,
        stored: Stored | None = None,
        session: int | None = None,
    ) -> None:
        self._new_id = new_id
        self._weakened = weakened
        self.session = new_id() if session is None else session
        self.nonce = new_id() if stored is None else stored.nonce
        self.sent = 0 if stored is None else stored.sent
        self.pending: deque[Sent] = deque(() if stored is None else stored.pending)
        self._pending_journal = None if stored is None else stored.journal
        self.journal: int | None = None
        self.received: int | None = None
        self.relay: Relay | None = None
        self._answered = False
        self._awaiting = False
        self._held: list[Entry] = []
        self.handed: deque[Entry] = deque()
        """What JupyterLab was given and has not shown yet."""
        self.cells = {
            request: Cell(list(saved.outputs), saved.number) for request, saved in file.items()
        }
        self.replied: set[Request] = set()
        self.dropped: set[Request] = set()

    # -- a person

    def run(self, request: Request) -> None:
        """Run a cell."""
        self._send(request)

    def save(self) -> File:
        """What the notebook's file has from now on."""
        numbers = {request: cell.number for request, cell in self.cells.items()}
        if self._weakened is Weakened.SAVED_NUMBER_HANDED:
            for entry in self.handed:
                if entry.kind in IOPUB and entry.request in numbers:
                    numbers[entry.request] = entry.number
        return {
            request: Saved(tuple(cell.outputs), numbers[request])
            for request, cell in self.cells.items()
        }

    def restart(self) -> None:
        """What was not acknowledged shall not run after the restart. What is sent from now on is
        numbered anew, on another connection."""
        self.relay = None
        if self._weakened is Weakened.RESTART_KEEPS_PENDING:
            return
        self._drop_pending()
        if self._weakened is not Weakened.SAME_NONCE_AFTER_DROPPING:
            self.nonce, self.sent = self._new_id(), 0
        if self._awaiting:
            # The question was dropped with the rest.
            self._ask()

    def stored(self) -> Stored | None:
        """What the next page in this tab finds."""
        if self._weakened in (Weakened.PENDING_IN_MEMORY, Weakened.NUMBERS_BY_SESSION):
            return None
        journal = self._pending_journal if self.journal is None else self.journal
        return Stored(self.nonce, self.sent, tuple(self.pending), journal)

    # -- its stream

    def connect(self) -> Relay:
        """Dial."""
        self.relay = Relay(self.session, self.nonce, self.received, self.journal)
        self._answered = False
        return self.relay

    def lose_connection(self) -> None:
        """The websocket has closed."""
        self.relay = None
        if self._weakened is Weakened.LAB_HAS_THE_NUMBERS:
            self.pending.clear()

    def _send(self, message: Request | Ask) -> None:
        self.sent += 1
        self.pending.append(Sent(self.sent, message))
        if self.relay is not None and self._answered:
            self.relay.up.append(self.pending[-1])

    def _drop_pending(self) -> None:
        self.dropped |= set(self.pending_requests())
        self.pending.clear()

    def pending_requests(self) -> Iterator[Request]:
        """Those that the agent has not acknowledged."""
        return (sent.message for sent in self.pending if isinstance(sent.message, Request))

    def read(self) -> None:
        """Read the next frame, if there is one."""
        if self.relay is None or not self.relay.down:
            return
        frame = self.relay.down.popleft()
        match frame:
            case Opened():
                self._opened(frame, self.relay)
            case Frame():
                self._acknowledged(frame.acknowledged)
                self._received(frame.entry)
            case Closed():
                self.lose_connection()

    def _opened(self, opened: Opened, relay: Relay) -> None:
        before = self._pending_journal if self.journal is None else self.journal
        first = self.journal is None
        is_new = before not in (None, opened.journal)
        self.journal, self._answered = opened.journal, True
        if first:
            self.received = opened.start
        elif is_new:
            # Nothing of the journal before counts, and everything of this one comes.
            self.received = opened.start
            self._awaiting = False
            self._held.clear()
        if is_new and self._weakened is not Weakened.PENDING_SENT_TO_NEW_JOURNAL:
            # It may have run in the kernel that was lost.
            self._drop_pending()
        if not is_new:
            self._acknowledged(opened.acknowledged)
        relay.up.extend(self.pending)
        if first:
            self._awaiting = True
            self._ask()

    def _ask(self) -> None:
        held = {request: cell.number for request, cell in self.cells.items()}
        self._send(Ask(self.session, held))

    def _acknowledged(self, number: int) -> None:
        while self.pending and self.pending[0].number <= number:
            self.pending.popleft()

    def _received(self, entry: Entry) -> None:
        assert self.received is not None
        if entry.number <= self.received:
            return
        self.received = entry.number
        if entry.kind is Kind.ANSWER:
            if self._awaiting:
                self.handed.append(entry)
                self._awaiting = False
                for held in self._held:
                    if held.number > entry.number or self._weakened is Weakened.NO_FENCE:
                        self.handed.append(held)
                self._held.clear()
        elif self._awaiting and self._is_foreign(entry):
            self._held.append(entry)
        else:
            self.handed.append(entry)

    def _is_foreign(self, entry: Entry) -> bool:
        assert entry.request is not None
        return entry.kind in IOPUB and entry.request.session != self.session

    # -- JupyterLab

    def show(self) -> None:
        """JupyterLab shows the next message, some time after it was given it."""
        if not self.handed:
            return
        entry = self.handed.popleft()
        if entry.answer is not None:
            self._fill(entry.answer)
        elif entry.request is None or not entry.request.with_cell:
            return
        elif entry.kind is Kind.REPLY:
            self.replied.add(entry.request)
        elif entry.kind in IOPUB:
            cell = self.cells.setdefault(entry.request, Cell())
            cell.outputs.append(entry.number)
            cell.number = entry.number

    def _fill(self, answer: Answer) -> None:
        for request, numbers in answer.missing.items():
            # Cleared and filled again, never appended to.
            self.cells[request] = Cell(list(numbers), numbers[-1])
        self.replied |= answer.replied
