"""What one process holds for kernels, in the outboxes of all its streams together."""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """A stream with messages that its kernel has not acknowledged."""

    def give_up(self) -> None:
        """It holds the most, and there is no room: forget its messages and say so."""


class HeldMessages:
    """Limits what many streams hold together to `most_bytes`.

    When they hold more, the one that holds the most gives up: users who send little are served,
    whatever others leave waiting.
    """

    def __init__(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes
        self.bytes = 0
        self._holders: dict[Holder, int] = {}

    def holds(self, holder: Holder, size: int) -> None:
        """The holder has messages of so many bytes now. A message that is the only one in the
        process may be longer than the limit."""
        self._set(holder, size)
        while self.bytes > self.most_bytes and len(self._holders) > 1:
            most = max(self._holders, key=self._holders.__getitem__)
            self._set(most, 0)
            most.give_up()

    def _set(self, holder: Holder, size: int) -> None:
        self.bytes += size - self._holders.pop(holder, 0)
        if size:
            self._holders[holder] = size
