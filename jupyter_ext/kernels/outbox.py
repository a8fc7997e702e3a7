"""What a client has sent to a kernel whose agent has not acknowledged it yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class Outbox:
    """Numbered messages, oldest first, of at most `most_bytes` together.

    Numbers are never used twice, even for messages that were dropped: the agent may have one of
    them.
    """

    def __init__(self, most_bytes: int) -> None:
        self.last = 0
        """The number of the newest message, 0 if there was none yet."""
        self.bytes = 0
        """Of all messages that wait."""
        self._most_bytes = most_bytes
        self._messages: deque[tuple[int, bytes]] = deque()

    def __iter__(self) -> Iterator[tuple[int, bytes]]:
        return iter(self._messages)

    def add(self, message: bytes) -> int | None:
        """The number of a new message; None if it does not fit, unless it is the only one."""
        if self._messages and self.bytes + len(message) > self._most_bytes:
            return None
        self.last += 1
        self._messages.append((self.last, message))
        self.bytes += len(message)
        return self.last

    def forget(self, acknowledged: int) -> None:
        """Forget the messages up to this number."""
        while self._messages and self._messages[0][0] <= acknowledged:
            self.bytes -= len(self._messages.popleft()[1])

    def drop(self) -> list[bytes]:
        """Forget all messages, and return them."""
        dropped = [message for _, message in self._messages]
        self._messages.clear()
        self.bytes = 0
        return dropped
