"""All of them together, with every fault that can happen, and what must hold all the same."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable

from tests.unit.protocol.agent import Agent
from tests.unit.protocol.kernel import Kernel
from tests.unit.protocol.page import File, Page
from tests.unit.protocol.relay import Kind, Relay, Request
from tests.unit.protocol.stock_client import StockClient
from tests.unit.protocol.weakened import Weakened

_ROUNDS = 400
"""After so many without a fault everything has arrived, or never will."""
_MOST_REQUESTS = 6


class Fleet:
    """A notebook's page, its kernel, and a stock client of the same kernel.

    Each method is one thing that happens; what cannot happen now does nothing.
    """

    def __init__(self, weakened: Weakened | None = None) -> None:
        self.weakened = weakened
        ids = itertools.count(1)
        self._new_id: Callable[[], int] = lambda: next(ids)
        self.runs: Counter[Request] = Counter()
        self.wanted: list[Request] = []
        self._ended: set[Request] = set()
        """Those that need no reply any more: dropped, canceled, or lost with their agent."""
        self._never: set[Request] = set()
        """Those that must not be begun: a restart has canceled them before."""
        self._restart: set[Request] | None = None
        """A restart on its way, and what was under way when the person pressed the button."""
        self.older: list[Relay] = []
        """Connections that the page has left and whose frames still travel."""
        self.file: File = {}
        self.agent = self._new_agent()
        self.page = Page(self._new_id, weakened, self.file)
        self.stock = StockClient(self._new_id(), self._new_id())
        self.stock.open(self.agent)

    def _new_agent(self) -> Agent:
        return Agent(self._new_id(), Kernel(self.runs), self.weakened)

    # -- people

    def run_cell(self) -> None:
        """A person runs a cell."""
        if len(self.wanted) < _MOST_REQUESTS:
            self.wanted.append(Request(self._new_id(), self.page.session))
            self.page.run(self.wanted[-1])

    def save(self) -> None:
        """The page saves the notebook."""
        self.file = self.page.save()

    def reload(self) -> None:
        """The page is closed, perhaps in the middle of something, and opened again in its tab."""
        self._leave()
        self._ended |= self.page.dropped
        keeps = self.weakened is Weakened.NUMBERS_BY_SESSION
        session = self.page.session if keeps else None
        self.page = Page(self._new_id, self.weakened, self.file, self.page.stored(), session)

    def press_restart(self) -> None:
        """A person restarts the kernel; the order is on its way."""
        if self._restart is None:
            self._restart = set(self.page.pending_requests())
            self._leave()
            self.page.restart()

    def restart_arrives(self) -> None:
        """The agent carries it out."""
        if self._restart is None:
            return
        dead = self.agent.restart()
        self._ended |= {*dead, *self._restart}
        self._never |= {one for one in self._ended if not self.runs[one]}
        self._restart = None

    def stock_runs(self, *, with_cell: bool) -> None:
        """A client without cursor runs something, perhaps a cell of the same notebook."""
        if len(self.stock.asked) < _MOST_REQUESTS:
            self.stock.run(Request(self._new_id(), self.stock.session, with_cell))

    def stock_exchanges(self) -> None:
        """Its messages arrive."""
        self.stock.exchange(self.agent)

    # -- connections

    def connect(self) -> None:
        """The page dials."""
        if self.page.relay is None:
            self.page.connect()

    def agent_opens(self) -> None:
        """The page's connection arrives at the agent."""
        relay = self.page.relay
        if relay is not None and not relay.dialled:
            self.agent.open(relay)

    def page_reads(self) -> None:
        """One frame arrives at the page."""
        self.page.read()

    def page_shows(self) -> None:
        """JupyterLab shows one message."""
        self.page.show()

    def agent_takes(self) -> None:
        """One message of the page arrives at the agent."""
        if self.page.relay is not None:
            self.agent.take(self.page.relay)

    def agent_takes_late(self) -> None:
        """One that came by a connection that the page has left."""
        for relay in self.older:
            if relay.at_agent and relay.up:
                self.agent.take(relay)
                return

    def agent_sends(self) -> None:
        """One message to the page is on its way."""
        if self.page.relay is not None:
            self.agent.send(self.page.relay)

    def cut(self) -> None:
        """Front, lab, owner or network fail: what is under way is lost."""
        if (relay := self.page.relay) is not None:
            relay.lose()
            if self.weakened is Weakened.NUMBERS_AT_OWNER:
                self.agent.numbers.clear()
            self._forget_received()
            self.page.lose_connection()

    def half_open(self) -> None:
        """The page goes to another lab, and the frames that it has sent still travel."""
        if self.page.relay is not None:
            self._leave()
            self._forget_received()
            self.page.lose_connection()

    def _leave(self) -> None:
        if (relay := self.page.relay) is not None:
            relay.down.clear()
            self.older.append(relay)

    def _forget_received(self) -> None:
        if self.weakened is Weakened.LAB_HAS_THE_NUMBERS and self.page.received is not None:
            self.page.received = self.agent.last

    def lab_redials(self) -> None:
        """What the lab must not do: its websocket to the page stays open."""
        relay = self.page.relay
        if self.weakened is Weakened.LAB_REDIALS and relay is not None and relay.at_agent:
            relay.up.clear()
            relay.down.clear()
            relay.position = self.page.received or 0

    # -- kernel and agent

    def kernel_steps(self) -> None:
        """The kernel begins or finishes a cell."""
        self.agent.kernel_steps()

    def kernel_dies(self) -> None:
        """Its process is killed, or crashes."""
        if not self.agent.kernel.starting:
            self.agent.kernel_dies()

    def kernel_started(self) -> None:
        """The process after it answers."""
        if self.agent.kernel.starting:
            self.agent.kernel_started()

    def agent_forgets(self) -> None:
        """It needs room for other sessions."""
        self.agent.forget()

    def agent_lost(self) -> None:
        """Its machine is gone. The fleet starts the kernel again, with another agent."""
        self._ended |= set(self.agent.taken)
        self.cut()
        self.older.clear()
        self.agent = self._new_agent()
        self.stock.open(self.agent)

    # -- what must hold

    def check(self) -> None:
        """At any time."""
        for request, times in self.runs.items():
            assert times <= 1, f"ran twice: {request}"
        for request in self._never:
            assert not self.runs[request], f"ran after the restart that canceled it: {request}"
        for cell in self.page.cells.values():
            assert cell.outputs == sorted(set(cell.outputs)), f"out of order: {cell.outputs}"
        numbers = [entry.number for entry in self.stock.got]
        assert numbers == sorted(set(numbers)), "out of order for a stock client"
        kinds = {entry.kind for entry in self.stock.got}
        assert not kinds & {Kind.ANNOUNCEMENT, Kind.ANSWER}, "a stock client gets channel fleet"

    def settle(self) -> None:
        """No more faults: everything arrives."""
        for _ in range(_ROUNDS):
            for happens in (
                self.connect,
                self.agent_opens,
                self.page_reads,
                self.page_shows,
                self.restart_arrives,
                self.kernel_started,
                self.agent_takes_late,
                self.agent_takes,
                self.stock_exchanges,
                self.kernel_steps,
                self.agent_sends,
            ):
                happens()
            self.check()
            if self._is_quiet():
                break
        self._check_quiet()

    def _is_quiet(self) -> bool:
        relay, kernel = self.page.relay, self.agent.kernel
        if relay is None or not relay.at_agent or relay.up or relay.down or self.page.pending:
            return False
        busy = kernel.running or kernel.queue or kernel.starting or self.page.handed
        late = any(one.at_agent and one.up for one in self.older)
        waits = relay.position < self.agent.last or self.stock.stream.up
        return not (busy or late or waits)

    def _check_quiet(self) -> None:
        for request in self.agent.requests():
            if numbers := self.agent.numbers_of(request):
                cell = self.page.cells.get(request)
                shown = () if cell is None else tuple(cell.outputs)
                assert shown == numbers, f"{request} shows {shown} of {numbers}"
        ended = self._ended | self.page.dropped
        for request in self.wanted:
            assert request in self.page.replied | ended, f"no reply: {request}"
        missing = set(self.stock.asked) - self.stock.replied()
        assert not missing, f"no reply to a stock client: {missing}"
        assert self.stock.stream.at_agent, "a stock client's stream was ended"
