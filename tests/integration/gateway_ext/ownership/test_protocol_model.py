"""A model check of ownership: gateways that pause, messages that are lost or overtake each other,
writes that fail or whose answers are lost, against the real records on real databases.

The agents and the network are modeled, gateways are reduced to what they decide; every change of a
record is the product's own. What must always hold is checked after each step.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection

from gateway_ext.ownership.kernel_events import KernelEvents
from gateway_ext.ownership.kernel_records import KernelRecords
from gateway_ext.ownership.new_kernel import NewKernel
from gateway_ext.ownership.observations import Observation
from gateway_ext.ownership.records import KernelRecord
from gateway_ext.ownership.states import LEGAL_TRANSITIONS, KernelState
from jupyter_ext.database.engine import Database, DatabaseUnavailable
from jupyter_ext.platform.encryption import SecretBox, create_keys_file

T = TypeVar("T")
GATEWAYS = range(3)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class FaultyDatabase(Database):
    """A database whose next transaction may fail, or succeed without anybody learning of it."""

    fault: str | None = None

    async def run(self, function: Callable[[Connection], T], *, read_only: bool = False) -> T:
        fault, self.fault = self.fault, None
        if fault == "before":
            raise DatabaseUnavailable("the transaction did not happen")
        result = await super().run(function, read_only=read_only)
        if fault == "after":
            raise DatabaseUnavailable("the transaction happened, its answer was lost")
        return result


@dataclass
class Agent:
    """One agent process: the n-th that was started for the kernel."""

    key: bytes
    alive: bool = True
    epoch: int = 0
    dial: int = 0
    """The number of its last dial: it listens to the answer of that one only."""
    connection: tuple[int, int] | None = None
    """The gateway that it obeys, and the epoch."""
    obeyed: list[int] = field(default_factory=list)
    """The epochs of the commands that it carried out."""


@dataclass
class Gateway:
    """What a gateway believes. It may have slept since."""

    records: KernelRecords
    links: dict[int, int] = field(default_factory=dict)
    """Agents (by number) that it takes for its own, with the epoch of its claim."""
    read: KernelRecord | None = None
    """A record that it read some time ago and will act on."""
    found_dead: bool = False
    """Whether the process of that record was gone when it looked."""


class OwnershipProtocol(RuleBasedStateMachine):
    """One kernel, three gateways, a network that does as it likes."""

    database: FaultyDatabase
    box: SecretBox

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.kernel_id = str(uuid.uuid4())
        self.gateways = [
            Gateway(KernelRecords(self.database, self.box, f"gateway-{number}"))
            for number in GATEWAYS
        ]
        self.agents: list[Agent] = []
        self.network: list[tuple[Any, ...]] = []
        self.claimed: set[int] = set()
        self.dismissed: set[int] = set()
        """Agents whose launch was given up: somebody may have started another kernel since."""
        self.seen: KernelRecord | None = None

    def teardown(self) -> None:
        self.loop.close()

    def run(self, work: Awaitable[T]) -> T:
        return self.loop.run_until_complete(work)

    def attempt(self, work: Awaitable[T], fault: str | None) -> T | None:
        """What a gateway gets from the database; None if it fails."""
        self.database.fault = fault
        try:
            return self.run(work)
        except DatabaseUnavailable:
            return None
        finally:
            self.database.fault = None

    def record(self) -> KernelRecord:
        record = self.run(self.gateways[0].records.get(self.kernel_id))
        assert record is not None, "a record is never lost"
        return record

    # Launches

    @initialize(number=st.sampled_from(GATEWAYS))
    def launch(self, number: int) -> None:
        key = b"0" * 32
        new = NewKernel(self.kernel_id, "demo", "", "ada", "python", {})
        records = self.gateways[number].records
        assert self.run(records.insert_launching(new, key)) is not None
        assert self.run(records.insert_launching(new, b"x" * 32)) is None
        self.agents.append(Agent(key))

    @rule(
        number=st.sampled_from(GATEWAYS),
        agent=st.integers(0, 4),
        fault=st.sampled_from([None, None, "before", "after"]),
    )
    def set_process(self, number: int, agent: int, fault: str | None) -> None:
        # Its launcher may have slept since it started the agent.
        agent %= len(self.agents)
        records = self.gateways[number].records
        key, process = self.agents[agent].key, {"agent": agent}
        self.attempt(records.set_process(self.kernel_id, key, process), fault)

    @precondition(lambda self: len(self.agents) < 5)
    @rule(number=st.sampled_from(GATEWAYS), fault=st.sampled_from([None, None, "before"]))
    def launch_again(self, number: int, fault: str | None) -> None:
        gateway = self.gateways[number]
        read, gateway.read = gateway.read, None
        if read is None or read.state is not KernelState.DEAD or read.owner is not None:
            return
        before = self.record()
        key = str(len(self.agents)).encode() * 32
        won = self.attempt(gateway.records.launch_again(read, key, "ada"), fault)
        if won:
            assert before.epoch == read.epoch, "a stale record was launched"
            self.agents.append(Agent(key))

    # Agents and the network

    @rule(agent=st.integers(0, 4), number=st.sampled_from(GATEWAYS))
    def dial(self, agent: int, number: int) -> None:
        who = self.agents[agent % len(self.agents)]
        if not who.alive:
            return
        # One at a time: the old connection is left, and an older dial is given up.
        who.connection = None
        who.dial += 1
        hello = (agent % len(self.agents), number, who.dial, who.epoch)
        self.network.append(("hello", *hello))

    @precondition(lambda self: self.network)
    @rule(which=st.integers(0, 50), fault=st.sampled_from([None, None, None, "before", "after"]))
    def deliver(self, which: int, fault: str | None) -> None:
        message = self.network.pop(which % len(self.network))
        getattr(self, f"_{message[0]}")(fault, *message[1:])

    @precondition(lambda self: self.network)
    @rule(which=st.integers(0, 50))
    def lose(self, which: int) -> None:
        self.network.pop(which % len(self.network))

    def _hello(self, fault: str | None, agent: int, number: int, dial: int, epoch: int) -> None:
        gateway = self.gateways[number]
        key = self.agents[agent].key
        before = self.record()
        claim = self.attempt(gateway.records.claim(self.kernel_id, key, epoch), fault)
        if claim is None:
            return
        stored = self.run(gateway.records.secrets(self.kernel_id))
        assert stored is not None
        assert stored.agent_key == key
        assert before.state is not KernelState.DELETED
        assert agent not in self.dismissed, "a launch that was given up came back"
        assert claim.epoch > max(before.epoch, epoch)
        assert claim.epoch not in self.claimed
        self.claimed.add(claim.epoch)
        gateway.links[agent] = claim.epoch
        self.network.append(("welcome", agent, number, dial, claim.epoch))

    def _welcome(self, fault: str | None, agent: int, number: int, dial: int, epoch: int) -> None:
        who = self.agents[agent]
        if who.alive and who.dial == dial and epoch > who.epoch:
            who.epoch, who.connection = epoch, (number, epoch)

    def _command(self, fault: str | None, agent: int, number: int, epoch: int) -> None:
        who = self.agents[agent]
        if who.alive and who.connection == (number, epoch):
            who.obeyed.append(epoch)

    @rule(number=st.sampled_from(GATEWAYS))
    def command(self, number: int) -> None:
        for agent, epoch in self.gateways[number].links.items():
            self.network.append(("command", agent, number, epoch))

    @rule(agent=st.integers(0, 4), number=st.sampled_from(GATEWAYS))
    def take_over(self, agent: int, number: int) -> None:
        """A dial on which nothing goes wrong: most do."""
        agent %= len(self.agents)
        self.dial(agent, number)
        who = self.agents[agent]
        if who.alive:
            self._hello(None, *self.network.pop()[1:])
            if self.network and self.network[-1][:2] == ("welcome", agent):
                self._welcome(None, *self.network.pop()[1:])

    @rule(agent=st.integers(0, 4), likely=st.integers(0, 3))
    def crash(self, agent: int, likely: int) -> None:
        if likely:
            return
        who = self.agents[agent % len(self.agents)]
        who.alive, who.connection = False, None

    @rule(number=st.sampled_from(GATEWAYS))
    def notice_lost_links(self, number: int) -> None:
        gateway = self.gateways[number]
        for agent, epoch in list(gateway.links.items()):
            if self.agents[agent].connection != (number, epoch):
                del gateway.links[agent]

    # What gateways write, maybe long after they were right

    @rule(
        state=st.sampled_from(
            [None, KernelState.RUNNING, KernelState.RESTARTING, KernelState.DEAD]
        ),
        fault=st.sampled_from([None, None, "before", "after"]),
    )
    def observe(self, state: KernelState | None, fault: str | None) -> None:
        """Each gateway writes what it sees, or believes to see."""
        for number, gateway in enumerate(self.gateways):
            for epoch in gateway.links.values():
                before = self.record()
                seen = Observation(
                    self.kernel_id, epoch, state, f"seen-{number}", number, NOW, "why"
                )
                self.attempt(gateway.records.observe([seen]), fault)
                if before.owner != f"gateway-{number}" or epoch != before.epoch:
                    assert self.record() == before, "a gateway that is not the owner wrote"

    @rule()
    def read(self) -> None:
        """Each gateway looks, and will act on it sooner or later."""
        record = self.record()
        process = record.process
        for gateway in self.gateways:
            gateway.read = record
            gateway.found_dead = process is not None and not self.agents[process["agent"]].alive

    @rule(number=st.sampled_from(GATEWAYS), fault=st.sampled_from([None, None, "before", "after"]))
    def mark_dead(self, number: int, fault: str | None) -> None:
        gateway = self.gateways[number]
        read = gateway.read
        if read is None or read.state is KernelState.DELETED:
            return
        if not gateway.found_dead and (
            read.process is not None or read.state is not KernelState.LAUNCHING
        ):
            return
        before = self.record()
        marked = self.attempt(
            gateway.records.set_dead(self.kernel_id, read.epoch, "its agent has ended"), fault
        )
        if before.epoch != read.epoch:
            assert not marked
            assert self.record() == before, "a stale reader marked a kernel as dead"
        if marked and before.state is KernelState.LAUNCHING:
            self.dismissed.add(len(self.agents) - 1)

    @rule(number=st.sampled_from(GATEWAYS), fault=st.sampled_from([None, None, "before", "after"]))
    def give_up(self, number: int, fault: str | None) -> None:
        """A launch has taken too long, and what it has started cannot be ended."""
        gateway = self.gateways[number]
        read = gateway.read
        if read is None or read.state is not KernelState.LAUNCHING:
            return
        before = self.record()
        given_up = self.attempt(
            gateway.records.give_up(self.kernel_id, read.epoch, "too slow"), fault
        )
        assert self.record().epoch == before.epoch
        if before.epoch != read.epoch or before.state is not KernelState.LAUNCHING:
            assert not given_up
            assert self.record() == before, "who read long ago gave a launch up"
        if given_up:
            self.dismissed.add(len(self.agents) - 1)

    @rule(
        number=st.sampled_from(GATEWAYS),
        cull=st.booleans(),
        likely=st.integers(0, 9),
        fault=st.sampled_from([None, "before", "after"]),
    )
    def delete(self, number: int, cull: bool, likely: int, fault: str | None) -> None:
        if likely:
            return
        gateway = self.gateways[number]
        before = self.record()
        epochs = list(gateway.links.values()) if cull else [None]
        for epoch in epochs:
            deleted = self.attempt(
                gateway.records.delete(self.kernel_id, "eve", epoch=epoch), fault
            )
            if epoch is not None and epoch != before.epoch:
                assert not deleted
                assert self.record() == before, "a gateway that is not the owner culled"

    @rule(
        number=st.sampled_from(GATEWAYS),
        other=st.sampled_from(GATEWAYS),
        agent=st.integers(0, 4),
        act=st.sampled_from(["mark_dead", "launch_again", "cull"]),
    )
    def sleep_and_act(self, number: int, other: int, agent: int, act: str) -> None:
        """A gateway looks, is frozen while the kernel changes hands, and acts on what it saw."""
        self.take_over(agent, number)
        self.read()
        self.take_over(agent, other)
        if act == "mark_dead":
            self.mark_dead(number, None)
        elif act == "launch_again":
            self.launch_again(number, None)
        elif number != other:
            self.delete(number, True, 0, None)

    # What must always hold

    @invariant()
    def it_holds(self) -> None:
        if not self.agents:
            return
        record, before = self.record(), self.seen
        self.seen = record
        if before is not None:
            self._moved_as_it_may(before, record)
        self._one_gateway_acts(record)
        self._the_history_tells_it(record)
        former = self.run(self.gateways[0].records.agents.former_keys(self.kernel_id))
        if record.process is not None:
            stored = self.run(self.gateways[0].records.secrets(self.kernel_id))
            assert stored is not None
            launched = self.agents[record.process["agent"]]
            assert launched is self.agents[-1], "the process is not that of the last launch"
            assert launched.key == stored.agent_key or launched.key in former
        assert {agent.key for agent in self.agents[:-1]} <= set(former), "nobody ends an old agent"

    def _moved_as_it_may(self, before: KernelRecord, record: KernelRecord) -> None:
        assert record.epoch >= before.epoch
        if record.state is not before.state:
            assert record.state in LEGAL_TRANSITIONS[before.state]
        if record.owner not in (before.owner, None):
            assert record.epoch > before.epoch, "the owner changed without a new epoch"
        if before.state is KernelState.DELETED:
            assert record == before, "deleted is for good"

    def _one_gateway_acts(self, record: KernelRecord) -> None:
        for who in self.agents:
            assert who.obeyed == sorted(who.obeyed), "an older owner was obeyed again"
            assert who.epoch <= record.epoch, "an epoch that was never written was obeyed"
        epochs = [who.connection[1] for who in self.agents if who.connection]
        assert len(set(epochs)) == len(epochs), "two gateways act with one epoch"

    def _the_history_tells_it(self, record: KernelRecord) -> None:
        events = self.run(KernelEvents(self.database, "gateway-0").of(self.kernel_id))
        epochs = [int(e.detail.rpartition(" ")[2]) for e in events if "epoch" in e.detail]
        assert epochs == sorted(set(epochs)), "two epochs out of turn"
        # A deleted one's owner is who ends it: that is no claim.
        if record.owner is not None and record.state is not KernelState.DELETED:
            assert epochs[-1] == record.epoch
        state = [event.event for event in events if event.event != "claim"][-1]
        assert state.replace("launch", "launching").replace("delete", "deleted") == record.state


@pytest.fixture
def database(gateway_database_url: str) -> Iterator[FaultyDatabase]:
    database = FaultyDatabase(gateway_database_url)
    yield database
    database.close()


def test_no_history_breaks_ownership(database: FaultyDatabase, tmp_path: Path) -> None:
    create_keys_file(tmp_path / "keys.json")
    machine = type(
        "OwnershipProtocolHere",
        (OwnershipProtocol,),
        {"database": database, "box": SecretBox(tmp_path / "keys.json")},
    )
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=60,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
