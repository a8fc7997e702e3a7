"""A client that is no page: its lab keeps the stream open and numbers for it, as today."""

from __future__ import annotations

from tests.unit.protocol.agent import Agent
from tests.unit.protocol.relay import Entry, Frame, Kind, Relay, Request, Sent


class StockClient:
    """It opens one stream at each agent and is never cut off."""

    def __init__(self, session: int, nonce: int) -> None:
        self.session = session
        self._nonce = nonce
        self.asked: list[Request] = []
        self.got: list[Entry] = []
        self.stream: Relay
        self._sent = 0

    def open(self, agent: Agent) -> None:
        """Open a stream at this agent. What was asked of another one is not expected any more."""
        self.asked.clear()
        self.got.clear()
        self._sent = 0
        self.stream = Relay(self.session, self._nonce, cursor=False)
        agent.open(self.stream)

    def run(self, request: Request) -> None:
        """Ask for something to be run."""
        self.asked.append(request)
        self._sent += 1
        self.stream.up.append(Sent(self._sent, request))

    def exchange(self, agent: Agent) -> None:
        """Everything under way arrives."""
        while self.stream.up and self.stream.at_agent:
            agent.take(self.stream)
        while agent.send(self.stream):
            pass
        while self.stream.down:
            frame = self.stream.down.popleft()
            if isinstance(frame, Frame):
                self.got.append(frame.entry)

    def replied(self) -> set[Request | None]:
        """The requests that it has a reply to."""
        return {entry.request for entry in self.got if entry.kind is Kind.REPLY}
