"""What a gateway holds for clients that read too slowly."""

from collections.abc import Callable

from jupyter_ext.kernels.held_messages import HeldMessages, Holder


class UnsentBytes:
    """Limits what waits for all clients together, and for those of each person.

    When more waits, the client for which the most does is ended. For a client that reads, something
    waits for moments only: it can be that one in a burst of output that alone exceeds the limit.
    """

    def __init__(self, most_bytes: int, most_per_person: int) -> None:
        self._all = HeldMessages(most_bytes)
        self._most_per_client = min(most_bytes, most_per_person)
        self._most_per_person = most_per_person
        self._of: dict[str, HeldMessages] = {}

    def waits(self, client: "UnsentOfClient", user: str, size: int) -> None:
        """So many bytes wait for a client of this person now."""
        if size > self._most_per_client:
            # The limits below spare the only one.
            client.give_up()
            return
        self._all.holds(client, size)
        if client.ended:
            size = 0
        person = self._of.setdefault(user, HeldMessages(self._most_per_person))
        person.holds(client, size)
        if not person.bytes:
            self._of.pop(user, None)


class UnsentOfClient(Holder):
    """Counts what waits for one client, its newest frame apart, which may be of any length."""

    def __init__(self, unsent: UnsentBytes, user: str, end: Callable[[], None]) -> None:
        self._unsent = unsent
        self._user = user
        self._end = end
        self._size = 0
        self._newest = 0
        self.ended = False

    def add(self, size: int) -> bool:
        """A frame of this size is to be sent. False if the client has been ended."""
        self._size += size
        self._newest = size
        self._tell()
        return not self.ended

    def sent(self, size: int) -> None:
        """A frame of this size has been sent, or never will be."""
        self._size -= size
        self._tell()

    def give_up(self) -> None:
        """The most waits for this one, and too much for all."""
        if not self.ended:
            self.stop()
            self._end()

    def stop(self) -> None:
        """The client has left."""
        if not self.ended:
            self.ended = True
            self._unsent.waits(self, self._user, 0)

    def _tell(self) -> None:
        if not self.ended:
            self._unsent.waits(self, self._user, max(0, self._size - self._newest))
