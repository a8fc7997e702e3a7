"""Which tokens are worth nothing, or less, although they have not expired."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

LONGEST_TOKEN_SECONDS = 400 * 86400
"""No token of a person is accepted for longer after it was issued, whatever it says itself: so a
revocation that is older concerns none any more."""
LATEST_EXPIRY = 32_503_680_000
"""The year 3000: dates of cookies, timers and databases cannot be much later."""


class RevocationError(ValueError):
    """What is no revocation; the text says why."""


class Revoked(StrEnum):
    """What a revocation is about."""

    USER = "user"
    """Tokens of this user are not accepted."""
    PROJECT = "project"
    """Tokens give no role in this project."""


@dataclass(frozen=True)
class Revocation:
    """Holds for tokens that were issued up to a time; newer ones are not concerned."""

    kind: Revoked
    name: str
    until: float
    """Seconds since 1970."""

    def as_json(self) -> dict[str, object]:
        """`{"user": NAME, "until": SECONDS}`, or with `project`."""
        return {str(self.kind): self.name, "until": self.until}


def revocation_from(document: Mapping[str, object], until: object) -> Revocation:
    """What a document with either `user` or `project` revokes; raises RevocationError."""
    kinds = [kind for kind in Revoked if document.get(kind) is not None]
    if len(kinds) != 1:
        raise RevocationError("a revocation names either a user or a project")
    name = document[kinds[0]]
    if not isinstance(name, str) or not name or len(name) > 255:
        raise RevocationError(f"the {kinds[0]} of a revocation must have 1 to 255 characters")
    # As names in tokens: half of a surrogate pair, for one, can be in no database.
    if not name.isprintable():
        raise RevocationError(f"the {kinds[0]} of a revocation contains control characters")
    if not isinstance(until, int | float) or isinstance(until, bool):
        raise RevocationError("a revocation needs the time up to which it holds")
    # Compared first: an integer may be too large for a float.
    if not 0 <= until < LATEST_EXPIRY:
        raise RevocationError(
            "the time up to which a revocation holds must be seconds since 1970 and before the "
            "year 3000"
        )
    return Revocation(kinds[0], name, float(until))


class Revocations:
    """All that one server knows of. Thread-safe."""

    def __init__(self) -> None:
        self._until: dict[tuple[Revoked, str], float] = {}
        self._lock = threading.Lock()
        self.version = 0
        """Raised with each one that is new: what was accepted before must be looked at again."""
        self.listeners: set[Callable[[Sequence[Revocation]], None]] = set()
        """Called with those that are new, in the thread that adds them."""

    def add(self, found: Iterable[Revocation]) -> None:
        """Know these too; of several for the same name the latest counts."""
        oldest = time.time() - LONGEST_TOKEN_SECONDS
        new = []
        with self._lock:
            for one in found:
                key = (one.kind, one.name)
                if one.until > max(oldest, self._until.get(key, oldest)):
                    self._until[key] = one.until
                    self.version += 1
                    new.append(one)
            if new:
                for key in [key for key, until in self._until.items() if until < oldest]:
                    del self._until[key]
        for listener in list(self.listeners) if new else ():
            listener(new)

    def holds(self, kind: Revoked, name: str, issued: float) -> bool:
        """Whether a token of that time is concerned."""
        until = self._until.get((kind, name))
        return until is not None and issued <= until
