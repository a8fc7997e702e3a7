"""The streams of clients, as the link of an agent sees them."""

import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

_SECRET = secrets.token_bytes(32)


@dataclass(frozen=True)
class Opening:
    """What a client of fleet.v1 said of its stream when it connected."""

    session_id: str
    nonce: str
    received: int | None = None
    journal: str | None = None
    """Of which journal it has everything up to `received`, if it said that."""
    cursor: bool = False
    """Whether the client itself remembers what it has."""
    takes_notices: bool = False
    """Whether it reads text frames about the launch."""
    person: str = ""
    """See `person_of`."""
    user: str | None = None
    """The name of the user who sends over it, for the pages of others; None of our own servers."""


def person_of(user: str) -> str:
    """By what agents know which streams belong together: the same for all of a person at this
    gateway."""
    return hmac.digest(_SECRET, user.encode(), "sha256").hex()


@dataclass(frozen=True)
class Opened:
    """What the agent said of a stream: the client will get everything after `start`."""

    start: int
    acknowledged: int
    gap: tuple[int, int] | None = None
    limit: int | None = None
    """How many bytes the journal keeps; None from agents of the version before."""
    journal: str | None = None
    """The id of the journal; None from agents of the version before."""
    people: Mapping[str, Any] | None = None
    """Who has used the kernel's process, for pages; None from agents of the version before."""

    @classmethod
    def from_result(cls, result: Mapping[str, Any]) -> "Opened":
        """What a result says; raises KeyError, TypeError and ValueError."""
        gap, limit, journal = (result.get(name) for name in ("gap", "limit", "journal"))
        people = result.get("people")
        if gap is not None:
            first, last = gap
            gap = int(first), int(last)
        return cls(
            int(result["start"]),
            int(result["acknowledged"]),
            gap,
            None if limit is None else int(limit),
            None if journal is None else str(journal),
            people if isinstance(people, Mapping) else None,
        )


class ClientEnd(Protocol):
    """A client's websocket, as an agent's link sees it."""

    def opened(self, opened: Opened) -> None:
        """The stream is open."""

    def deliver(self, frame: bytes) -> None:
        """One frame of fleet.v1 for the client."""

    def interrupted(self) -> None:
        """A user asked to drop what waits for the stream to be open."""

    def shut_down(self, by: str) -> None:
        """This user has shut the kernel down: the stream will soon be over."""

    def end(self, code: int, reason: str) -> None:
        """The stream is over."""


class Stream:
    """A client's stream over the link of an agent."""

    def __init__(self, client: ClientEnd) -> None:
        self.client = client
        # The last number that went to the client; None until the agent has opened the stream.
        self.last: int | None = None
