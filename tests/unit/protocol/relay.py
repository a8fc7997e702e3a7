"""What goes between a page and an agent: the lab, the owner and the network."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True)
class Request:
    """A cell that is run. `with_cell`: the client has said which cell it is."""

    number: int
    session: int
    with_cell: bool = True


@dataclass(frozen=True)
class Ask:
    """A page that opens a notebook asks for what its cells lack: by request, the number of the last
    message that the file holds."""

    session: int
    held: Mapping[Request, int]


@dataclass(frozen=True)
class Sent:
    """A message to the kernel, numbered within its nonce."""

    number: int
    message: Request | Ask


class Kind(Enum):
    """What the journal has."""

    ANNOUNCEMENT = "on channel fleet: a request's record"
    OUTPUT = "on iopub"
    IDLE = "on iopub, at a request's end"
    REPLY = "on shell"
    ANSWER = "on channel fleet: to an ask"


@dataclass(frozen=True)
class Answer:
    """What the cells lack: numbers of iopub by request, for those that the file does not hold
    completely, and the requests that have a reply."""

    missing: Mapping[Request, tuple[int, ...]]
    replied: frozenset[Request]


@dataclass(frozen=True)
class Entry:
    """A message of the journal. It is for everybody, unless it is for a `session`, for cursor
    streams, or for both."""

    number: int
    kind: Kind
    request: Request | None
    session: int | None = None
    for_cursors: bool = False
    answer: Answer | None = None

    def concerns(self, stream: Relay) -> bool:
        """Whether this stream gets it."""
        if self.session is None and not self.for_cursors:
            return True
        return self.session == stream.session or (self.for_cursors and stream.cursor)


@dataclass(frozen=True)
class Opened:
    """The first frame of a stream."""

    start: int
    acknowledged: int
    journal: int


@dataclass(frozen=True)
class Frame:
    """A message to a client."""

    entry: Entry
    acknowledged: int


@dataclass(frozen=True)
class Closed:
    """The agent has ended the stream."""


@dataclass(eq=False)
class Relay:
    """One connection from its dial on, in order both ways. It remembers nothing: if one end goes,
    what the other has not read may be lost, and a new connection must be dialled."""

    session: int
    nonce: int
    received: int | None = None
    journal: int | None = None
    cursor: bool = True
    up: deque[Sent] = field(default_factory=deque)
    down: deque[Opened | Frame | Closed] = field(default_factory=deque)
    dialled: bool = False
    """Whether it has reached the agent."""
    at_agent: bool = False
    """Whether the agent reads it."""
    position: int = 0
    """The last number of the journal that the agent has looked at for it."""

    def lose(self) -> None:
        """Everything under way is lost, and both ends see that."""
        self.up.clear()
        self.down.clear()
        self.at_agent = False
